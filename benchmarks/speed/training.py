"""Time a training step in interleaved variants: dense or sliced kernels, memory layout, precision, compilation."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from pointillist.model.pixel_model import PixelModel
from pointillist.system import measure_peak_memory
from pointillist.training.config import TrainConfig
from pointillist.training.setup import ExponentialMovingAverage, build_optimizer
from speed.dense_masked import as_dense_masked
from speed.timing import Case, MedianRange, cpu_time, interleave


@dataclass(frozen=True)
class Variant:
    """A way to run the same training step."""

    name: str
    dense_masked: bool = False
    channels_last: bool = False
    bf16: bool = False
    compiled: bool = False


VARIANTS = (
    Variant("dense masked", dense_masked=True),
    Variant("dense masked, NHWC", dense_masked=True, channels_last=True),
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
    """Training speed of one variant.

    Attributes:
        variant: its name.
        batch: images of a step.
        images_per_second: of forward, backward, clipping, optimiser, and averaging of weights.
        over_dense_masked: speedup over the dense masked network in float32, in the same rounds.
        megabytes: growth of memory in the first step.
        first_seconds: wall time of the first step, compilation included.
    """

    variant: str
    batch: int
    images_per_second: MedianRange
    over_dense_masked: MedianRange
    megabytes: float
    first_seconds: float


class StepRunner:
    """Runs training steps of a copy of a model, on fixed images."""

    def __init__(self, model: PixelModel, variant: Variant, x: Tensor) -> None:
        config = TrainConfig().optimizer
        self.variant, self.x, self.clip, self.count = variant, x, config.clip, 0
        ours = as_dense_masked(model) if variant.dense_masked else copy.deepcopy(model)
        layout = torch.channels_last if variant.channels_last else torch.contiguous_format
        self.model = ours.to(memory_format=layout).train()
        self.optimiser = build_optimizer(self.model, config)
        self.average = ExponentialMovingAverage(self.model, config.ema)
        self.network: Any = torch.compile(self.model) if variant.compiled else self.model

    def __call__(self) -> None:
        """Run one step: forward, backward, clipping, optimiser, average."""
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
    """Time all variants in interleaved rounds, on random images of the model's kind.

    Args:
        batch: images of a step.
        compiled: True to include the variants that use `torch.compile`.
        repeats: number of rounds.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(model.image.levels, (batch, *model.image.shape), generator=generator).to(model.device)
    steps = {v.name: StepRunner(model, v, x) for v in (*VARIANTS, *(COMPILED if compiled else ()))}
    first: dict[str, tuple[float, float]] = {}
    for name, step in steps.items():
        started = time.perf_counter()
        _, size = measure_peak_memory(step)
        first[name] = (time.perf_counter() - started, size / 1e6)
        step()  # once more: the optimiser allocates its moments in the first step
    cases: dict[str, Case] = {name: lambda s=step: cpu_time(s, threads) for name, step in steps.items()}  # type: ignore[misc]
    result = interleave(cases, repeats, on_case)
    slow = result[VARIANTS[0].name]
    return [
        TrainingTime(
            name,
            batch,
            MedianRange.from_values([batch / seconds for seconds in times.seconds]),
            slow.ratio_to(times),
            first[name][1],
            first[name][0],
        )
        for name, times in result.items()
    ]
