"""Model folders: find one by bundled name, path or hub id; read and write it without running code from it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from torch import Tensor, nn

from pointillist.checkpoint import files
from pointillist.checkpoint.encoding import decode_tensors, encode_tensors, expanded_shapes
from pointillist.checkpoint.files import CARD, CONFIG, WEIGHTS
from pointillist.checkpoint.meta_init import meta_init
from pointillist.errors import CheckpointError, ConfigError
from pointillist.model.config import ModelConfig
from pointillist.zoo import list_pretrained, resolve

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """Contents of a model folder.

    Attributes:
        config: settings of the model.
        training: settings of the run that made it.
        tensors: weights by name, decoded.
        card: text of the model card; None if there is none.
    """

    config: ModelConfig
    training: dict[str, Any]
    tensors: dict[str, Tensor]
    card: str | None


def write_model(folder: Path, tensors: Mapping[str, Tensor], config: dict[str, Any], card: str) -> None:
    """Write a model folder; each file appears whole or not at all."""
    files.write_model(folder, encode_tensors(tensors), config, card)


def read_model(folder: Path, build: Callable[[ModelConfig], nn.Module]) -> StoredModel:
    """Read a model folder, with every size checked before memory is taken for it.

    Args:
        folder: with `config.json` and `model.safetensors`.
        build: makes the model of a config, to tell which tensors it has.

    Raises:
        CheckpointError: if the folder is not one of ours, or damaged.
    """
    record = files.read_config(folder)
    training = record.pop("training", {})
    if not isinstance(training, dict):
        raise CheckpointError(f'{folder / CONFIG} is damaged: "training" must be a table.')
    found = files.read_tensor_info(folder / WEIGHTS)
    try:
        config = ModelConfig.from_dict(record)
        with meta_init():  # the tensors that the settings promise, without memory for them
            expected = {name: tuple(t.shape) for name, t in build(config).state_dict().items()}
    except ConfigError as error:
        raise CheckpointError(f"{folder / CONFIG} does not describe a model of this release: {error}") from error
    _compare_shapes(expected, expanded_shapes(found), folder)
    files.check_config_hash(folder, record)
    card = folder / CARD
    return StoredModel(
        config=config,
        training=training,
        tensors=decode_tensors(files.read_tensors(folder / WEIGHTS)),
        card=card.read_text(encoding="utf-8", errors="replace") if card.is_file() else None,
    )


def find_model(source: str, hub: dict[str, Any]) -> Path:
    """Find the folder of a model, or fetch it from the hub.

    Raises:
        CheckpointError: if it is not there.
    """
    found = resolve(source)
    if found is not None:
        return found
    if not _HUB_ID.fullmatch(source):
        known = ", ".join(model.name for model in list_pretrained()) or "none in this release"
        raise CheckpointError(
            f"There is no model {source!r}: give a folder, a hub id `user/model`, or a shipped name ({known})."
        )
    try:
        return Path(snapshot_download(source, allow_patterns=[CONFIG, WEIGHTS, CARD], **hub))
    except (LocalEntryNotFoundError, HfHubHTTPError, HFValidationError, OSError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise CheckpointError(
            f"{source!r} is no folder here and could not be fetched from the hub ({reason}): check name and network."
        ) from error


def _compare_shapes(expected: dict[str, tuple[int, ...]], found: dict[str, tuple[int, ...]], folder: Path) -> None:
    """Refuse a file whose tensors are not those that its settings promise, before memory is taken for either."""
    wrong = sorted(set(expected) ^ set(found)) or sorted(n for n in expected if expected[n] != found[n])
    if wrong:
        name = wrong[0]
        raise CheckpointError(
            f"{folder / WEIGHTS} does not belong to its {CONFIG}: tensor {name!r} is {found.get(name, 'missing')}, "
            f"expected {expected.get(name, 'none')}; copy the whole folder again."
        )
