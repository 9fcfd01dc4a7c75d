"""Benchmark one model, and report the results as plain data."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import psutil
import torch

from pointillist.model.pixel_model import PixelModel
from pointillist.system import describe_machine, describe_versions, single_threaded, today
from speed.cost import Cost
from speed.roofline import Peaks, measure_peaks
from speed.sampling import SamplingTime, available_engines, measure_recording, measure_sampling, measure_threads
from speed.startup import StartupTime, measure_startup
from speed.timing import MedianRange
from speed.training import TrainingTime, measure_training, training_steps
from speed.workload import Workload


@dataclass(frozen=True, kw_only=True)
class BenchConfig:
    """Settings of a benchmark.

    Attributes:
        size: `(height, width)` of the images.
        batch_sizes: numbers of images sampled at once.
        engines: names of engines; None for all that run here.
        threads: numbers of threads; more than one is compared with one, at the largest batch size.
        repeats: number of rounds.
        startup: True to time the first image of fresh processes.
        train_batch_size: images of a training step; 0 skips training.
        compiled: True to include training with `torch.compile`.
        peer: True to include training by pytorch-generative.
        text: prompt of the images of training.
    """

    size: tuple[int, int]
    batch_sizes: tuple[int, ...] = (1, 16)
    engines: tuple[str, ...] | None = None
    threads: tuple[int, ...] = (1,)
    repeats: int = 5
    startup: bool = True
    train_batch_size: int = 16
    compiled: bool = False
    peer: bool = False
    text: str | None = None


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """Results of a benchmark.

    Attributes:
        name: name of the model, as given.
        parameters: number of parameters.
        image: kind of image, in words.
        network: settings of the network.
        size: `(height, width)` of the images.
        machine, versions, date: hardware, software and date.
        busy: share of all cores that was busy just before.
        peaks: peak performance of the machine.
        cost: cost of sampling a batch.
        recording: milliseconds of recording the model.
        sampling, startup, training: times by case.
        skipped: a sentence for each engine that does not run here.
        seconds: duration of the benchmark.
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
    sampling: list[SamplingTime]
    startup: list[StartupTime]
    training: list[TrainingTime]
    skipped: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return dictionaries, lists and numbers, as JSON can hold them."""
        return asdict(self)


def bench(
    model: PixelModel, name: str, config: BenchConfig, on_case: Callable[[str], None] | None = None
) -> BenchReport:
    """Benchmark a model on this machine, with one thread unless `config` asks for more.

        model = pt.build("gated-pixelcnn", shape=(1, 28, 28))
        report = bench(model, "gated-pixelcnn", BenchConfig(size=(28, 28), train_batch_size=0))
        report.sampling[1].over_naive.median

    Args:
        on_case: called with the name of each case that has run.

    Raises:
        ConfigError: for an unknown engine.
    """
    notify = on_case or (lambda _: None)
    started = time.perf_counter()
    busy = psutil.cpu_percent(interval=0.5) / 100
    model.eval()
    workload = Workload(model, config.size)
    with single_threaded():
        notify("machine")
        peaks = measure_peaks()
        engines, skipped = available_engines(workload, config.engines)
        recording, cost = measure_recording(workload, config.repeats), workload.cost()
        sampling = [
            row
            for batch in config.batch_sizes
            for row in measure_sampling(workload, batch, engines, peaks, repeats=config.repeats, on_case=notify)
        ]
    sampling += _threads(workload, engines, peaks, config, notify)
    with single_threaded():
        startup = [measure_startup(model, config.size, engine) for engine in engines] if config.startup else []
        training, missing = _training(model, peaks, config, notify)
    spec = model.image
    return BenchReport(
        name=name,
        parameters=model.num_parameters(),
        image=f"{config.size[0]}x{config.size[1]} {spec.mode}, {spec.levels} levels, {model.likelihood.name}",
        network=model.config.backbone.model_dump(mode="json"),
        size=config.size,
        machine=describe_machine(),
        versions=describe_versions(),
        date=today(),
        busy=busy,
        peaks=peaks,
        cost=cost,
        recording=recording,
        sampling=sampling,
        startup=startup,
        training=training,
        skipped=[*skipped, *missing],
        seconds=time.perf_counter() - started,
    )


def _threads(
    workload: Workload, engines: Sequence[str], peaks: Peaks, config: BenchConfig, notify: Callable[[str], None]
) -> list[SamplingTime]:
    """Time every number of threads above one, at the largest batch size."""
    return [
        row
        for count in config.threads
        if count > 1
        for row in measure_threads(
            workload, max(config.batch_sizes), engines, peaks, threads=count, repeats=config.repeats, on_case=notify
        )
    ]


def _training(
    model: PixelModel, peaks: Peaks, config: BenchConfig, notify: Callable[[str], None]
) -> tuple[list[TrainingTime], list[str]]:
    batch = config.train_batch_size
    if not batch:
        return [], []
    torch.manual_seed(0)
    steps, missing = training_steps(model, batch, text=config.text, compiled=config.compiled, peer=config.peer)
    return measure_training(steps, batch, peaks, repeats=config.repeats, on_case=notify), missing
