"""Share a batch among threads of compiled code, with progress and interruption. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

STOP, DONE = 0, 1
"""Indices of a signal: set STOP to stop before the next site; DONE counts finished rows, without domains."""
POLL_SECONDS = 0.02


def split_batch(count: int, threads: int) -> list[slice]:
    """Split images into one slice for each thread, of nearly equal sizes.

    ```python
    split_batch(5, 2)  # [slice(0, 2), slice(2, 5)]
    ```
    """
    edges = np.linspace(0, count, min(max(threads, 1), count) + 1).astype(int).tolist()
    return [slice(a, b) for a, b in pairwise(edges)]


def run_slices(
    run: Callable[[int, slice, NDArray[np.int64]], None],
    slices: list[slice],
    on_row: Callable[[int], None] | None = None,
) -> None:
    """Run each slice in its own thread, and report the rows that all of them have finished.

    The wait leaves the global interpreter lock, so that an interrupt arrives. An exception stops all threads.

    Args:
        run: called with the number of the slice, the slice, and its signal.
        on_row: called with the number of finished rows.
    """
    signals = [np.zeros(2, np.int64) for _ in slices]
    with ThreadPoolExecutor(len(slices)) as pool:
        try:
            pending = {pool.submit(run, i, *one) for i, one in enumerate(zip(slices, signals, strict=True))}
            reported = 0
            while pending:
                done, pending = wait(pending, timeout=POLL_SECONDS)
                for job in done:
                    job.result()
                finished = min(int(signal[DONE]) for signal in signals)
                while on_row is not None and reported < finished:
                    reported += 1
                    on_row(reported)
        finally:
            for signal in signals:
                signal[STOP] = 1
