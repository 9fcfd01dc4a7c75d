"""Flood fill of a grid of sites, through neighbours above, below, left and right."""

from __future__ import annotations

from typing import Any

from pointillist.engine.cpu.jit import entry

Array = Any  # numba finds the types


@entry(typed_by=0)
def flood_fill(passable: Array, reached: Array, stack: Array, width: int) -> None:
    """Mark all passable sites that can be reached from those that are marked.

    Args:
        passable: uint8 `[sites]`.
        reached: uint8 `[sites]`, filled in place.
        stack: int64 `[sites]`, overwritten.
        width: sites in a row.
    """
    sites, count = passable.shape[0], 0
    for site in range(sites):
        if reached[site]:
            stack[count] = site
            count += 1
    while count:
        count -= 1
        site = stack[count]
        column = site % width
        for turn in range(4):
            other = site + (1 if turn == 0 else -1 if turn == 1 else width if turn == 2 else -width)
            inside = 0 <= other < sites and not (turn == 0 and column == width - 1) and not (turn == 1 and column == 0)
            if inside and passable[other] and not reached[other]:
                reached[other] = 1
                stack[count] = other
                count += 1
