"""The naive baseline: a full forward over the image for every sub-pixel, extrapolated from a few pixels."""

from __future__ import annotations

import copy

import torch
from torch import Tensor

from pointillist.engine.weights import inference_mode
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.engines import UniformSampler
from pointillist.sampling.loop import ObservedPixels, autoregressive_loop
from speed.timing import Case, cpu_time
from speed.workload import Workload

PIXELS = 8
_REPEATS = 3
"""A difference is taken of the shortest of so many times: noise only adds, and could exceed the difference."""
LAYOUTS = {"NCHW": torch.contiguous_format, "channels_last": torch.channels_last}


def naive_cases(workload: Workload, batch: int) -> dict[str, Case]:
    """Return the naive sampler in each memory layout, in seconds an image; the faster one is the baseline."""
    return {f"naive {name}": _case(workload, batch, layout) for name, layout in LAYOUTS.items()}


def _case(workload: Workload, batch: int, layout: torch.memory_format) -> Case:
    model = copy.deepcopy(workload.model).to(memory_format=layout)
    ours = Workload(model, workload.size)
    parts = _parts(ours)

    def case() -> float:
        return sum(_seconds_per_site(ours, batch, sites) * len(sites) for sites in parts) / batch

    for sites in parts:
        _time_sites(ours, batch, sites[:1])  # warm up
    return case


def _parts(workload: Workload) -> list[Tensor]:
    """Return the sites that each stage of the model samples, `[n, 2]`."""
    size = workload.order.raster_size(*workload.size)
    known = torch.zeros(size, dtype=torch.bool)
    parts = []
    for stage in workload.model.stages(*size):
        now = known.clone()
        stage.grid(now)[:] = True
        parts.append(workload.order.from_raster(now & ~known).nonzero())
        known = now
    return parts


def _seconds_per_site(workload: Workload, batch: int, sites: Tensor) -> float:
    """Time some further sites: the cost of passing known sites cancels in the difference."""
    few = min(PIXELS, len(sites) - 1)
    if not few:
        return _time_sites(workload, batch, sites)
    several, single = (
        min(_time_sites(workload, batch, sites[:count]) for _ in range(_REPEATS)) for count in (1 + few, 1)
    )
    return (several - single) / few


def _time_sites(workload: Workload, batch: int, sites: Tensor) -> float:
    """Return the seconds of sampling these sites of a batch of images; all other sites are known."""
    model, size = workload.model, workload.size
    mask = torch.ones(size, dtype=torch.bool)
    mask[sites[:, 0], sites[:, 1]] = False
    shape = (batch, model.image.channels, *size)
    known = ObservedPixels(torch.zeros(shape, dtype=torch.int64), mask)
    uniforms = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    chooser, naive = UniformSampler(uniforms), SamplingConfig(engine="naive")
    with inference_mode(model):
        condition = model.encode(None, batch, size)
        return cpu_time(lambda: autoregressive_loop(model, condition, chooser, (batch, *size), naive, known=known))
