"""The cost of a run, estimated from its own first steps: `pointillist train --dry-run`."""

from __future__ import annotations

import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from rich.console import Console

from pointillist.analysis.evaluation.likelihood import evaluate
from pointillist.data import ImageDataset
from pointillist.model.pixel_model import PixelModel
from pointillist.system import free_bytes, measure_peak_memory
from pointillist.training.config import TrainConfig
from pointillist.training.integers import SampleWriter, write_by_program
from pointillist.training.quantization_aware import quantization_aware
from pointillist.training.setup import prepare
from pointillist.training.trainer import Trainer

MIN_STEPS, MIN_SECONDS = 5, 5.0
TIMED_IMAGES = 64
"""Images on which an evaluation is timed."""


@dataclass(frozen=True)
class CostEstimate:
    """The estimated cost of a run on this machine, under its load during the measurement.

    ```python
    cost = pt.estimate_cost(model, digits, {"epochs": 20})
    cost.hours, cost.images_per_second, cost.peak_bytes
    ```

    Attributes:
        steps: steps of the whole run.
        batch_size: images per step, over all processes.
        images_per_second: speed of the training steps alone.
        first_step_seconds: time of the first step, which allocates and compiles.
        training_seconds: time of all other steps.
        evaluation_seconds: time of all evaluations and sample sheets; saving is not counted.
        peak_bytes: most memory of the process, or of the device on a GPU.
        free_bytes: memory that was free before; None where the system does not report it.
    """

    steps: int
    batch_size: int
    images_per_second: float
    first_step_seconds: float
    training_seconds: float
    evaluation_seconds: float
    peak_bytes: int
    free_bytes: int | None

    @property
    def hours(self) -> float:
        """Hours of the whole run."""
        return (self.first_step_seconds + self.training_seconds + self.evaluation_seconds) / 3600

    def __str__(self) -> str:
        free = "" if self.free_bytes is None else f" of {self.free_bytes / 1e9:.1f} GB free"
        images = self.steps * self.batch_size
        return "\n".join(
            [
                f"speed      {self.images_per_second:,.1f} images/s; the first step takes "
                f"{self.first_step_seconds:.1f} s",
                f"memory     {self.peak_bytes / 1e9:.2f} GB at most{free}",
                f"time       {format_duration(self.hours * 3600)}: "
                f"{format_duration(self.training_seconds)} for {images:,} images, "
                f"{format_duration(self.evaluation_seconds)} for validation and sample sheets",
            ]
        )


def estimate_cost(
    model: PixelModel,
    data: Any,
    config: TrainConfig | Mapping[str, Any] | None = None,
    *,
    console: Console | None = None,
    write_samples: SampleWriter | None = None,
) -> CostEstimate:
    """Estimate the cost of a run from its first steps, an evaluation and a sample sheet.

    Steps are taken as in `train`, on a copy of the model. The model does not change, and nothing is written.

    ```python
    print(pt.estimate_cost(model, digits, {"epochs": 20}))
    ```

    Args:
        model, data, config, console, write_samples: as for `train`.

    Raises:
        ConfigError, DataError: as `train`.
    """
    config, model = TrainConfig.of(config).updated(out=None, machine={"tensorboard": False}), copy.deepcopy(model)
    splits, accelerator, config = prepare(model, data, config, console)
    images, main = splits.get("train"), accelerator.is_main_process
    free = free_bytes(accelerator.device)
    model.to(accelerator.device)
    trainer = Trainer(
        model, images, splits.valid, config, accelerator, console=None, save_model=lambda *_: None, write_samples=None
    )
    try:
        status = nullcontext() if console is None or not main else console.status("trying the first steps")
        with status, quantization_aware(model, config):
            trainer.begin()
            (first, seconds), peak = _peak_memory(lambda: _time_steps(trainer), accelerator.device)
            intervals, evaluation = trainer.intervals, 0.0
            if splits.valid is not None:
                evaluation += intervals.count(intervals.evaluate) * _time_evaluation(trainer)
            if write_samples is not None and main:
                evaluation += intervals.count(intervals.sample) * _time_sheet(model, images, write_samples)
    finally:
        trainer.release()
        accelerator.end_training()
    size, total = trainer.batch_size, trainer.total
    return CostEstimate(total, size, size / seconds, first, (total - 1) * seconds, evaluation, peak, free)


def format_duration(seconds: float) -> str:
    """Format a duration in seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    if seconds < 100 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _time_steps(trainer: Trainer) -> tuple[float, float]:
    """Measure the seconds of the first step, and the median of the steps after it."""
    seconds: list[float] = []
    # the second step may still choose kernels and make the moments of the optimiser
    while trainer.progress.step < trainer.total and (len(seconds) < MIN_STEPS or sum(seconds[2:]) < MIN_SECONDS):
        started = time.perf_counter()
        trainer.step()
        seconds.append(time.perf_counter() - started)
    return seconds[0], statistics.median(seconds[2:] or seconds)


def _time_evaluation(trainer: Trainer) -> float:
    """Measure the seconds of one evaluation, extrapolated from a part of its images."""
    images = trainer.validation_images()
    if not len(images):
        return 0.0
    part = images.subset(np.arange(min(TIMED_IMAGES, len(images))))
    return _seconds(lambda: evaluate(trainer.model, part, engine="torch")) * len(images) / len(part)


def _time_sheet(model: PixelModel, images: ImageDataset, write_samples: SampleWriter) -> float:
    """Measure the seconds of one sample sheet, once its code is compiled."""
    with tempfile.TemporaryDirectory() as folder:
        write_by_program(write_samples, model, images, Path(folder), 0)
        return _seconds(lambda: write_by_program(write_samples, model, images, Path(folder), 0))


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _peak_memory(work: Callable[[], tuple[float, float]], device: torch.device) -> tuple[tuple[float, float], int]:
    """Call `work`, and measure the peak memory in bytes; returns both."""
    if device.type != "cuda":
        before = psutil.Process().memory_info().rss
        result, growth = measure_peak_memory(work)
        return result, before + growth
    torch.cuda.reset_peak_memory_stats(device)
    return work(), torch.cuda.max_memory_allocated(device)
