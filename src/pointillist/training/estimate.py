"""What a run would cost, told by its own first steps: `pointillist train --dry-run`."""

from __future__ import annotations

import copy
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from rich.console import Console

from pointillist.errors import TrainingError
from pointillist.evaluation.likelihood import evaluate
from pointillist.model.batches import check_spec
from pointillist.model.pretrained import PretrainedPixelModel
from pointillist.system.hardware import free_bytes
from pointillist.system.memory import measure_peak_memory
from pointillist.training.api import Painter
from pointillist.training.batch_size import saved_bytes
from pointillist.training.config import TrainConfig
from pointillist.training.plan import describe, prepare, splits_of
from pointillist.training.trainer import Trainer

LEAST_STEPS, ENOUGH_SECONDS = 5, 5.0
SCORED = 64
"""Images that a validation is timed on."""


@dataclass(frozen=True)
class CostEstimate:
    """What a run costs on the machine at hand, as it was while this was measured.

    Attributes:
        steps: of the whole run, and `batch_size` the images of each, over all processes.
        images_per_second: over training steps, pauses not counted.
        first_seconds: of the first step, which allocates and compiles.
        training_seconds: of all steps.
        pause_seconds: of all validations and sample sheets; saving is not counted.
        peak_bytes: the most memory that the process (on a GPU: the device) held.
        free_bytes: what could be had before; None where the system does not tell.
    """

    steps: int
    batch_size: int
    images_per_second: float
    first_seconds: float
    training_seconds: float
    pause_seconds: float
    peak_bytes: int
    free_bytes: int | None

    @property
    def hours(self) -> float:
        """Of the whole run."""
        return (self.first_seconds + self.training_seconds + self.pause_seconds) / 3600

    def __str__(self) -> str:
        free = "" if self.free_bytes is None else f" of {self.free_bytes / 1e9:.1f} GB free"
        images = self.steps * self.batch_size
        return "\n".join(
            [
                f"speed      {self.images_per_second:,.1f} images/s; the first step takes {self.first_seconds:.1f} s",
                f"memory     {self.peak_bytes / 1e9:.2f} GB at most{free}",
                f"time       {format_duration(self.hours * 3600)}: "
                f"{format_duration(self.training_seconds)} for {images:,} images, "
                f"{format_duration(self.pause_seconds)} for validation and sample sheets",
            ]
        )


def estimate_cost(
    model: PretrainedPixelModel,
    data: Any,
    config: TrainConfig | dict[str, Any] | None = None,
    *,
    console: Console | None = None,
    paint: Painter | None = None,
) -> CostEstimate:
    """Run the first steps of a training, and tell what the whole of it would cost.

    Steps, a validation and a sheet are those of `train`, on a copy of the model; nothing is
    written, the model stays as it is.

    Args:
        model, data, config, console, paint: as for `train`.

    Raises:
        ConfigError, DataError: as `train` would.
        TrainingError: if a batch would not fit in memory, before it is tried.
    """
    config = config if isinstance(config, TrainConfig) else TrainConfig.from_dict(dict(config or {}))
    splits, model = splits_of(data), copy.deepcopy(model)
    images = splits.get("train")
    check_spec(model, images)
    accelerator, config, why = prepare(model, config.model_copy(update={"out": None, "tensorboard": False}))
    main = accelerator.is_main_process
    if console is not None and main:
        for line in describe(model, splits, config, why, accelerator):
            console.print(line, highlight=False)
    free = free_bytes(accelerator.device)
    model.to(accelerator.device)
    _check_fits(model, int(config.batch_size) // accelerator.num_processes // config.accumulate, free)
    trainer = Trainer(
        model, images, splits.valid, config, accelerator, console=None, save_model=_save_nothing, paint=None
    )
    try:
        with nullcontext() if console is None or not main else console.status("trying the first steps"):
            trainer.begin()
            (first, seconds), peak = _peak(lambda: _steps(trainer), accelerator.device)
            pauses = trainer.pauses
            paused = 0.0 if splits.valid is None else pauses.count(pauses.validate) * _validation(trainer)
            if paint is not None and main:
                paused += pauses.count(pauses.paint) * _sheet(model, paint)
    finally:
        trainer.release()
        accelerator.end_training()
    size, total = trainer.batch_size, trainer.total
    return CostEstimate(total, size, size / seconds, first, (total - 1) * seconds, paused, peak, free)


def format_duration(seconds: float) -> str:
    """A duration in the units that one would say it in."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _steps(trainer: Trainer) -> tuple[float, float]:
    """Seconds of the first step, and of one of those after it: the median."""
    seconds: list[float] = []
    # the second step may still choose kernels and make the moments of the optimiser
    while trainer.progress.step < trainer.total and (len(seconds) < LEAST_STEPS or sum(seconds[2:]) < ENOUGH_SECONDS):
        started = time.perf_counter()
        trainer.step()
        seconds.append(time.perf_counter() - started)
    return seconds[0], statistics.median(seconds[2:] or seconds)


def _validation(trainer: Trainer) -> float:
    """Seconds of one validation, from a part of it."""
    images = trainer.validation_images()
    if not len(images):
        return 0.0
    part = images.subset(np.arange(min(SCORED, len(images))))
    return _seconds(lambda: evaluate(trainer.model, part)) * len(images) / len(part)


def _sheet(model: PretrainedPixelModel, paint: Painter) -> float:
    """Seconds of one sheet, with code compiled."""
    with tempfile.TemporaryDirectory() as folder:
        paint(model, Path(folder), 0)
        return _seconds(lambda: paint(model, Path(folder), 0))


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _peak(work: Callable[[], tuple[float, float]], device: torch.device) -> tuple[tuple[float, float], int]:
    """What `work` returns, and the most memory that was held meanwhile."""
    if device.type != "cuda":
        before = psutil.Process().memory_info().rss
        found, more = measure_peak_memory(work)
        return found, before + more
    torch.cuda.reset_peak_memory_stats(device)
    return work(), torch.cuda.max_memory_allocated(device)


def _check_fits(model: PretrainedPixelModel, images: int, free: int | None) -> None:
    needed = images * saved_bytes(model)
    if free is not None and needed > free:
        raise TrainingError(
            f"`batch_size`: {images:,} images at once keep {needed / 1e9:,.1f} GB for the gradient, and "
            f"{free / 1e9:.1f} GB are free: take at most {max(1, images * free // needed // 2)} with `--batch-size`, "
            "or compute a step in parts with `--accumulate N`."
        )


def _save_nothing(folder: Path, progress: Any) -> None:
    """A forecast leaves nothing behind."""
