"""Find the integer model of an archive: given, or among the bundled ones, by its fingerprint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pointillist.compression.container import PREFIX
from pointillist.errors import ArchiveError, CheckpointError, ConfigError, EngineError
from pointillist.files.arrays import WEIGHTS, read_config
from pointillist.images import ImageSpec
from pointillist.model.folder.generation import GenerationConfig
from pointillist.model.folder.opening import open_any_program
from pointillist.model.portable import ProgramModel, load
from pointillist.model.portable.files import has_program, stored_fingerprint
from pointillist.zoo import ZOO, resolve


def find_folder(prefix: bytes, model: str | Path | None = None, hint: str = "") -> Path:
    """Return the folder of the model with a fingerprint that begins with `prefix`; see `find_integer_model`."""
    folder = bundled_folder(prefix) if model is None else _folder(model)
    if folder is not None:
        return folder
    raise ArchiveError(
        f"No bundled model is {_name(prefix, hint)}, which the archive was written with: decompress it with the folder "
        "of that model as `model`."
    )


def bundled_folder(prefix: bytes) -> Path | None:
    """Return the folder of the bundled model with a fingerprint that begins with `prefix`; None if there is none."""
    folders = [path.parent for path in sorted(ZOO.glob(f"*/{WEIGHTS}"))]
    return next((each for each in folders if (stored_fingerprint(each) or "").startswith(prefix.hex())), None)


def is_bundled(model: str) -> bool:
    """Return True for the name of a model that comes with the package, which an archive finds by its fingerprint."""
    folder = resolve(model)
    return folder is not None and folder.parent == ZOO


def image_of(model: str | Path) -> ImageSpec:
    """Return what the images of a model mean, from the settings in its folder, without torch."""
    folder = _folder(model)
    return GenerationConfig.read(folder).shown(ImageSpec(**read_config(folder)["image"]))


def as_integer_model(model: Any) -> ProgramModel:
    """Return the integer model of a model: an open model, or a name or folder.

    Raises:
        EngineError: if it has none.
        CheckpointError: if there is no such model.
    """
    if isinstance(model, (str, Path)):
        return load(_folder(model))
    result = open_any_program(model)
    if not result.fingerprint:
        raise EngineError("This integer model has no fingerprint: make it with `pt.quantize_integer`, or load it.")
    return result


def find_integer_model(prefix: bytes, model: Any = None, hint: str = "") -> ProgramModel:
    """Return the integer model with a fingerprint that begins with `prefix`.

    Args:
        model: the model itself, as for `as_integer_model`; None to look among the bundled ones.
        hint: what the writer called the model, for the message.

    Raises:
        ArchiveError: if it is another one, or none is found.
    """
    if model is not None:
        result = as_integer_model(model)
        if prefix_of(result) == prefix:
            return result
        raise ArchiveError(
            f"The archive was written with the integer model {_name(prefix, hint)}, and the one given is "
            f"{prefix_of(result).hex()}: give that model, in the state it had."
        )
    return load(find_folder(prefix, None, hint))


def prefix_of(integer_model: ProgramModel) -> bytes:
    """Return the part of the fingerprint that an archive holds."""
    return bytes.fromhex(integer_model.fingerprint)[:PREFIX]


def _folder(model: str | Path) -> Path:
    folder = resolve(str(model))
    if folder is None:
        raise CheckpointError(f"There is no model {model}: give a folder or the name of a bundled model.")
    if not has_program(folder):
        raise ConfigError(
            f"{model} has no integer program, which compression needs: make it with `pointillist quantize {model} "
            "DATA --out DIR`, and give DIR."
        )
    return folder


def _name(prefix: bytes, hint: str) -> str:
    return f"{prefix.hex()} ({hint})" if hint else prefix.hex()
