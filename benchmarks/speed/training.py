"""Time a training step in interleaved variants: dense or sliced kernels, memory layout, precision, compilation.

The share of the peak is that of the operations of products and convolutions, forward and backward, as torch's
`FlopCounterMode` counts them: over the time of the step, over the best matrix product measured in the same precision.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from pointillist.conditioning import ConditionInputs
from pointillist.errors import EngineError
from pointillist.model.pixel_model import PixelModel
from pointillist.training.config import TrainConfig
from pointillist.training.setup import ExponentialMovingAverage, build_optimizer
from speed.dense_masked import as_dense_masked
from speed.peer import NAME, PeerStep
from speed.roofline import Peaks
from speed.timing import Case, MedianRange, cpu_time, interleave, measure_peak_memory


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
        over_peer: speedup over pytorch-generative, in the same rounds; None if it was not timed.
        gflop: operations an image.
        of_peak: share of the peak of matrix products in the precision of the variant.
        megabytes: growth of memory in the first step.
        first_seconds: wall time of the first step, compilation included.
    """

    variant: str
    batch: int
    images_per_second: MedianRange
    over_dense_masked: MedianRange
    over_peer: MedianRange | None
    gflop: float
    of_peak: float
    megabytes: float
    first_seconds: float


class StepRunner:
    """Runs training steps of a copy of a model, on fixed images."""

    def __init__(self, model: PixelModel, variant: Variant, x: Tensor, inputs: ConditionInputs | None) -> None:
        config = TrainConfig.from_dict({"optimizer.name": "adam"}).optimizer  # as the peer trains
        self.variant, self.x, self.inputs, self.clip, self.count = variant, x, inputs, config.clip, 0
        ours = as_dense_masked(model) if variant.dense_masked else copy.deepcopy(model)
        layout = torch.channels_last if variant.channels_last else torch.contiguous_format
        self.model = ours.to(memory_format=layout).train()
        self.optimiser = build_optimizer(self.model, config)
        self.average = ExponentialMovingAverage(self.model, config.ema)
        self.network: Any = torch.compile(self.model) if variant.compiled else self.model

    def loss(self, network: Any) -> Tensor:
        """Compute nats a sub-pixel by the network, compiled or not."""
        with torch.autocast(self.x.device.type, torch.bfloat16, enabled=self.variant.bf16):
            loss: Tensor = -network(self.x, self.inputs).mean() / self.model.image.dims
        return loss

    def __call__(self) -> None:
        """Run one step: forward, backward, clipping, optimiser, average."""
        self.optimiser.zero_grad()
        self.loss(self.network).backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.clip)
        self.optimiser.step()
        self.average.update(self.count)
        self.count += 1


Step = StepRunner | PeerStep


def training_steps(
    model: PixelModel, batch: int, *, text: str | None = None, compiled: bool = False, peer: bool = False
) -> tuple[dict[str, Step], list[str]]:
    """Prepare the variants, on random images of the model's kind.

    Args:
        batch: images of a step.
        text: prompt of all images.
        compiled: True to include the variants that use `torch.compile`.
        peer: True to include pytorch-generative.

    Returns:
        Steps by name, and a sentence if the peer does not run here.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.randint(model.image.levels, (batch, *model.image.shape), generator=generator).to(model.device)
    inputs = None if text is None else model.conditions.inputs(None, batch, text).converted(torch.as_tensor)
    variants = (*VARIANTS, *(COMPILED if compiled else ()))
    steps: dict[str, Step] = {v.name: StepRunner(model, v, x, inputs) for v in variants}
    try:
        return steps | ({NAME: PeerStep(model, x)} if peer else {}), []
    except EngineError as error:
        return steps, [str(error)]


def measure_training(
    steps: dict[str, Step], batch: int, peaks: Peaks, *, repeats: int = 5, on_case: Callable[[str], None] | None = None
) -> list[TrainingTime]:
    """Time steps of one thread in interleaved rounds.

    Args:
        steps: from `training_steps`, for batches of `batch` images.
        peaks: peak performance of the machine.
        repeats: number of rounds.
    """
    first: dict[str, tuple[float, float]] = {}
    for name, step in steps.items():
        started = time.perf_counter()
        _, size = measure_peak_memory(step)
        first[name] = (size / 1e6, time.perf_counter() - started)
        step()  # once more: the optimiser allocates its moments in the first step
    cases: dict[str, Case] = {name: lambda s=step: cpu_time(s) for name, step in steps.items()}  # type: ignore[misc]
    result = interleave(cases, repeats, on_case)
    slow, other = result[VARIANTS[0].name], result.get(NAME)
    rows = []
    for name, times in result.items():
        speed = MedianRange.from_values([batch / seconds for seconds in times.seconds])
        gflop = operations(steps[name]) / batch / 1e9
        share = gflop * speed.median / (peaks.bf16_gflops if "bf16" in name else peaks.gflops)
        over = None if other is None else other.ratio_to(times)
        rows.append(TrainingTime(name, batch, speed, slow.ratio_to(times), over, gflop, share, *first[name]))
    return rows


def operations(step: Step) -> int:
    """Count the operations of products and convolutions in a step; a product and a sum are two."""
    with FlopCounterMode(display=False) as counter:
        loss = step.loss() if isinstance(step, PeerStep) else step.loss(step.model)
        loss.backward()
    return int(counter.get_total_flops())
