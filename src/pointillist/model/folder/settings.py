"""Find the folder of a model by name; its settings apart from the network, and its description. Needs no torch."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from pydantic import ConfigDict, Field, SerializeAsAny, ValidationError, field_validator

from pointillist.conditioning.registry import ConditionConfig, condition_kinds, parse_conditions
from pointillist.distributions.kinds import LikelihoodName, resolve_likelihood
from pointillist.errors import CheckpointError, MissingExtraError, closest, quote
from pointillist.files.arrays import (
    CONFIG,
    FOLDER_FILES,
    TILESET,
    WEIGHTS,
    check_config_hash,
    count_weights,
    read_config,
)
from pointillist.files.hub import offline_if_unreachable
from pointillist.files.settings_tree import StrictNumbers
from pointillist.images.ordering import parse_orders
from pointillist.model.training_record import TrainingRecord, engine_text
from pointillist.zoo import ZOO, list_pretrained, resolve

if TYPE_CHECKING:
    from pointillist.data.tilemaps import Tileset

HUB_KEYWORDS = ("revision", "token", "cache_dir", "force_download", "local_files_only")
"""Keywords of `load` for the download from the hub."""
HUB = "hf:"
"""Begin of a hub id. A path never asks the hub: a mistyped one would wait for it, or find a stranger's model."""

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
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
    training, cost = TrainingRecord.read(config.pop("training", {}), folder / CONFIG)
    check_config_hash(folder, config)
    parameters = count_weights(folder / WEIGHTS)
    try:
        image, conditions = config["image"], config["conditions"]
        facts: dict[str, Any] = {
            "model": config["model_type"],
            "parameters": parameters,
            "image": {name: value for name, value in image.items() if name not in ("palette", "level_names")},
            "level_names": list(image.get("level_names") or ()),
            "likelihood": resolve_likelihood(
                config["likelihood"], image["channels"], image["levels"], image["ordered"]
            ),
            "classes": list(conditions.get("label", {}).get("classes", ())),
            "conditions": _describe_conditions(conditions),
            "orders": config["orders"],
            "size": "fixed" if config["position_channels"] else "any",
            "network": config["backbone"],
            "file_size": sum((folder / part).stat().st_size for part in (WEIGHTS, CONFIG)),
        }
        if not training.is_empty:
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


def _training_facts(training: TrainingRecord) -> dict[str, Any]:
    keys = ("valid_bits_per_dim", "best_step", "step", "date", "machine", "pointillist", "torch")
    stored = training.stored(None)
    return {
        "trained_on": training.data.get("source", "unknown"),
        "notes": training.notes,
        **{key: stored[key] for key in keys if key in stored},
        "settings": training.record,
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


def find_model(source: str, hub: dict[str, Any]) -> Path:
    """Find the folder of a model; fetch it from the hub if its name begins with `hf:`.

    Raises:
        CheckpointError: if it is not there.
    """
    result = resolve(source)
    if result is not None:
        return result
    name = source.removeprefix(HUB)
    if name == source or not _HUB_ID.fullmatch(name):
        names = [model.name for model in list_pretrained()]
        known, near = ", ".join(names) or "none in this release", closest(source, names)
        meant = f" (did you mean {near!r}?)" if near else ""
        raise CheckpointError(
            f"There is no model {quote(source)}{meant}: give a folder, a bundled name ({known}), or "
            "`hf:user/model` for one of the hub."
        )
    try:
        from huggingface_hub import snapshot_download  # takes 0.1 s, which a local model need not wait
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
    except ImportError as error:
        raise MissingExtraError(f"The hub, which {source} names,", "train") from error

    try:
        with offline_if_unreachable():
            return Path(snapshot_download(name, allow_patterns=list(FOLDER_FILES), **hub))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"{source!r} could not be fetched from the hub ({reason}): check name and network."
        ) from error


def folder_of_user(source: str) -> Path | None:
    """Return the folder of a model of the user; None for a pretrained model and one of the hub.

    Args:
        source: what `pointillist.load` takes.
    """
    result = resolve(source)
    return None if result is None or result.resolve().is_relative_to(ZOO.resolve()) else result
