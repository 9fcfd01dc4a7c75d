"""The files of an integer model: `program.json` and `program.safetensors` in a model folder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save

from pointillist.checkpoint.header import open_weights
from pointillist.errors import CheckpointError
from pointillist.files.reading import read_json
from pointillist.files.writing import atomic_path
from pointillist.portable.model import IntegerModel
from pointillist.portable.storage.arrays import ArrayReader, ArrayWriter
from pointillist.portable.storage.decode import decode_model
from pointillist.portable.storage.encode import encode_model

PROGRAM, PROGRAM_TENSORS = "program.json", "program.safetensors"
FORMAT, VERSION = "pointillist-program", 1
MAX_BYTES = 64 * 2**20
"""Largest size of the JSON file."""


def has_program(folder: Path) -> bool:
    """Return True if a model folder holds an integer model."""
    return (folder / PROGRAM).is_file() and (folder / PROGRAM_TENSORS).is_file()


def save_integer_model(model: IntegerModel, folder: str | Path) -> IntegerModel:
    """Write an integer model to a folder; each file appears whole or not at all.

    Returns:
        The model with its fingerprint.
    """
    folder = Path(folder)
    arrays = ArrayWriter()
    document = encode_model(model, arrays)
    fingerprint = fingerprint_of(document, arrays.arrays)
    text = json.dumps({"format": FORMAT, "format_version": VERSION, "fingerprint": fingerprint, **document})
    with atomic_path(folder / PROGRAM_TENSORS) as temporary:
        temporary.write_bytes(save(arrays.arrays))
    with atomic_path(folder / PROGRAM) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return replace(model, fingerprint=fingerprint)


def load_integer_model(folder: str | Path) -> IntegerModel:
    """Load the integer model of a model folder, without torch.

    Raises:
        CheckpointError: if there is none, it is damaged, or of another version.
        EngineError: if a sum of it could overflow.

    Example:
        integer_model = load_integer_model("my-model")
        integer_model.fingerprint
    """
    folder = Path(folder)
    path = folder / PROGRAM
    if not has_program(folder):
        raise CheckpointError(
            f"{folder} holds no integer program ({PROGRAM}, {PROGRAM_TENSORS}): make it with `pointillist quantize "
            "MODEL --integer --data DATA`."
        )
    if path.stat().st_size > MAX_BYTES:
        raise CheckpointError(f"{path} has {path.stat().st_size:,} bytes, over the limit of {MAX_BYTES:,}.")
    document = read_json(path, "copy or make it again", CheckpointError)
    if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
        raise CheckpointError(f'{path} is no integer program: its "format" must be "{FORMAT}".')
    version = document.pop("format_version", None)
    if version != VERSION:
        raise CheckpointError(
            f"{path} has format version {version}, and this release reads {VERSION}: upgrade pointillist."
        )
    fingerprint = document.pop("fingerprint", None)
    with open_weights(folder / PROGRAM_TENSORS) as file:
        # copied, because the library maps the file into memory, and a file that shrinks later would crash the process
        result = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 (not a dict)
    if fingerprint != fingerprint_of(document, result):
        raise CheckpointError(
            f"{path} and {PROGRAM_TENSORS} are damaged (their fingerprint is wrong): copy them again."
        )
    return decode_model(document, ArrayReader(result, str(path)), str(fingerprint))


def with_fingerprint(model: IntegerModel) -> IntegerModel:
    """Return a model with its fingerprint, as if it had been stored."""
    arrays = ArrayWriter()
    return replace(model, fingerprint=fingerprint_of(encode_model(model, arrays), arrays.arrays))


def stored_fingerprint(folder: Path) -> str | None:
    """Read the fingerprint of the integer model of a folder, which is not checked; None if there is none."""
    path = folder / PROGRAM
    if not has_program(folder) or path.stat().st_size > MAX_BYTES:
        return None
    document = read_json(path, "copy or make it again", CheckpointError)
    result = document.get("fingerprint") if isinstance(document, dict) else None
    return result if isinstance(result, str) else None


def fingerprint_of(document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    """Compute the SHA-256 of a program: of its JSON values and of the bytes of its arrays."""
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
