"""How long a step of training takes, in variants that take turns: masked or sliced, layout, precision, compiled."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pointillist.bench.textbook import as_dense_masked
from pointillist.bench.timing import Case, MedianRange, cpu_time, interleave
from pointillist.model.pixel_model import PixelModel
from pointillist.system.memory import measure_peak_memory
from pointillist.training.config import TrainConfig
from pointillist.training.optim import ExponentialMovingAverage, build_optimizer


@dataclass(frozen=True)
class Variant:
    """A way to run the same training step."""

    name: str
    textbook: bool = False
    channels_last: bool = False
    bf16: bool = False
    compiled: bool = False


VARIANTS = (
    Variant("textbook", textbook=True),
    Variant("textbook, NHWC", textbook=True, channels_last=True),
    Variant("sliced"),
    Variant("sliced, NHWC", channels_last=True),
    Variant("sliced, NHWC, bf16", channels_last=True, bf16=True),
)
COMPILED = (
    Variant("sliced, NHWC, compiled", channels_last=True, compiled=True),
    Variant("sliced, NHWC, bf16, compiled", channels_last=True, bf16=True, compiled=True),
)


@dataclass(frozen=True)
class TrainingTime:
    """How fast one variant trains.

    Attributes:
        images_per_second: forward, backward, clipping, optimiser, average of weights.
        over_textbook: how many times as fast as the textbook network in float32, in the same rounds.
        megabytes: by which memory grew in the first step.
        first_seconds: wall time of the first step, which compiles.
    """

    variant: str
    batch: int
    images_per_second: MedianRange
    over_textbook: MedianRange
    megabytes: float
    first_seconds: float


class StepRunner:
    """A training step of a copy of a model, on images that stay the same."""

    def __init__(self, model: PixelModel, variant: Variant, x: Tensor) -> None:
        config = TrainConfig().optimizer
        self.variant, self.x, self.clip, self.count = variant, x, config.clip, 0
        ours = as_dense_masked(model) if variant.textbook else copy.deepcopy(model)
        layout = torch.channels_last if variant.channels_last else torch.contiguous_format
        self.model = ours.to(memory_format=layout).train()
        self.optimiser = build_optimizer(self.model, config)
        self.average = ExponentialMovingAverage(self.model, config.ema)
        self.network: Any = torch.compile(self.model) if variant.compiled else self.model

    def __call__(self) -> None:
        """Forward, backward, and everything that changes weights."""
        self.optimiser.zero_grad()
        with torch.autocast(self.x.device.type, torch.bfloat16, enabled=self.variant.bf16):
            loss = -self.network(self.x).mean() / self.model.image.dims
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimiser.step()
        self.average.update(self.count)
        self.count += 1


def measure_training(
    model: PixelModel,
    batch: int,
    *,
    compiled: bool = False,
    repeats: int = 5,
    threads: int = 1,
    on_case: Callable[[str], None] | None = None,
) -> list[TrainingTime]:
    """Time all variants in turn, on random images of the model's kind."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(model.image.levels, (batch, *model.image.shape), generator=generator).to(model.device)
    steps = {v.name: StepRunner(model, v, x) for v in (*VARIANTS, *(COMPILED if compiled else ()))}
    first: dict[str, tuple[float, float]] = {}
    for name, step in steps.items():
        started = time.perf_counter()
        _, size = measure_peak_memory(step)
        first[name] = (time.perf_counter() - started, size / 1e6)
        step()  # once more: the optimiser's moments are made in the first step
    cases: dict[str, Case] = {name: lambda s=step: cpu_time(s, threads) for name, step in steps.items()}  # type: ignore[misc]
    found = interleave(cases, repeats, on_case)
    slow = found[VARIANTS[0].name]
    return [
        TrainingTime(
            name,
            batch,
            MedianRange.of([batch / seconds for seconds in times.seconds]),
            slow.over(times),
            first[name][1],
            first[name][0],
        )
        for name, times in found.items()
    ]
