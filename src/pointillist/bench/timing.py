"""Times that can be compared: cases take turns, and a ratio is formed within a turn before the median is taken.

So a machine that is busy for a while slows all cases alike. One thread is timed by the CPU time of the process, which
leaves out what other programs took; more threads, and a GPU, by the clock on the wall.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Case = Callable[[], float]
"""Does its work once and returns the seconds that count."""


@dataclass(frozen=True)
class MedianRange:
    """The median of some rounds, and their range."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float] | tuple[float, ...]) -> MedianRange:
        """From one value a round."""
        return cls(statistics.median(values), min(values), max(values))

    def times(self, factor: float) -> MedianRange:
        """The same in another unit."""
        return MedianRange(self.median * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Times:
    """Seconds of one case, one value a round."""

    seconds: tuple[float, ...]

    @property
    def spread(self) -> MedianRange:
        """Over the rounds, in seconds."""
        return MedianRange.of(self.seconds)

    def less(self, seconds: float) -> Times:
        """Without a part that takes so many seconds in every round."""
        return Times(tuple(value - seconds for value in self.seconds))

    def divided(self, count: int) -> Times:
        """For one of `count` things that were made."""
        return Times(tuple(value / count for value in self.seconds))

    def over(self, other: Times) -> MedianRange:
        """How many times as long as another case it takes, round by round."""
        return MedianRange.of([a / b for a, b in zip(self.seconds, other.seconds, strict=True)])


def cpu_time(work: Callable[[], object], threads: int = 1, *, wall: bool = False) -> float:
    """Seconds that some work takes, by this many threads; `wall` also times one thread by the clock on the wall."""
    now = time.perf_counter if wall or threads > 1 else time.process_time
    started = now()
    work()
    return now() - started


def interleave(
    cases: Mapping[str, Case], repeats: int, on_case: Callable[[str], None] | None = None
) -> dict[str, Times]:
    """Run all cases in turn, `repeats` times; the caller has warmed them up.

    Args:
        on_case: told the name of each case that has run.
    """
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(repeats):
        for name, case in cases.items():
            seconds[name].append(case())
            if on_case is not None:
                on_case(name)
    return {name: Times(tuple(values)) for name, values in seconds.items()}
