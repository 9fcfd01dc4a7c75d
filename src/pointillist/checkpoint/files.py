"""A model folder: `model.safetensors` + `config.json` + a model card. Bytes only; what they mean is `pixel_model.py`'s.

Nothing here can execute code from a file: weights are safetensors, settings are JSON, and sizes are compared with what
the settings promise before anything is allocated. Every file is written aside and renamed, so a reader sees an old
folder or a new one, never half.
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
SEALS = "pointillist"
MAX_CONFIG_BYTES = 16 * 1024 * 1024
_PICKLES = {".pt", ".pth", ".bin", ".ckpt", ".pkl", ".pickle"}


@dataclass(frozen=True)
class TensorInfo:
    """A tensor as a file describes it: the name of its type (`F32`, `BF16`, `I8`, ...) and its shape."""

    kind: str
    shape: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.kind} {self.shape}"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it, atomically, when the block ends well."""
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


def write_tensors(path: Path, tensors: Mapping[str, Tensor], **seals: str) -> None:
    """Tensors to a safetensors file with a checksum, atomically."""
    stored = {name: t.detach().contiguous().cpu() for name, t in tensors.items()}
    with atomic_path(path) as temporary:
        # one key: the library writes several in random order, and the same weights would not give the same bytes
        save_file(stored, temporary, {SEALS: json.dumps({"sha256": _digest(stored), **seals}, sort_keys=True)})


def write_text(path: Path, text: str) -> None:
    """Text to a file, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_model(folder: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any], card: str) -> None:
    """A model folder. The weights go last and name their settings: new settings beside old weights are refused."""
    config = {"format": "pointillist", "format_version": FORMAT_VERSION, **config}
    write_text(folder / CONFIG, json.dumps(config, indent=2) + "\n")
    write_text(folder / CARD, card)
    write_tensors(folder / WEIGHTS, tensors, settings=_settings_digest(config))


def read_config(folder: Path) -> dict[str, Any]:
    """The settings of a model folder.

    Raises:
        CheckpointError: if this is not a folder of ours, or it is damaged or of a newer format.
    """
    path = folder / CONFIG
    if folder.is_file():
        if folder.suffix in _PICKLES:
            raise CheckpointError(
                f"{folder} is a pickle, which can run code when it is opened, and is refused: "
                f"give the model folder that holds {WEIGHTS} and {CONFIG}."
            )
        raise CheckpointError(f"{folder} is a file: give the model folder that holds {WEIGHTS} and {CONFIG}.")
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no {CONFIG}: give a folder that `pointillist train --out` has written.")
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
    """Names, types and shapes of the tensors in a safetensors file, without loading any.

    Raises:
        CheckpointError: if the file is missing, a pickle, or damaged.
    """
    with _opened(path) as file:
        slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        return {name: TensorInfo(part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}


def read_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file, if their checksum is right (a file of another tool may have none).

    Raises:
        CheckpointError: as `read_tensor_info`; also if a bit has changed.
    """
    with _opened(path) as file:
        # copies: the library maps the file, and a file that shrinks later would take the process with it
        tensors = {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 (not a dict)
        promised = _seals(file).get("sha256")
    if promised is not None and promised != _digest(tensors):
        raise CheckpointError(f"{path} is damaged (its checksum is wrong): copy or download it again.")
    return tensors


def check_config_hash(folder: Path, config: Mapping[str, Any]) -> None:
    """Refuse weights that were written with other settings, as when a save over another model was cut short.

    Raises:
        CheckpointError: if they were.
    """
    with _opened(folder / WEIGHTS) as file:
        promised = _seals(file).get("settings")
    if promised is not None and promised != _settings_digest(config):
        raise CheckpointError(
            f"{folder / WEIGHTS} was written with other settings than {CONFIG} holds: copy the whole folder again."
        )


def _seals(file: Any) -> dict[str, str]:
    """What we wrote into the header of a file; nothing in a file of another tool."""
    try:
        seals = json.loads((file.metadata() or {}).get(SEALS, "{}"))
    except ValueError:
        return {"sha256": "unreadable"}  # equal to no checksum: the file is refused as damaged
    return seals if isinstance(seals, dict) else {"sha256": "unreadable"}


def _settings_digest(config: Mapping[str, Any]) -> str:
    """SHA-256 of what the weights depend on: the settings of the model, not its training or its names."""
    own = {k: v for k, v in config.items() if k not in ("format", "format_version", "training", "classes")}
    return hashlib.sha256(json.dumps(own, sort_keys=True).encode()).hexdigest()


def fingerprint(tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> str:
    """SHA-256 of a model: of its weights, and of its settings but for those that are as usual."""
    settings = json.dumps(config, sort_keys=True)
    on_cpu = {name: t.detach().contiguous().cpu() for name, t in tensors.items()}
    return hashlib.sha256(f"{_digest(on_cpu)} {settings}".encode()).hexdigest()


def _digest(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, types, shapes and bytes."""
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
        hint = f"; {pickles[0]} is a pickle, which is refused because it can run code" if pickles else ""
        raise CheckpointError(f"{path.parent} holds no {path.name}{hint}: copy the whole model folder.")
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except SafetensorError as error:
        raise CheckpointError(f"{path} is damaged ({error}): copy or download it again.") from error
