"""The files of an exact model: `program.json` and `program.safetensors` in a model folder."""

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
from pointillist.exact.model import ExactModel
from pointillist.exact.storage.arrays import ArrayReader, ArrayWriter
from pointillist.exact.storage.decode import decode_model
from pointillist.exact.storage.encode import encode_model
from pointillist.files.reading import read_json
from pointillist.files.writing import atomic_path

PROGRAM, PROGRAM_TENSORS = "program.json", "program.safetensors"
FORMAT, VERSION = "pointillist-exact", 1
MAX_BYTES = 64 * 2**20
"""Largest size of the JSON file."""


def has_exact(folder: Path) -> bool:
    """Return True if a model folder holds an exact model."""
    return (folder / PROGRAM).is_file() and (folder / PROGRAM_TENSORS).is_file()


def save_exact(model: ExactModel, folder: str | Path) -> ExactModel:
    """Write an exact model to a folder; each file appears whole or not at all.

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


def load_exact(folder: str | Path) -> ExactModel:
    """Load the exact model of a model folder, without torch.

    Raises:
        CheckpointError: if there is none, it is damaged, or of another version.
        EngineError: if a sum of it could overflow.

    Example:
        exact = load_exact("my-model")
        exact.fingerprint
    """
    folder = Path(folder)
    path = folder / PROGRAM
    if not has_exact(folder):
        raise CheckpointError(
            f"{folder} holds no exact program ({PROGRAM}, {PROGRAM_TENSORS}): make it with `pointillist quantize MODEL "
            "--exact --data DATA`."
        )
    if path.stat().st_size > MAX_BYTES:
        raise CheckpointError(f"{path} has {path.stat().st_size:,} bytes, over the limit of {MAX_BYTES:,}.")
    document = read_json(path, "copy or make it again", CheckpointError)
    if not isinstance(document, dict) or document.pop("format", None) != FORMAT:
        raise CheckpointError(f'{path} is no exact program: its "format" must be "{FORMAT}".')
    version = document.pop("format_version", None)
    if version != VERSION:
        raise CheckpointError(
            f"{path} has format version {version}, and this release reads {VERSION}: upgrade pointillist."
        )
    fingerprint = document.pop("fingerprint", None)
    with open_weights(folder / PROGRAM_TENSORS) as file:
        # copied, because the library maps the file into memory, and a file that shrinks later would crash the process
        found = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118 (not a dict)
    if fingerprint != fingerprint_of(document, found):
        raise CheckpointError(
            f"{path} and {PROGRAM_TENSORS} are damaged (their fingerprint is wrong): copy them again."
        )
    return decode_model(document, ArrayReader(found, str(path)), str(fingerprint))


def with_fingerprint(model: ExactModel) -> ExactModel:
    """Return a model with its fingerprint, as if it had been stored."""
    arrays = ArrayWriter()
    return replace(model, fingerprint=fingerprint_of(encode_model(model, arrays), arrays.arrays))


def stored_fingerprint(folder: Path) -> str | None:
    """Read the fingerprint of the exact model of a folder, which is not checked; None if there is none."""
    path = folder / PROGRAM
    if not has_exact(folder) or path.stat().st_size > MAX_BYTES:
        return None
    document = read_json(path, "copy or make it again", CheckpointError)
    found = document.get("fingerprint") if isinstance(document, dict) else None
    return found if isinstance(found, str) else None


def fingerprint_of(document: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> str:
    """Compute the SHA-256 of a program: of its JSON values and of the bytes of its arrays."""
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape};".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()
