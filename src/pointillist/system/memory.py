"""Measure peak memory, and reject allocations that do not fit."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import psutil

from pointillist.errors import DataError
from pointillist.system.hardware import available_bytes

T = TypeVar("T")
USABLE = 0.8  # the rest is for the program, the model and the system
_PAUSE = 0.002  # seconds between two measurements


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


def check_memory(needed: int, what: str, remedy: str) -> None:
    """Raise an error if an allocation needs more than 80 % of the available memory.

    Args:
        needed: bytes.
        what: name of the data in the message.
        remedy: advice at the end of the message.

    Raises:
        DataError: with the estimate, the available memory, and the remedy.
    """
    available = available_bytes()
    if available is not None and needed > USABLE * available:
        raise DataError(
            f"{what} would take {needed / 2**30:,.1f} GiB of memory, but only {USABLE:.0%} of the available "
            f"{available / 2**30:,.1f} GiB may be used: {remedy}."
        )
