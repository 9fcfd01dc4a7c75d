"""How much memory a piece of work takes beyond what the process holds already."""

from __future__ import annotations

import ctypes
import gc
import sys
import threading
from collections.abc import Callable
from typing import TypeVar

import psutil

T = TypeVar("T")
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
