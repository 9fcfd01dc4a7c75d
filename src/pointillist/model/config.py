"""Settings of a model, which are everything needed to build it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import SerializeAsAny, ValidationError, model_validator

from pointillist.conditioning import ConditionConfig, LabelConfig
from pointillist.distributions.likelihoods import build_likelihood
from pointillist.errors import ConfigError, format_validation_error
from pointillist.images import MAX_SIDE, ImageSpec
from pointillist.images.ordering import get_order
from pointillist.model.folder.settings import ModelSettings
from pointillist.networks import BackboneConfig, config_from_dict, entry, names

Config = TypeVar("Config", bound=ConditionConfig)

# what no machine can hold is refused before memory is taken for it: settings may come from a file
MAX_NUMBERS = 4_194_304  # inputs or outputs of the network at a site


LOCAL_GAIN_LEVELS, LOCAL_GAIN_ROWS = 64, 16
"""Levels, and rows of an image, from which on a new model has a local gain.

The first row has no neighbours above, hence the smallest gain: in images of few rows it costs more than the others
save.
"""


def check_local_gain(model_type: str, image: ImageSpec, likelihood: str, orders: Sequence[str] = ()) -> None:
    """Check that a model can have a local gain.

    Raises:
        ConfigError: naming what is missing.
    """
    if not image.ordered:
        raise ConfigError(
            "`local_gain` needs ordered levels, and these are unordered (palette, tiles or codes), which have no "
            "distance from a prediction: use `local_gain=False`."
        )
    if likelihood != "mixture":
        raise ConfigError(
            f"`local_gain` places the means of a mixture, and `likelihood` is {likelihood!r}: use 'mixture', or "
            "`local_gain=False`."
        )
    if not entry(model_type).backbone.takes_local_gain or any(get_order(name).s_curve for name in orders):
        able = ", ".join(name for name in names() if entry(name).backbone.takes_local_gain)
        raise ConfigError(
            f"`local_gain` needs a network of one raster scan, which {model_type} is not: use `local_gain=False`, or "
            f"the model {able}."
        )


def default_local_gain(model_type: str, image: ImageSpec, likelihood: str, orders: Sequence[str] = ()) -> bool:
    """Choose whether a new model has a local gain: where it can, from so many levels and rows on."""
    try:
        check_local_gain(model_type, image, likelihood, orders)
    except ConfigError:
        return False
    return image.levels >= LOCAL_GAIN_LEVELS and image.height >= LOCAL_GAIN_ROWS


class ModelConfig(ModelSettings):
    """Everything needed to build a model again; what `config.json` holds.

    Attributes:
        model_type: a name from `pointillist models`.
        image: meaning of its integers.
        backbone: settings of the network.
    """

    model_type: str
    image: ImageSpec
    backbone: SerializeAsAny[BackboneConfig]

    @model_validator(mode="before")
    @classmethod
    def _typed_backbone(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("backbone"), dict):
            data = {**data, "backbone": config_from_dict(str(data.get("model_type")), data["backbone"])}
        return data

    @model_validator(mode="after")
    def _complete(self) -> ModelConfig:
        for settings in self.conditions.values():
            settings.check_complete()
        return self

    @model_validator(mode="after")
    def _bounded(self) -> ModelConfig:
        image = self.image
        if max(image.height, image.width) > MAX_SIDE:
            raise ConfigError(f"`image` of {image.height}x{image.width} must have at most {MAX_SIDE:,} pixels a side.")
        likelihood = build_likelihood(self.likelihood, image, self.mixtures)
        if self.local_gain:
            check_local_gain(self.model_type, image, likelihood.name, self.orders)
        numbers = max(likelihood.num_params, image.channels * self.level_channels)
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
    def classes(self) -> tuple[str, ...]:
        """Names of the labels; empty for none."""
        label = self.condition(LabelConfig)
        return () if label is None else label.classes

    @property
    def level_width(self) -> int:
        """Network inputs of one sub-pixel: 1 for an ordered level, the features of its embedding otherwise."""
        return 1 if self.image.ordered else self.level_channels

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ModelConfig:
        """Parse a dictionary as `model_dump(mode="json")` makes it.

        Raises:
            ConfigError: naming the first setting that is wrong.
        """
        try:
            return cls(**data)
        except ValidationError as error:
            cause = error.errors()[0].get("ctx", {}).get("error")  # a rule of `model` raises a ConfigError itself
            if isinstance(cause, ConfigError):
                raise cause from error
            raise ConfigError(format_validation_error(error, "a model setting")) from error

    def describe_conditions(self) -> list[str]:
        """A few words for each condition, for cards and `info`."""
        return [words for settings in self.conditions.values() for words in settings.describe()]
