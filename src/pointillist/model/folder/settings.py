"""Settings of a model apart from its network, in `config.json` and run files, and its description. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import ConfigDict, Field, SerializeAsAny, ValidationError, field_validator

from pointillist.conditioning.registry import condition_kinds, parse_conditions
from pointillist.conditioning.settings import ConditionConfig
from pointillist.distributions.registry import LikelihoodName, resolve_likelihood
from pointillist.errors import CheckpointError
from pointillist.files.checkpoint.header import (
    CONFIG,
    TILESET,
    WEIGHTS,
    check_config_hash,
    count_weights,
    read_config,
)
from pointillist.files.settings_tree import StrictNumbers
from pointillist.images.ordering import parse_orders
from pointillist.model.integer_cost import IntegerCost, engine_text

if TYPE_CHECKING:
    from pointillist.data.tilemaps import Tileset

Config = TypeVar("Config", bound=ConditionConfig)


class ModelSettings(StrictNumbers):
    """Settings of a model apart from its network: the same in `config.json` and under `[model]` of a run file.

    Attributes:
        likelihood: Output distribution: bernoulli, categorical, factored, mixture or auto.
        mixtures: Components of a mixture, or of a factored distribution.
        local_gain: Whether a network reads levels relative to a prediction from their neighbours, and places a mixture
            around it; by default for 64 or more ordered levels with a mixture, in images of 16 or more rows.
        conditions: Settings of each condition, by its kind.
        position_channels: Channels of learned positions; they fix the size of the images.
        order_channels: Channels of the embedding of the generation order, if there are several.
        level_channels: Channels of the embedding of an unordered level.
        orders: Pixel generation orders to train on, separated by commas; raster-all and s-curve-all are eight each.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", protected_namespaces=(), defer_build=True
    )

    likelihood: LikelihoodName = "auto"
    mixtures: int = Field(10, ge=1, le=1024)
    local_gain: bool | None = None  # in a stored model, None is off: it was made before there was one
    conditions: dict[str, SerializeAsAny[ConditionConfig]] = Field(default_factory=dict)
    position_channels: int = Field(0, ge=0, le=1024)
    order_channels: int = Field(64, ge=1, le=8192)
    level_channels: int = Field(16, ge=1, le=1024)
    orders: tuple[str, ...] = ("raster",)

    @field_validator("conditions", mode="before")
    @classmethod
    def _parsed(cls, conditions: Any) -> Any:
        return parse_conditions(conditions) if isinstance(conditions, dict) else conditions

    @field_validator("orders", mode="before")
    @classmethod
    def _known(cls, orders: Any) -> Any:
        return parse_orders(orders)

    def condition(self, kind: type[Config]) -> Config | None:
        """Settings of one kind of condition: `config.condition(TextConfig)`; None where the model has none."""
        result = self.conditions.get(kind.kind)
        return result if isinstance(result, kind) else None


Settings = Mapping[str, Any]


def describe_model(folder: Path) -> dict[str, Any]:
    """Describe the model of a folder: sizes, conditions, and the record of its training, as JSON values.

    Raises:
        CheckpointError: if the folder is not a Pointillist model, or damaged as far as its settings and header show.
    """
    config = read_config(folder)
    training = config.pop("training", {})
    check_config_hash(folder, config)
    parameters = count_weights(folder / WEIGHTS)
    try:
        image, conditions = config["image"], config["conditions"]
        facts: dict[str, Any] = {
            "model": config["model_type"],
            "parameters": parameters,
            "image": {name: value for name, value in image.items() if name not in ("palette", "level_names")},
            "level_names": list(image.get("level_names") or ()),
            "likelihood": resolve_likelihood(config["likelihood"], image),
            "classes": list(conditions.get("label", {}).get("classes", ())),
            "conditions": _describe_conditions(conditions),
            "orders": config["orders"],
            "size": "fixed" if config["position_channels"] else "any",
            "network": config["backbone"],
            "file_size": sum((folder / part).stat().st_size for part in (WEIGHTS, CONFIG)),
        }
        cost = IntegerCost.pop(training)
        if training:
            facts |= _training_facts(training)
        if cost is not None:
            facts |= {"integers_cost": cost.bits_per_dim, "engine": engine_text("integer", cost.why_floats)}
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise CheckpointError(
            f"{folder / CONFIG} does not describe a model of this release ({error}): copy the whole folder again."
        ) from error
    return facts


def _describe_conditions(conditions: Settings) -> list[str]:
    """Describe each condition in its own words; one that is not registered in this process by its kind."""
    kinds = condition_kinds()
    return [
        words
        for kind, settings in conditions.items()
        for words in (kinds[kind](**settings).describe() if kind in kinds else [kind])
    ]


def _training_facts(training: Settings) -> dict[str, Any]:
    """Describe the run that made a model."""
    settings = training.get("record", {})
    keys = ("valid_bits_per_dim", "best_step", "step", "date", "machine", "pointillist", "torch")
    return {
        "trained_on": settings.get("data", {}).get("source", "unknown"),
        "notes": training.get("notes", []),
        **{key: training[key] for key in keys if key in training},
        "settings": settings,
    }


def read_tileset(folder: Path, levels: int) -> Tileset | None:
    """Read the pictures of the levels of a model of maps; None for a folder without.

    Raises:
        CheckpointError: if they cannot be read, or are of another number.
    """
    if not (folder / TILESET).is_file():
        return None
    from pointillist.data.tilemaps import Tileset

    return Tileset.read(folder / TILESET, levels)
