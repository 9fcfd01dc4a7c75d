"""Read and write the files of a model folder: `model.safetensors`, `config.json` and a model card.

`model/pretrained.py` builds models from them. Reading a file cannot execute code: weights are safetensors, settings are
JSON, and shapes are compared with the settings before anything is allocated. Every file is written under a temporary
name and renamed, so a reader finds either the old file or the new one, never a part.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from pointillist.errors import CheckpointError

WEIGHTS = "model.safetensors"
CONFIG = "config.json"
CARD = "README.md"
FORMAT_VERSION = 1
METADATA_KEY = "pointillist"
MAX_CONFIG_BYTES = 16 * 1024 * 1024
_PICKLES = {".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle"}


@dataclass(frozen=True)
class TensorInfo:
    """The header entry of a tensor in a safetensors file.

    Attributes:
        dtype: safetensors name of its type, for example `F32`, `BF16` or `I8`.
        shape: its shape.
    """

    dtype: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.dtype} {self.shape}"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path next to `path`, and atomically replace `path` by it if the block raises nothing.

    Example:
        ```python
        with atomic_path(Path("out.json")) as temporary:
            temporary.write_text("{}")
        ```
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], **metadata: str) -> None:
    """Write tensors to a safetensors file atomically, with their checksum and more metadata in its header."""
    stored = {name: t.detach().contiguous().cpu() for name, t in tensors.items()}
    with atomic_path(path) as temporary:
        # a single key: the library writes several in random order, so equal weights would not give equal bytes
        header = json.dumps({"sha256": _digest(stored), **metadata}, sort_keys=True)
        save_file(stored, temporary, {METADATA_KEY: header})


def write_text(path: Path, text: str) -> None:
    """Write text to a file atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_model(folder: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any], card: str) -> None:
    """Write a model folder.

    The weights are written last and contain a hash of the settings, so new settings next to old weights are rejected.

    Args:
        folder: created if necessary.
        tensors: weights, as returned by `encode_tensors`.
        config: the settings, JSON values.
        card: the model card, Markdown.
    """
    config = {"format": "pointillist", "format_version": FORMAT_VERSION, **config}
    write_text(folder / CONFIG, json.dumps(config, indent=2) + "\n")
    write_text(folder / CARD, card)
    write_tensors(folder / WEIGHTS, tensors, settings=_settings_digest(config))


def read_config(folder: Path) -> dict[str, Any]:
    """Read the settings of a model folder.

    Raises:
        CheckpointError: if the folder is not a Pointillist model, is damaged, or has another format version.
    """
    path = folder / CONFIG
    if folder.is_file():
        if folder.suffix in _PICKLES:
            raise CheckpointError(
                f"{folder} is a pickle, which can run code when it is opened, and is rejected: "
                f"give the model folder that contains {WEIGHTS} and {CONFIG}."
            )
        raise CheckpointError(f"{folder} is a file: give the model folder that contains {WEIGHTS} and {CONFIG}.")
    if not path.is_file():
        raise CheckpointError(f"{folder} contains no {CONFIG}: give a folder written by `pointillist train --out`.")
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise CheckpointError(f"{path} has {path.stat().st_size:,} bytes, over the limit of {MAX_CONFIG_BYTES:,}.")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} is not valid JSON ({error}): the folder is damaged; copy it again.") from error
    if not isinstance(config, dict) or config.pop("format", None) != "pointillist":
        raise CheckpointError(f'{path} is not a Pointillist model: its "format" must be "pointillist".')
    version = config.pop("format_version", None)
    if version != FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format version {version}, and this release reads {FORMAT_VERSION}: upgrade pointillist."
        )
    return config


def read_tensor_info(path: Path) -> dict[str, TensorInfo]:
    """Read names, types and shapes of the tensors in a safetensors file, without loading any tensor.

    Raises:
        CheckpointError: if the file is missing, a pickle, or damaged.
    """
    with _opened(path) as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        return {name: TensorInfo(part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read all tensors of a safetensors file and verify their checksum (a file of another tool may have none).

    Raises:
        CheckpointError: if the file is missing, a pickle, or damaged, or its checksum is wrong.
    """
    with _opened(path) as file:
        # copied, because the library maps the file into memory, and a file that shrinks later would crash the process
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (not a dict)
        expected = _metadata(file).get("sha256")
    if expected is not None and expected != _digest(tensors):
        raise CheckpointError(f"{path} is damaged (its checksum is wrong): copy or download it again.")
    return tensors


def check_config_hash(folder: Path, config: Mapping[str, Any]) -> None:
    """Reject weights that were written with other settings, for example by an interrupted save over another model.

    Raises:
        CheckpointError: if the hash in the weights is not that of `config`.
    """
    with _opened(folder / WEIGHTS) as file:
        expected = _metadata(file).get("settings")
    if expected is not None and expected != _settings_digest(config):
        raise CheckpointError(
            f"{folder / WEIGHTS} was written with other settings than those in {CONFIG}: copy the whole folder again."
        )


def _metadata(file: Any) -> dict[str, str]:
    """Read our metadata from the header of a file; empty for a file of another tool."""
    try:
        metadata = json.loads((file.metadata() or {}).get(METADATA_KEY, "{}"))
    except ValueError:
        return {"sha256": "unreadable"}  # equals no checksum: the file is rejected as damaged
    return metadata if isinstance(metadata, dict) else {"sha256": "unreadable"}


def _settings_digest(config: Mapping[str, Any]) -> str:
    """SHA-256 of the settings that the weights depend on: not of the training or of class names."""
    own = {k: v for k, v in config.items() if k not in ("format", "format_version", "training", "classes")}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def fingerprint(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> str:
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


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    if not path.is_file():
        pickles = sorted(p.name for p in path.parent.glob("*") if p.suffix in _PICKLES)
        hint = f"; {pickles[0]} is a pickle, which is rejected because it can run code" if pickles else ""
        raise CheckpointError(f"{path.parent} contains no {path.name}{hint}: copy the whole model folder.")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged ({error}): copy or download it again.") from error
