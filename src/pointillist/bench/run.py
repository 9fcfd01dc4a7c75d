"""The whole measurement of one model, as plain data."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil
import torch

from pointillist._version import __version__
from pointillist.bench.cost import Cost
from pointillist.bench.roofline import Peaks, measure_peaks
from pointillist.bench.sampling import (
    SamplingTime,
    available_engines,
    measure_sampling,
    measure_recording,
    measure_threads,
)
from pointillist.bench.startup import StartupTime, measure_startup
from pointillist.bench.timing import MedianRange
from pointillist.bench.training import TrainingTime, measure_training
from pointillist.bench.workload import Workload
from pointillist.model.pixel_model import PixelModel
from pointillist.system.hardware import describe_machine, describe_versions, single_threaded, today


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """What to measure.

    Attributes:
        size: `(height, width)` of the images.
        batches: images painted at once.
        engines: None for all there are.
        threads: more than one is compared with one, at the largest batch.
        repeats: rounds in which all cases take turns.
        start: whether fresh processes are started.
        training: images of a training step; 0 leaves training out.
        compiled: whether `torch.compile` is among the variants of training.
    """

    size: tuple[int, int]
    batches: tuple[int, ...] = (1, 16)
    engines: tuple[str, ...] | None = None
    threads: tuple[int, ...] = (1,)
    repeats: int = 5
    start: bool = True
    training: int = 16
    compiled: bool = False


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """What was found; `plain` is JSON.

    Attributes:
        name: of the model, as asked for.
        image: what was painted, in words.
        busy: share of the machine's cores that was busy just before.
        seconds: the whole measurement took.
    """

    name: str
    parameters: int
    image: str
    network: dict[str, Any]
    size: tuple[int, int]
    machine: str
    versions: str
    date: str
    busy: float
    peaks: Peaks
    cost: Cost
    recording: MedianRange
    painting: list[SamplingTime]
    starts: list[StartupTime]
    training: list[TrainingTime]
    skipped: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def plain(self) -> dict[str, Any]:
        """Dictionaries, lists and numbers."""
        return asdict(self)


def bench(model: PixelModel, name: str, plan: BenchConfig, on_case: Callable[[str], None] | None = None) -> BenchReport:
    """Measure a model on this machine, one thread unless asked for more.

    Args:
        on_case: told what is being done, now and then.

    Raises:
        ConfigError: for an engine that is not there.
    """
    say = on_case or (lambda _: None)
    started = time.perf_counter()
    busy = psutil.cpu_percent(interval=0.5) / 100
    model.eval()
    subject = Workload(model, plan.size)
    with single_threaded():
        say("machine")
        peaks = measure_peaks()
        engines, skipped = available_engines(subject, plan.engines)
        recording, cost = measure_recording(subject, plan.repeats), subject.cost()
        painting = [
            row
            for batch in plan.batches
            for row in measure_sampling(subject, batch, engines, peaks, repeats=plan.repeats, on_case=say)
        ]
    painting += _threads(subject, engines, peaks, plan, say)
    with single_threaded():
        starts = [measure_startup(model, plan.size, engine) for engine in engines] if plan.start else []
        training = _training(model, plan, say)
    spec = model.image
    return BenchReport(
        name=name,
        parameters=model.num_parameters,
        image=f"{plan.size[0]}x{plan.size[1]} {spec.mode}, {spec.levels} levels, {model.likelihood.name}",
        network=model.config.backbone.model_dump(mode="json"),
        size=plan.size,
        machine=describe_machine(),
        versions=describe_versions(__version__),
        date=today(),
        busy=busy,
        peaks=peaks,
        cost=cost,
        recording=recording,
        painting=painting,
        starts=starts,
        training=training,
        skipped=skipped,
        seconds=time.perf_counter() - started,
    )


def _threads(
    subject: Workload, engines: Sequence[str], peaks: Peaks, plan: BenchConfig, say: Callable[[str], None]
) -> list[SamplingTime]:
    """Every number of threads above one, at the largest batch."""
    return [
        row
        for count in plan.threads
        if count > 1
        for row in measure_threads(
            subject, max(plan.batches), engines, peaks, threads=count, repeats=plan.repeats, on_case=say
        )
    ]


def _training(model: PixelModel, plan: BenchConfig, say: Callable[[str], None]) -> list[TrainingTime]:
    if not plan.training:
        return []
    torch.manual_seed(0)
    return measure_training(model, plan.training, compiled=plan.compiled, repeats=plan.repeats, on_case=say)
