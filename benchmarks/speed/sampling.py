"""Time sampling: the naive baseline, and every engine that can run the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from pointillist.errors import ConfigError, EngineError
from pointillist.sampling.config import ENGINES
from speed.cost import Cost
from speed.naive import PIXELS, naive_cases
from speed.roofline import Peaks
from speed.timing import Case, MedianRange, cpu_time, interleave, measure_peak_memory
from speed.workload import Workload

OnCase = Callable[[str], None] | None


@dataclass(frozen=True)
class SamplingTime:
    """Time of one engine at one batch size.

    Attributes:
        engine, batch, threads: the case.
        milliseconds: an image, random draws included, setup of the engine excluded.
        setup: milliseconds until the engine can sample the first site: recording and compiling the program; None for
            naive.
        over_naive: speedup over naive, in the same rounds; None for naive itself.
        over_one_thread: speedup over one thread, both in wall time; None for one thread.
        over_roofline: time relative to the roofline bound of one thread.
        megabytes: growth of main memory in the first call, recording included; None for naive.
        note: further conditions of the measurement.
        call_over_naive: speedup of a whole call of `pt.sample`, setup included, as it is after the first call.
    """

    engine: str
    batch: int
    threads: int
    milliseconds: MedianRange
    over_naive: MedianRange | None
    over_one_thread: MedianRange | None
    over_roofline: float
    setup: float | None
    megabytes: float | None
    note: str = ""
    call_over_naive: MedianRange | None = None


def available_engines(workload: Workload, names: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """Return the engines, besides naive, that run the model here, and a sentence for each that does not.

    Raises:
        ConfigError: for an unknown engine.
    """
    known = [e for e in ENGINES if e not in ("auto", "naive")]
    for name in names or ():
        if name not in (*known, "naive"):
            raise ConfigError(f"`--engines` (={name!r}) must be one of naive, {', '.join(known)}.")
    usable, errors = [], []
    for name in known if names is None else [n for n in names if n != "naive"]:
        try:
            if name == "integer":
                workload.calibrate()
            workload.time_sampling(name, 1)
            usable.append(name)
        except EngineError as error:
            errors.append(str(error))
    return usable, errors


def measure_recording(workload: Workload, repeats: int) -> MedianRange:
    """Time recording the model once, in milliseconds."""
    workload.programs()
    seconds = [cpu_time(workload.programs) for _ in range(repeats)]
    return MedianRange.from_values(seconds).scaled(1e3)


def measure_sampling(
    workload: Workload, batch: int, engines: Sequence[str], peaks: Peaks, *, repeats: int = 5, on_case: OnCase = None
) -> list[SamplingTime]:
    """Time naive and the engines in interleaved rounds, at one batch size, with one thread."""
    cost = workload.cost()
    megabytes = {e: measure_peak_memory(lambda e=e: workload.time_sampling(e, batch))[1] / 1e6 for e in engines}  # type: ignore[misc]
    cases: dict[str, Case] = naive_cases(workload, batch)
    layouts = list(cases)
    for name in engines:
        cases[f"setup {name}"] = lambda e=name: workload.time_setup(e, batch)  # type: ignore[misc]
        cases[name] = lambda e=name: workload.time_sampling(e, batch)  # type: ignore[misc]
    result = interleave(cases, repeats, on_case)
    layout = min(layouts, key=lambda name: result[name].median_range.median)
    naive = result[layout]
    note = f"{layout.removeprefix('naive ')}, from {PIXELS} pixels"
    slow, bound = naive.median_range, cost.roofline_seconds(peaks, batch)
    rows = [SamplingTime("naive", batch, 1, slow.scaled(1e3), None, None, slow.median / bound, None, None, note)]
    for name in engines:
        setup, bound = result[f"setup {name}"].median_range.median, _bound(cost, peaks, batch, name)
        pure = result[name].minus(setup).per(batch)
        ms, faster, distance = pure.median_range.scaled(1e3), naive.ratio_to(pure), pure.median_range.median / bound
        note = "wall time" if workload.on_gpu else ""
        call = naive.ratio_to(result[name].per(batch))
        rows.append(SamplingTime(name, batch, 1, ms, faster, None, distance, 1e3 * setup, megabytes[name], note, call))
    return rows


def measure_threads(
    workload: Workload, batch: int, engines: Sequence[str], peaks: Peaks, *, threads: int, repeats: int = 5,
    on_case: OnCase = None,
) -> list[SamplingTime]:  # fmt: skip
    """Time an engine with one thread and with several in interleaved rounds, in wall time."""
    cost = workload.cost()

    def sampling(engine: str, count: int) -> Case:
        return lambda: _with_threads(count, lambda: workload.time_sampling(engine, batch, count, wall=True))

    cases = {f"{e} {t}": sampling(e, t) for e in engines for t in (1, threads)}
    for name in engines:
        cases[f"setup {name}"] = lambda e=name: workload.time_setup(e, batch, threads=threads)  # type: ignore[misc]
    result = interleave(cases, repeats, on_case)
    rows = []
    for name in engines:
        setup = result[f"setup {name}"].median_range.median
        one, several = (result[f"{name} {count}"].minus(setup).per(batch) for count in (1, threads))
        ms, distance, gain = (
            several.median_range.scaled(1e3),
            several.median_range.median / _bound(cost, peaks, batch, name),
            one.ratio_to(several),
        )
        rows.append(SamplingTime(name, batch, threads, ms, None, gain, distance, 1e3 * setup, None, "wall time"))
    return rows


def _bound(cost: Cost, peaks: Peaks, batch: int, engine: str) -> float:
    """Return the roofline bound of an engine, in seconds an image."""
    return cost.roofline_seconds(peaks, batch, integer=engine == "integer")


def _with_threads(threads: int, work: Callable[[], float]) -> float:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return work()
    finally:
        torch.set_num_threads(before)
