"""Share work among threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from pointillist.engine.batch import split_batch

A = TypeVar("A")
B = TypeVar("B")


def in_threads(function: Callable[[Sequence[A]], list[B]], items: Sequence[A], threads: int) -> Iterator[B]:
    """Yield a result for each item in order; each thread has a share of the items, and a single share needs none."""
    shares = [items[share] for share in split_batch(len(items), threads)]
    if len(shares) < 2:
        for share in shares:
            yield from function(share)
        return
    with ThreadPoolExecutor(len(shares)) as pool:
        for result in pool.map(function, shares):
            yield from result
