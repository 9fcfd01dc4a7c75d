"""How long painting takes: naive, and every engine that can run the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from pointillist.bench.memory import growth
from pointillist.bench.naive import PIXELS, naive_cases
from pointillist.bench.peaks import Peaks
from pointillist.bench.subject import Subject
from pointillist.bench.timing import Case, Spread, Times, interleave, spent
from pointillist.errors import ConfigError, EngineError
from pointillist.unroll import ENGINES

OnCase = Callable[[str], None] | None


@dataclass(frozen=True)
class Painted:
    """How long one engine takes at one batch size.

    Attributes:
        engine, batch, threads: what was run.
        milliseconds: an image, drawing included; recording is not, except by more than one thread.
        over_naive: how many times as fast as naive, in the same rounds; None for naive itself.
        over_one_thread: how many times as fast as by one thread, both by the clock on the wall; None for one thread.
        over_floor: how many times the hardware floor of one thread.
        megabytes: by which memory grew in the first call, recording included; None for naive.
        note: what else there is to know.
    """

    engine: str
    batch: int
    threads: int
    milliseconds: Spread
    over_naive: Spread | None
    over_one_thread: Spread | None
    over_floor: float
    megabytes: float | None
    note: str = ""


def available(subject: Subject, names: Sequence[str] | None) -> tuple[list[str], list[str]]:
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


def measure_recording(subject: Subject, repeats: int) -> Spread:
    """Milliseconds of recording the model once."""
    subject.programs()
    seconds = [spent(subject.programs) for _ in range(repeats)]
    return Spread.of(seconds).times(1e3)


def measure_painting(
    subject: Subject, batch: int, engines: Sequence[str], peaks: Peaks, *, repeats: int = 5, on_case: OnCase = None
) -> list[Painted]:
    """Time naive and the engines in turn, at one batch size, by one thread."""
    floor = subject.cost().floor(peaks, batch)
    megabytes = {e: growth(lambda e=e: subject.paint(e, batch))[1] / 1e6 for e in engines}  # type: ignore[misc]
    cases: dict[str, Case] = naive_cases(subject, batch)
    layouts = list(cases)
    for name in engines:
        cases[f"open {name}"] = lambda e=name: subject.open(e, batch)  # type: ignore[misc]
        cases[name] = lambda e=name: subject.paint(e, batch)  # type: ignore[misc]
    found = interleave(cases, repeats, on_case)
    layout = min(layouts, key=lambda name: found[name].spread.median)
    naive = found[layout]
    note = f"{layout.removeprefix('naive ')}, from {PIXELS} pixels"
    rows = [Painted("naive", batch, 1, naive.spread.times(1e3), None, None, naive.spread.median / floor, None, note)]
    for name in engines:
        pure = _without(found[name], found[f"open {name}"], batch)
        spread = pure.spread
        over_floor = spread.median / floor
        rows.append(Painted(name, batch, 1, spread.times(1e3), naive.over(pure), None, over_floor, megabytes[name]))
    return rows


def measure_threads(
    subject: Subject, batch: int, engines: Sequence[str], peaks: Peaks, *, threads: int, repeats: int = 5,
    on_case: OnCase = None,
) -> list[Painted]:  # fmt: skip
    """Time engines by one thread and by several in turn, by the clock on the wall."""
    floor = subject.cost().floor(peaks, batch)

    def case(engine: str, count: int) -> Case:
        return lambda: _with_threads(count, lambda: subject.paint(engine, batch, threads=threads)) / batch

    found = interleave({f"{e} {t}": case(e, t) for e in engines for t in (1, threads)}, repeats, on_case)
    rows = []
    for name in engines:
        several = found[f"{name} {threads}"]
        spread, gain = several.spread, found[f"{name} 1"].over(several)
        note = "wall time, recording included"
        over_floor = spread.median / floor
        rows.append(Painted(name, batch, threads, spread.times(1e3), None, gain, over_floor, None, note))
    return rows


def _without(times: Times, opening: Times, batch: int) -> Times:
    """Painting alone, an image: what an engine takes once for a batch is told by itself."""
    pairs = zip(times.seconds, opening.seconds, strict=True)
    return Times(tuple((whole - opened) / batch for whole, opened in pairs))


def _with_threads(threads: int, work: Callable[[], float]) -> float:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return work()
    finally:
        torch.set_num_threads(before)
