"""The learning rate of each step: a linear warm-up to the peak, and how it goes on from there."""

from __future__ import annotations

import math
from collections.abc import Callable

from pointillist.training.config import ScheduleName, TrainConfig

Schedule = Callable[[int, int, TrainConfig], float]
"""Share of the peak after so many steps since the warm-up, of so many in all."""


def cosine(done: int, steps: int, config: TrainConfig) -> float:
    """From 1 along half a cosine to `final_lr` at the last step."""
    share = min(1.0, done / max(1, steps))
    return config.final_lr + (1 - config.final_lr) * 0.5 * (1 + math.cos(math.pi * share))


def exponential(done: int, steps: int, config: TrainConfig) -> float:
    """Times `lr_decay` at each step, however long the run (PixelCNN++, PixelSNAIL)."""
    return config.lr_decay**done


def constant(done: int, steps: int, config: TrainConfig) -> float:
    """Always the peak."""
    return 1.0


SCHEDULES: dict[ScheduleName, Schedule] = {"cosine": cosine, "exponential": exponential, "constant": constant}


def learning_rate(step: int, total: int, config: TrainConfig) -> float:
    """The learning rate of step `step` of `total`, from 0."""
    warmup = min(config.warmup, max(1, total // 10))
    if step < warmup:
        return config.lr * (step + 1) / warmup
    return config.lr * SCHEDULES[config.schedule](step - warmup, total - warmup, config)
