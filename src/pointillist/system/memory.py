"""How much memory a piece of work takes beyond what the process holds already."""

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
_PAUSE = 0.002  # seconds between two looks


def measure_peak_memory(work: Callable[[], T]) -> tuple[T, int]:
    """What `work` returns, and by how many bytes the resident memory of the process grew at most while it ran.

    Freed memory that the process keeps for later is given back first, where the system can.
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
    """Refuse `what` if it takes more than 80 % of the available memory.

    Raises:
        DataError: with the estimate, what there is, and the remedy.
    """
    available = available_bytes()
    if available is not None and needed > USABLE * available:
        raise DataError(
            f"{what} would take {needed / 2**30:,.1f} GiB of memory, but only {USABLE:.0%} of the available "
            f"{available / 2**30:,.1f} GiB may be used: {remedy}."
        )
