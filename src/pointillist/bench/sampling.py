"""How long painting takes: naive, and every engine that can run the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from pointillist.bench.naive import PIXELS, naive_cases
from pointillist.bench.roofline import Peaks
from pointillist.bench.timing import Case, MedianRange, cpu_time, interleave
from pointillist.bench.workload import Workload
from pointillist.engine.selection import GPU_ENGINES
from pointillist.errors import ConfigError, EngineError
from pointillist.sampling.loop import ENGINES
from pointillist.system.memory import measure_peak_memory

OnCase = Callable[[str], None] | None


@dataclass(frozen=True)
class SamplingTime:
    """How long one engine takes at one batch size.

    Attributes:
        engine, batch, threads: what was run.
        milliseconds: an image, drawing included, opening the engine left out.
        opening: milliseconds until the engine stands at the first site: recording, and laying out; None for naive.
        over_naive: how many times as fast as naive, in the same rounds; None for naive itself.
        over_one_thread: how many times as fast as by one thread, both by the clock on the wall; None for one thread.
        over_floor: how many times the hardware floor of one thread.
        megabytes: by which main memory grew in the first call, recording included; None for naive.
        note: what else there is to know.
    """

    engine: str
    batch: int
    threads: int
    milliseconds: MedianRange
    over_naive: MedianRange | None
    over_one_thread: MedianRange | None
    over_floor: float
    opening: float | None
    megabytes: float | None
    note: str = ""


def available_engines(subject: Workload, names: Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The engines, besides naive, that run a model here, and a sentence for each that does not.

    Raises:
        ConfigError: for a name that is no engine.
    """
    known = [e for e in ENGINES if e not in ("auto", "naive")]
    for name in names or ():
        if name not in (*known, "naive"):
            raise ConfigError(f"`--engines` (={name!r}) must be of naive, {', '.join(known)}.")
    runs, refused = [], []
    for name in known if names is None else [n for n in names if n != "naive"]:
        try:
            subject.paint(name, 1)
            runs.append(name)
        except EngineError as error:
            refused.append(str(error))
    return runs, refused


def measure_recording(subject: Workload, repeats: int) -> MedianRange:
    """Milliseconds of recording the model once."""
    subject.programs()
    seconds = [cpu_time(subject.programs) for _ in range(repeats)]
    return MedianRange.of(seconds).times(1e3)


def measure_sampling(
    subject: Workload, batch: int, engines: Sequence[str], peaks: Peaks, *, repeats: int = 5, on_case: OnCase = None
) -> list[SamplingTime]:
    """Time naive and the engines in turn, at one batch size, by one thread."""
    floor = subject.cost().floor(peaks, batch)
    megabytes = {e: measure_peak_memory(lambda e=e: subject.paint(e, batch))[1] / 1e6 for e in engines}  # type: ignore[misc]
    cases: dict[str, Case] = naive_cases(subject, batch)
    layouts = list(cases)
    for name in engines:
        cases[f"open {name}"] = lambda e=name: subject.open(e, batch)  # type: ignore[misc]
        cases[name] = lambda e=name: subject.paint(e, batch)  # type: ignore[misc]
    found = interleave(cases, repeats, on_case)
    layout = min(layouts, key=lambda name: found[name].spread.median)
    naive = found[layout]
    note = f"{layout.removeprefix('naive ')}, from {PIXELS} pixels"
    slow = naive.spread
    rows = [SamplingTime("naive", batch, 1, slow.times(1e3), None, None, slow.median / floor, None, None, note)]
    for name in engines:
        opening = found[f"open {name}"].spread.median
        pure = found[name].less(opening).divided(batch)
        ms, faster, distance = pure.spread.times(1e3), naive.over(pure), pure.spread.median / floor
        note = "on a GPU, by the clock on the wall" if name in GPU_ENGINES else ""
        rows.append(SamplingTime(name, batch, 1, ms, faster, None, distance, 1e3 * opening, megabytes[name], note))
    return rows


def measure_threads(
    subject: Workload, batch: int, engines: Sequence[str], peaks: Peaks, *, threads: int, repeats: int = 5,
    on_case: OnCase = None,
) -> list[SamplingTime]:  # fmt: skip
    """Time engines by one thread and by several in turn, by the clock on the wall; not those of a GPU."""
    engines = [e for e in engines if e not in GPU_ENGINES]
    floor = subject.cost().floor(peaks, batch)

    def painting(engine: str, count: int) -> Case:
        return lambda: _with_threads(count, lambda: subject.paint(engine, batch, threads=threads))

    cases = {f"{e} {t}": painting(e, t) for e in engines for t in (1, threads)}
    for name in engines:
        cases[f"open {name}"] = lambda e=name: subject.open(e, batch, threads=threads)  # type: ignore[misc]
    found = interleave(cases, repeats, on_case)
    rows = []
    for name in engines:
        opening = found[f"open {name}"].spread.median
        one, several = (found[f"{name} {count}"].less(opening).divided(batch) for count in (1, threads))
        ms, distance, gain = several.spread.times(1e3), several.spread.median / floor, one.over(several)
        rows.append(SamplingTime(name, batch, threads, ms, None, gain, distance, 1e3 * opening, None, "wall time"))
    return rows


def _with_threads(threads: int, work: Callable[[], float]) -> float:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return work()
    finally:
        torch.set_num_threads(before)
