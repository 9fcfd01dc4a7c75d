"""Share work among threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


def in_threads(function: Callable[[A], B], shares: Sequence[A]) -> Iterator[B]:
    """Yield the result of each share in order, each computed by a thread of its own; a single one by this thread."""
    if len(shares) < 2:
        yield from map(function, shares)
        return
    with ThreadPoolExecutor(len(shares)) as pool:
        yield from pool.map(function, shares)
