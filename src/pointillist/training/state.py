"""Checkpoints of a run: safetensors and JSON, written aside and renamed, so that `kill -9` leaves a complete one."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pointillist.checkpoint.files import read_tensors, write_tensors, write_text
from pointillist.data import ImageDataset
from pointillist.errors import CheckpointError, TrainingError
from pointillist.text_files import read_json

KEPT_CHECKPOINTS = 2


def save_state(
    folder: Path,
    step: int,
    weights: dict[str, Tensor],
    average: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    names: dict[int, str],
    record: dict[str, Any],
) -> Path:
    """Write the checkpoint `folder/step-N`, then remove all but the newest two.

    Args:
        weights, average: parameters and their moving average, by name.
        names: name of each parameter of the optimiser, by `id`.
        record: further entries of `state.json`.

    Returns:
        The folder of the checkpoint.
    """
    target = folder / f"step-{step:09d}"
    partial = folder / f".step-{step:09d}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    tensors = {f"weights/{k}": v for k, v in weights.items()}
    tensors |= {f"average/{k}": v for k, v in average.items()}
    for parameter, state in optimizer.state.items():
        tensors |= {f"{kind}/{names[id(parameter)]}": torch.as_tensor(v) for kind, v in state.items()}
    write_tensors(partial / "state.safetensors", tensors)
    write_text(partial / "state.json", json.dumps({"step": step, **record}, indent=2) + "\n")
    if target.exists():  # the same step saved twice: keep the newer
        shutil.rmtree(target)
    os.rename(partial, target)
    for old in _steps(folder)[:-KEPT_CHECKPOINTS]:
        shutil.rmtree(old)
    return target


def load_state(folder: Path) -> tuple[dict[str, dict[str, Tensor]], dict[str, Any]]:
    """Load the newest complete checkpoint under `folder`.

    Returns:
        Tensors by kind and name, and the record of `state.json`.

    Raises:
        TrainingError: if there is none.
    """
    for path in reversed(_steps(folder)):
        try:
            record = read_json(path / "state.json", "resume from an older one", CheckpointError)
            flat = read_tensors(path / "state.safetensors")
        except (OSError, ValueError, CheckpointError):
            continue
        tensors: dict[str, dict[str, Tensor]] = {}
        for key, value in flat.items():
            kind, _, name = key.partition("/")
            tensors.setdefault(kind, {})[name] = value
        return tensors, record
    raise TrainingError(f"{folder.parent} holds no training state to resume: start it without `resume`.")


def restore_optimizer(optimizer: torch.optim.Optimizer, names: dict[int, str], tensors: dict[str, Any]) -> None:
    """Restore the moments of every parameter, in the memory format of the parameter: a fused optimiser needs that."""
    kinds = [k for k in tensors if k not in ("weights", "average")]
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            state = {kind: tensors[kind][name] for kind in kinds if name in tensors[kind]}
            if state:
                optimizer.state[parameter] = {k: v if k == "step" else _like(parameter, v) for k, v in state.items()}


def _like(parameter: Tensor, values: Tensor) -> Tensor:
    return torch.empty_like(parameter, dtype=values.dtype).copy_(values)


def fingerprint(data: ImageDataset) -> str:
    """Compute the SHA-256 of a training set, so that a run is not resumed on other images."""
    digest = hashlib.sha256(repr((len(data), *data.spec.shape, "uint16")).encode())
    for start in range(0, len(data), 4096):
        levels = data.batch(np.arange(start, min(start + 4096, len(data)))).levels
        digest.update(np.ascontiguousarray(levels.numpy().astype(np.uint16)).data)
    return digest.hexdigest()


def _steps(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*")) if folder.is_dir() else []
