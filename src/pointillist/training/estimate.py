"""The cost of a run, estimated from its own first steps: `pointillist train --dry-run`."""

from __future__ import annotations

import statistics
import time
from contextlib import nullcontext
from typing import Any

from rich.console import Console

from pointillist.model.pixel_model import PixelModel
from pointillist.training.config import TrainConfig
from pointillist.training.quantization_aware import quantization_aware
from pointillist.training.setup import prepare
from pointillist.training.trainer import Trainer

MIN_STEPS, MIN_SECONDS = 5, 5.0


def estimate_cost(model: PixelModel, data: Any, config: TrainConfig, console: Console | None) -> list[str]:
    """Take the first steps of a run, and return lines on its speed and its time. Nothing is written.

    Args:
        model, data, config, console: as for `train`; the model is trained.

    Raises:
        ConfigError, DataError: as `train`.
    """
    config = config.updated(out=None, machine={"tensorboard": False})
    splits, accelerator, config = prepare(model, data, config, console)
    writers: dict[str, Any] = {"save_model": lambda *_: None, "write_samples": None}
    trainer = Trainer(model, splits.get("train"), None, config, accelerator, console=None, **writers)
    try:
        quiet = console is None or not accelerator.is_main_process
        status = nullcontext() if quiet or console is None else console.status("trying the first steps")
        with status, quantization_aware(model, config):
            trainer.begin()
            first, seconds = _time_steps(trainer)
    finally:
        trainer.release()
        accelerator.end_training()
    size, total = trainer.batch_size, trainer.total
    whole = format_duration(first + (total - 1) * seconds)
    return [
        f"speed      {size / seconds:,.1f} images/s; the first step takes {first:.1f} s",
        f"time       {whole} for {total * size:,} images, without validation and sample sheets",
    ]


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
