"""Read and write the files of a model folder: `model.safetensors`, `config.json` and a model card.

`model/folder/files.py` makes models of them. Reading a file cannot execute code: weights are safetensors, settings are
JSON, and shapes are compared with the settings before anything is allocated. Every file is written under a temporary
name and renamed, so a reader finds either the old file or the new one, never a part.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from pointillist.errors import CheckpointError
from pointillist.files.arrays import (
    CARD,
    CONFIG,
    FORMAT_VERSION,
    METADATA_KEY,
    SCALE_SUFFIX,
    WEIGHTS,
    open_weights,
    read_metadata,
    settings_digest,
)
from pointillist.files.writing import atomic_path, write_text

MAX_WEIGHT = 1e6
"""Largest magnitude of a weight that is loaded; weights of the bundled models stay below 5."""


def write_tensors(path: Path, tensors: Mapping[str, Tensor], **metadata: str) -> None:
    """Write tensors to a safetensors file atomically, with their checksum and more metadata in its header."""
    stored = {name: t.detach().contiguous().cpu() for name, t in tensors.items()}
    with atomic_path(path) as temporary:
        # a single key: the library writes several in random order, so equal weights would not give equal bytes
        header = json.dumps({"sha256": _digest(stored), **metadata}, sort_keys=True)
        save_file(stored, temporary, {METADATA_KEY: header})


def write_folder(folder: Path, tensors: Mapping[str, Tensor], config: Mapping[str, object], card: str) -> None:
    """Write a model folder.

    The weights are written last and contain a hash of the settings, so new settings next to old weights are rejected.

    Args:
        folder: created if necessary.
        tensors: weights.
        config: the settings, JSON values.
        card: the model card, Markdown.
    """
    config = {"format": "pointillist", "format_version": FORMAT_VERSION, **config}
    is_new = not (folder / CONFIG).exists() and not (folder / CARD).exists()
    try:
        write_text(folder / CONFIG, json.dumps(config, indent=2) + "\n")
        write_text(folder / CARD, card)
        write_tensors(folder / WEIGHTS, tensors, settings=settings_digest(config))
    except BaseException:
        for name in (CONFIG, CARD) if is_new else ():  # a model without weights is none
            (folder / name).unlink(missing_ok=True)
        raise


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a safetensors file and verify their checksum (a file of another tool may have none).

    Raises:
        CheckpointError: if the file is missing, a pickle, or damaged, or its checksum is wrong.
    """
    with open_weights(path, "pt") as file:
        # copied, because the library maps the file into memory, and a file that shrinks later would crash the process
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (not a dict)
        expected = read_metadata(file).get("sha256")
    if expected is not None and expected != _digest(tensors):
        raise CheckpointError(f"{path} is damaged (its checksum is wrong): copy or download it again.")
    return tensors


def decode_weights(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert weights to float32; int8 matrices of bundled models are multiplied by the scale of each output, exactly.

    Args:
        stored: tensors of a file that `weight_shapes` has checked.
    """
    result = {name: tensor.float() for name, tensor in stored.items()}
    for name, tensor in stored.items():
        if tensor.dtype == torch.int8:
            scale = result.pop(name + SCALE_SUFFIX)
            result[name] *= scale if tensor.ndim == 3 else scale.reshape(-1, *[1] * (tensor.ndim - 1))
    return result


def check_values(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Reject weights that are not finite, or absurdly large: every likelihood computed from them would be NaN.

    Args:
        tensors: decoded weights, by name.
        path: their file, for the message.

    Raises:
        CheckpointError: naming the first such tensor.
    """
    for name, tensor in tensors.items():
        if tensor.numel() and not (largest := float(tensor.abs().max())) <= MAX_WEIGHT:  # a NaN compares as false
            what = "a weight that is not finite" if not math.isfinite(largest) else f"a weight of size {largest:.3g}"
            raise CheckpointError(
                f"{path} cannot be used: tensor {name!r} holds {what}, where at most {MAX_WEIGHT:.0e} is allowed; "
                "train again, or download the model again."
            )


def fingerprint(tensors: Mapping[str, Tensor], config: Mapping[str, object]) -> str:
    """Compute the SHA-256 of a model.

    Args:
        tensors: its weights.
        config: its settings without defaults.
    """
    settings = json.dumps(config, sort_keys=True)
    on_cpu = {name: t.detach().contiguous().cpu() for name, t in tensors.items()}
    return hashlib.sha256(f"{_digest(on_cpu)} {settings}".encode()).hexdigest()


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of names, types, shapes and bytes."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        t = tensors[name]
        digest.update(f"{name} {t.dtype} {tuple(t.shape)};".encode())
        digest.update(t.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
