"""The baseline: a full forward over the image for every sub-pixel, drawing included, extrapolated from a few pixels."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from pointillist.bench.timing import Case, cpu_time
from pointillist.bench.workload import Workload
from pointillist.model.inference import inference_mode
from pointillist.sampling.api import UniformSampler
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.loop import ObservedPixels, autoregressive_loop

PIXELS = 8
LAYOUTS = {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}


def naive_cases(subject: Workload, batch: int) -> dict[str, Case]:
    """The naive sampler in each memory layout: a case gives the seconds of an image. The faster one is the baseline."""
    return {f"naive {name}": _case(subject, batch, layout) for name, layout in LAYOUTS.items()}


def _case(subject: Workload, batch: int, layout: torch.memory_format) -> Case:
    model = copy.deepcopy(subject.model).to(memory_format=layout)
    ours = Workload(model, subject.size)
    parts = _parts(ours)

    def case() -> float:
        return sum(_seconds_a_site(ours, batch, sites) * len(sites) for sites in parts) / batch

    for sites in parts:
        _paint(ours, batch, sites[:1])  # warm up
    return case


def _parts(subject: Workload) -> list[Tensor]:
    """The sites that each stage of the model paints, `[n, 2]`."""
    size = subject.order.raster_size(*subject.size)
    known = torch.zeros(size, dtype=torch.bool)
    parts = []
    for stage in subject.model.stages(*size):
        now = known.clone()
        stage.grid(now)[:] = True
        parts.append(subject.order.from_raster(now & ~known).nonzero())
        known = now
    return parts


def _seconds_a_site(subject: Workload, batch: int, sites: Tensor) -> float:
    """What some more sites take: walking over sites that are known takes the same with few and with more."""
    few = min(PIXELS, len(sites) - 1)
    if not few:
        return _paint(subject, batch, sites)
    return (_paint(subject, batch, sites[: 1 + few]) - _paint(subject, batch, sites[:1])) / few


def _paint(subject: Workload, batch: int, sites: Tensor) -> float:
    """Seconds of painting these sites of a batch of images, of which all others are known."""
    model, size = subject.model, subject.size
    mask = torch.ones(size, dtype=torch.bool)
    mask[sites[:, 0], sites[:, 1]] = False
    shape = (batch, model.image.channels, *size)
    known = ObservedPixels(torch.zeros(shape, dtype=torch.int64), mask)
    uniforms = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    chooser, naive = UniformSampler(uniforms), SamplingConfig(engine="naive")
    with inference_mode(model):
        condition = model.condition(None, batch, size)
        return cpu_time(lambda: autoregressive_loop(model, condition, chooser, (batch, *size), naive, known=known))
