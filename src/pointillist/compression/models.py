"""Find the exact model of an archive: given, or among the bundled ones, by its fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pointillist.checkpoint.header import read_config
from pointillist.compression.container import PREFIX
from pointillist.errors import ArchiveError, CheckpointError, ConfigError, EngineError
from pointillist.exact import ExactModel, load
from pointillist.exact.storage import has_exact, stored_fingerprint
from pointillist.images import ImageSpec
from pointillist.zoo import list_pretrained, resolve


def find_folder(prefix: bytes, model: str | Path | None = None, hint: str = "") -> Path:
    """Return the folder of the model with a fingerprint that begins with `prefix`; see `find_exact`."""
    if model is not None:
        return _folder(model)
    for bundled in list_pretrained():
        fingerprint = stored_fingerprint(bundled.folder)
        if fingerprint is not None and fingerprint.startswith(prefix.hex()):
            return bundled.folder
    raise ArchiveError(
        f"No bundled model is {_name(prefix, hint)}, which the archive was written with: give its folder as `model`."
    )


def image_of(model: str | Path) -> ImageSpec:
    """Return what the images of a model mean, from the settings in its folder, without torch."""
    return ImageSpec(**read_config(_folder(model))["image"])


def as_exact(model: Any) -> ExactModel:
    """Return the exact model of a model: an `ExactModel`, a `PixelModel`, or a name or folder.

    Raises:
        EngineError: if it has none.
        CheckpointError: if there is no such model.
    """
    if isinstance(model, (str, Path)):
        return load(_folder(model))
    found = model if isinstance(model, ExactModel) else model.exact().integers
    if not found.fingerprint:
        raise EngineError("This exact model has no fingerprint: make it with `pt.quantize_exact`, or load it.")
    return found


def find_exact(prefix: bytes, model: Any = None, hint: str = "") -> ExactModel:
    """Return the exact model with a fingerprint that begins with `prefix`.

    Args:
        model: the model itself, as for `as_exact`; None to look among the bundled ones.
        hint: what the writer called the model, for the message.

    Raises:
        ArchiveError: if it is another one, or none is found.
    """
    if model is not None:
        found = as_exact(model)
        if prefix_of(found) == prefix:
            return found
        raise ArchiveError(
            f"The archive was written with the exact model {_name(prefix, hint)}, and the one given is "
            f"{prefix_of(found).hex()}: give that model, in the state it had."
        )
    return load(find_folder(prefix, None, hint))


def prefix_of(exact: ExactModel) -> bytes:
    """Return the part of the fingerprint that an archive holds."""
    return bytes.fromhex(exact.fingerprint)[:PREFIX]


def _folder(model: str | Path) -> Path:
    folder = resolve(str(model))
    if folder is None:
        raise CheckpointError(f"There is no model {model}: give a folder or the name of a bundled model.")
    if not has_exact(folder):
        raise ConfigError(
            f"{model} has no exact program, which compression needs: make it with `pointillist quantize {model} "
            "--exact --data DATA --out DIR`, and give DIR."
        )
    return folder


def _name(prefix: bytes, hint: str) -> str:
    return f"{prefix.hex()} ({hint})" if hint else prefix.hex()
