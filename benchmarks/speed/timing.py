"""Comparable times: cases are interleaved, and a ratio is formed within a round before the median is taken.

A machine that is busy for a while thus slows all cases alike. One thread is timed by the CPU time of the process, which
excludes other programs; several threads, and a GPU, by wall time.
"""

from __future__ import annotations

import ctypes
import gc
import statistics
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import psutil

T = TypeVar("T")
_PAUSE = 0.002  # seconds between two measurements of the memory

Case = Callable[[], float]
"""Runs its work once and returns the measured seconds."""


@dataclass(frozen=True)
class MedianRange:
    """Median and range over rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def from_values(cls, values: list[float] | tuple[float, ...]) -> MedianRange:
        """Summarise one value a round.

        MedianRange.from_values([1.0, 3.0, 2.0])  # MedianRange(median=2.0, low=1.0, high=3.0)
        """
        return cls(statistics.median(values), min(values), max(values))

    def scaled(self, factor: float) -> MedianRange:
        """Return the values times `factor`, such as for another unit."""
        return MedianRange(self.median * factor, self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Times:
    """Seconds of one case, one value a round."""

    seconds: tuple[float, ...]

    @property
    def median_range(self) -> MedianRange:
        """Median and range, in seconds."""
        return MedianRange.from_values(self.seconds)

    def minus(self, seconds: float) -> Times:
        """Subtract a part that takes `seconds` in every round, or nine tenths of a round that is hardly longer."""
        return Times(tuple(max(value - seconds, value / 10) for value in self.seconds))

    def per(self, count: int) -> Times:
        """Divide by the number of items made in a round."""
        return Times(tuple(value / count for value in self.seconds))

    def ratio_to(self, other: Times) -> MedianRange:
        """Return the ratio to the times of another case, round by round."""
        return MedianRange.from_values([a / b for a, b in zip(self.seconds, other.seconds, strict=True)])


def cpu_time(work: Callable[[], object], threads: int = 1, *, wall: bool = False) -> float:
    """Time some work in seconds: CPU time for one thread, wall time for several or if `wall` is set."""
    now = time.perf_counter if wall or threads > 1 else time.process_time
    started = now()
    work()
    return now() - started


def interleave(
    cases: Mapping[str, Case], repeats: int, on_case: Callable[[str], None] | None = None
) -> dict[str, Times]:
    """Run all cases one after the other, in `repeats` rounds. The caller has warmed them up.

        times = interleave({"ours": ours, "theirs": theirs}, repeats=5)
        times["theirs"].ratio_to(times["ours"]).median

    Args:
        on_case: called with the name of each case that has run.
    """
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(repeats):
        for name, case in cases.items():
            seconds[name].append(case())
            if on_case is not None:
                on_case(name)
    return {name: Times(tuple(values)) for name, values in seconds.items()}


def measure_peak_memory(work: Callable[[], T]) -> tuple[T, int]:
    """Run `work`; return its result, and the peak growth of resident memory in bytes.

    Freed memory that the process holds is returned to the system first, where the system supports it.

        model, peak = measure_peak_memory(lambda: pt.load("digits"))
    """
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    process = psutil.Process()
    before = process.memory_info().rss
    highest, done = before, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(_PAUSE):
            highest = max(highest, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        result = work()
    finally:
        done.set()
        watcher.join()
    return result, max(0, max(highest, process.memory_info().rss) - before)
