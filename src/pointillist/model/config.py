"""The settings of a model: everything needed to build it again."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, ValidationError, field_validator, model_validator

from pointillist.conditioning import (
    AttributeEncoder,
    AttributesConfig,
    ConditionEncoder,
    FrozenTokenEncoder,
    HashedNgramEncoder,
    HashedTokenEncoder,
    HintConfig,
    ImageConditionEncoder,
    LabelEncoder,
    SentenceEncoder,
    TextConfig,
    VectorConfig,
    VectorEncoder,
)
from pointillist.distributions.likelihoods import LikelihoodName, build_likelihood
from pointillist.errors import ConfigError, format_validation_error
from pointillist.images import ImageSpec
from pointillist.networks import BackboneConfig, config_from_dict, entry, names
from pointillist.ordering import get_order, parse_orders

# what no machine can hold is refused before memory is taken for it: settings may come from a file
MAX_SIDE = 65_536
MAX_NUMBERS = 4_194_304  # inputs or outputs of the network at a site


class ModelConfig(BaseModel):
    """Everything needed to build a model again; what `config.json` holds.

    Attributes:
        model_type: a name from `pointillist models`.
        image: what its integers mean.
        backbone: settings of the network.
        likelihood: `auto`, `bernoulli`, `categorical` or `mixture`; `mixtures` components for the last.
        classes: names of the labels it takes; empty for none.
        label_width: features of a label's vector.
        attributes, vector, hint, text: the other conditions that it listens to; None where it does not.
        position_width: features of a learned map of positions; 0 for none. With it the image size is fixed.
        level_width: features of the embedding of an unordered level.
        orders: the orders that it is trained on, the usual one first; see `ordering`. With several it is told which.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    model_type: str
    image: ImageSpec
    backbone: SerializeAsAny[BackboneConfig]
    likelihood: LikelihoodName = "auto"
    mixtures: int = Field(10, ge=1, le=1024)
    classes: tuple[str, ...] = ()
    label_width: int = Field(64, ge=1, le=8192)
    attributes: AttributesConfig | None = None
    vector: VectorConfig | None = None
    hint: HintConfig | None = None
    text: TextConfig | None = None
    position_width: int = Field(0, ge=0, le=1024)
    level_width: int = Field(16, ge=1, le=1024)
    orders: tuple[str, ...] = ("raster",)

    @model_validator(mode="before")
    @classmethod
    def _typed_backbone(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("backbone"), dict):
            data = {**data, "backbone": config_from_dict(str(data.get("model_type")), data["backbone"])}
        return data

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) != len(classes):
            raise ConfigError("Class names must differ from one another: rename the doubles.")
        return classes

    @field_validator("orders", mode="before")
    @classmethod
    def _known(cls, orders: Any) -> Any:
        return parse_orders(orders)

    @model_validator(mode="after")
    def _bounded(self) -> ModelConfig:
        image = self.image
        if max(image.height, image.width) > MAX_SIDE:
            raise ConfigError(f"`image` of {image.height}x{image.width} must have at most {MAX_SIDE:,} pixels a side.")
        likelihood = build_likelihood(self.likelihood, image, self.mixtures)
        numbers = max(likelihood.num_params, image.channels * self.level_width)
        if numbers > MAX_NUMBERS:
            raise ConfigError(
                f"A pixel of {image.channels:,} channels and {image.levels:,} levels needs {numbers:,} numbers, over "
                f"the limit of {MAX_NUMBERS:,}: use fewer channels, levels or mixtures."
            )
        return self

    @model_validator(mode="after")
    def _can_follow(self) -> ModelConfig:
        curves = [name for name in self.orders if get_order(name).s_curve]
        if curves and not entry(self.model_type).backbone.masks_locally:
            local = ", ".join(name for name in names() if entry(name).backbone.masks_locally)
            raise ConfigError(
                f"`orders` (={curves[0]}) needs a network that masks locally, which {self.model_type} does not: use a "
                f"raster order, or the model {local}."
            )
        return self

    @property
    def order_width(self) -> int:
        """Features of the vector that says which of several orders it is; 0 where there is one."""
        return self.label_width if len(self.orders) > 1 else 0

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ModelConfig:
        """The settings in a dictionary, as `model_dump(mode="json")` gives it.

        Raises:
            ConfigError: naming the first setting that is wrong.
        """
        try:
            return cls(**data)
        except ValidationError as error:
            cause = error.errors()[0].get("ctx", {}).get("error")  # a rule of ours is a sentence already
            if isinstance(cause, ConfigError):
                raise cause from error
            raise ConfigError(format_validation_error(error, "a model setting")) from error

    def listeners(self) -> dict[str, ConditionEncoder]:
        """A new listener for each condition, by the name under which it is told; its place in the checkpoint."""
        found: dict[str, ConditionEncoder] = {}
        if self.classes:
            found["label"] = LabelEncoder(self.classes, self.label_width)
        if self.attributes is not None:
            found["attributes"] = AttributeEncoder(self.attributes)
        if self.vector is not None:
            found["vector"] = VectorEncoder(self.vector)
        if self.hint is not None:
            found["hint"] = ImageConditionEncoder(self.hint, self.image)
        if self.text is not None and self.text.encoder:
            found["text"] = SentenceEncoder(self.text)
        if self.text is not None and self.text.learned:
            found["words"] = HashedNgramEncoder(self.text)
        if self.text is not None and self.text.tokens:
            found["tokens"] = (FrozenTokenEncoder if self.text.token_size else HashedTokenEncoder)(self.text)
        return found

    def describe_conditions(self) -> list[str]:
        """What it listens to, a few words each, for cards and `info`."""
        said = [f"label ({len(self.classes)} classes)"] if self.classes else []
        if self.attributes is not None:
            said += [f"attribute {name} ({len(values)} values)" for name, values in self.attributes.values.items()]
        if self.vector is not None:
            said.append(f"vector ({self.vector.size} numbers)")
        if self.hint is not None:
            spec = self.hint.image
            kind = "floats" if spec is None else f"{spec.levels} {'ordered' if spec.ordered else 'unordered'} levels"
            made = "" if self.hint.derive is None else f"{self.hint.derive}, "
            said.append(f"hint ({made}{self.hint.channels} channel(s) of {kind})")
        if self.text is not None:
            heard = [self.text.encoder, "learned" * self.text.learned, "tokens" * bool(self.text.tokens)]
            said.append(f"text ({' + '.join(filter(None, heard))})")
        return said
