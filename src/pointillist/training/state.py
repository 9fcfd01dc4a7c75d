"""The state of a run: its progress, its intervals, a request to stop, and its checkpoints.

Checkpoints are safetensors and JSON, written aside and renamed, so that `kill -9` leaves a complete one.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from pointillist.errors import CheckpointError, ConfigError, TrainingError
from pointillist.files.reading import read_json
from pointillist.files.settings_tree import Tree
from pointillist.files.tensors import read_tensors, write_tensors
from pointillist.files.writing import folder_lock, write_text
from pointillist.system import is_main_process
from pointillist.training.config import IntervalsConfig
from pointillist.training.runs.config import RUN_FILE


@dataclass
class TrainerState:
    """The progress of a run.

    Attributes:
        step: optimiser steps done.
        best: lowest validation bits/dim so far.
        best_step: the step of `best`.
        last: newest validation bits/dim.
        threads: threads of a step that were chosen; 0 before.
    """

    step: int = 0
    best: float = math.inf
    best_step: int = 0
    last: float = math.inf
    threads: int = 0


@dataclass(frozen=True)
class Intervals:
    """The steps between the actions of a run of `total` steps. Each action is also due after the last step.

    Attributes:
        total: steps of the run.
        evaluate, save, sample: steps between evaluations, checkpoints and sample sheets, at least 1.
    """

    total: int
    evaluate: int
    save: int
    sample: int

    @classmethod
    def from_config(cls, config: IntervalsConfig, total: int) -> Intervals:
        """Resolve the settings: by default 20 evaluations, 40 checkpoints and 5 sample sheets a run."""
        usual = {"evaluate": total // 20, "save": total // 40, "sample": total // 5}
        return cls(total, **{name: getattr(config, name) or max(1, steps) for name, steps in usual.items()})

    def due(self, every: int, step: int) -> bool:
        """Return True if an action is due after `step` steps.

        Args:
            every: its interval, one of `evaluate`, `save` and `sample`.
        """
        return step == self.total or step % every == 0


class Interrupted(Exception):  # noqa: N818 (not an error)
    """The run was stopped by Ctrl-C or SIGTERM, and its state is saved.

    ```python
    try:
        pt.train(model, digits, {"out": "runs/digits"})
    except Interrupted:
        pass  # later: pt.train(model, digits, {"out": "runs/digits"}, resume=True)
    ```
    """

    def __init__(self, folder: Path | None = None) -> None:
        super().__init__("the training was stopped" + ("" if folder is None else f"; {folder} has its state"))


class StopRequest:
    """A request to stop, made by Ctrl-C or SIGTERM.

    Attributes:
        requested: True once a signal has come.
    """

    def __init__(self) -> None:
        self.requested = False

    @contextmanager
    def handle_signals(self) -> Iterator[None]:
        """Turn signals into a request within a block; a second signal ends the program at once."""

        def handle(number: int, frame: Any) -> None:
            if self.requested:
                raise KeyboardInterrupt
            self.requested = True

        try:
            previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
        except ValueError:  # not the main thread: signals are the caller's business
            yield
            return
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)


NUM_CHECKPOINTS = 2


def save_state(
    folder: Path,
    model: nn.Module,
    average: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    names: dict[int, str],
    record: Tree,
) -> Path:
    """Write the checkpoint `folder/step-N`, then remove all but the newest two.

    Args:
        average: moving average of the parameters, by name.
        names: name of each parameter of the optimiser, by `id`.
        record: entries of `state.json`, with the `step`.

    Returns:
        The folder of the checkpoint.
    """
    step = record["step"]
    target = folder / f"step-{step:09d}"
    partial = folder / f".step-{step:09d}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    tensors = {f"weights/{k}": p.detach() for k, p in model.named_parameters()}
    tensors |= {f"average/{k}": v for k, v in average.items()}
    for parameter, state in optimizer.state.items():
        tensors |= {f"{kind}/{names[id(parameter)]}": torch.as_tensor(v) for kind, v in state.items()}
    write_tensors(partial / "state.safetensors", tensors)
    write_text(partial / "state.json", json.dumps(record, indent=2) + "\n")
    if target.exists():  # the same step saved twice: keep the newer
        shutil.rmtree(target)
    os.rename(partial, target)
    for old in _steps(folder)[:-NUM_CHECKPOINTS]:
        shutil.rmtree(old)
    return target


class SavedState(NamedTuple):
    """A checkpoint that was read.

    Attributes:
        tensors: by kind and name, such as `weights/head.bias`.
        record: the entries of `state.json`.
        damaged: why each newer checkpoint was passed over, a sentence each.
    """

    tensors: dict[str, Tensor]
    record: Tree
    damaged: tuple[str, ...]

    @property
    def progress(self) -> TrainerState:
        """The progress of the run at this checkpoint."""
        return TrainerState(**{name: self.record[name] for name in _PROGRESS})

    @property
    def optimizer(self) -> str | None:
        """The optimiser that wrote the checkpoint, by what it remembers of gradients; None before its first step."""
        kinds = {key.partition("/")[0] for key in self.tensors}
        return next((name for kind, name in _OPTIMIZERS.items() if kind in kinds), None)

    def restore(
        self,
        out: Path,
        model: nn.Module,
        average: dict[str, Tensor],
        optimizer: torch.optim.Optimizer,
        names: dict[int, str],
    ) -> None:
        """Restore parameters, their moving average and the optimiser of the run in `out`.

        Raises:
            TrainingError: if the checkpoint is of another model.
        """
        try:
            with torch.no_grad():
                for name, parameter in model.named_parameters():
                    parameter.copy_(self.tensors[f"weights/{name}"])
                    average[name].copy_(self.tensors[f"average/{name}"])
            _restore_optimizer(optimizer, names, self.tensors)
        except (KeyError, RuntimeError) as error:  # a tensor is missing, or has another shape
            raise TrainingError(f"{out} holds the state of another model: start another run.") from error


_OPTIMIZERS = {"momentum_buffer": "muon", "square_avg": "rmsprop", "exp_avg": "adam"}  # Muon has AdamW's, too
_OLDER = "resume from an older one"  # the remedy for a checkpoint that cannot be read
_PROGRESS = {"step": int, "best": float, "best_step": int, "last": float, "threads": int}


def load_state(folder: Path) -> SavedState:
    """Load the newest complete checkpoint under `folder`.

    Raises:
        TrainingError: if there is none.
    """
    damaged: list[str] = []
    for path in reversed(_steps(folder)):
        try:
            record = read_json(path / "state.json", _OLDER, CheckpointError)
            _check_record(path / "state.json", record)
            return SavedState(read_tensors(path / "state.safetensors"), record, tuple(damaged))
        except (OSError, ValueError, CheckpointError) as error:
            damaged.append(str(error))
    if damaged:
        why = damaged[0].removesuffix(".").removesuffix(f": {_OLDER}")
        raise TrainingError(f"{why}, and no older checkpoint can be read: start another run, without `resume`.")
    raise TrainingError(f"{folder.parent} holds no training state to resume: start it without `resume`.")


def _check_record(path: Path, record: Mapping[str, Any]) -> None:
    valid = isinstance(record.get("data"), str)
    if not valid or any(type(record.get(name)) not in (int, kind) for name, kind in _PROGRESS.items()):
        raise CheckpointError(f"{path} is damaged (an entry is missing or of another type): {_OLDER}.")
    if min(record["step"], record["best_step"], record["threads"]) < 0:
        raise CheckpointError(f"{path} is damaged (a count is negative): {_OLDER}.")


def _restore_optimizer(optimizer: torch.optim.Optimizer, names: dict[int, str], tensors: dict[str, Tensor]) -> None:
    """Restore the moments of every parameter, in the memory format of the parameter: a fused optimiser needs that."""
    kinds = {key.partition("/")[0] for key in tensors} - {"weights", "average"}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            name = names[id(parameter)]
            state = {kind: tensors[key] for kind in kinds if (key := f"{kind}/{name}") in tensors}
            for kind in state.keys() - {"step"}:
                state[kind] = torch.empty_like(parameter, dtype=state[kind].dtype).copy_(state[kind])
            if state:
                optimizer.state[parameter] = state


def _steps(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*")) if folder.is_dir() else []


def check_new_folder(out: Path) -> None:
    """Check that a folder holds neither a run nor a model.

    Raises:
        ConfigError: naming the remedies.
    """
    if out.exists() and not out.is_dir():
        raise ConfigError(f"`out` (={out}) is a file: give the name of a folder.")
    if (out / "state").exists():
        raise ConfigError(f"{out} already holds a run: add `resume` to continue it, or choose another `out`.")
    if (out / "config.json").exists():
        raise ConfigError(f"{out} already holds a model: choose another `out`, or fine-tune it with `init_from={out}`.")


@contextmanager
def run_folder(out: Path | None, resume: bool, run_file: str = "") -> Iterator[None]:
    """Make the folder of a run, and lock it against a second run; of the processes of one run, the first does.

    Args:
        out: the folder; None for a run that writes nothing.
        resume: the folder holds the run that is continued.
        run_file: text of its `run.toml`. A run that fails before its first checkpoint leaves none.
    """
    if out is None or not is_main_process():
        yield
        return
    with folder_lock(out):
        if not resume:
            check_new_folder(out)
        if run_file:
            write_text(out / RUN_FILE, run_file)
        try:
            yield
        except BaseException:
            if run_file and not resume and not (out / "state").exists():
                (out / RUN_FILE).unlink(missing_ok=True)
            raise
