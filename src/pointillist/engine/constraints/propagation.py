"""Propagation of constraints: AC-3 over the domains of an image, assignments, and their undoing.

References:
    Mackworth 1977, "Consistency in networks of relations" (arc consistency, AC-3).
    Sabin & Freuder 1994, "Contradicting conventional wisdom in constraint satisfaction" (kept while searching).
    Régin 1996, "Generalized arc consistency for global cardinality constraint" (bounds on counts).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pointillist.engine.constraints.domains import (
    DOWN,
    HEIGHT,
    LEFT,
    LEVELS,
    MAY,
    MUST,
    NOTHING,
    ONE,
    RIGHT,
    STACK,
    STAMP,
    TRAIL,
    WIDTH,
    WORD,
    add_to_counts,
    copy_bits,
    has_level,
    narrow,
    only,
    push,
)
from pointillist.engine.cpu.jit import entry, inner

Array = Any  # numba finds the types


@inner
def supported(domains: Any, b: int, site: int, direction: int, result: Array) -> None:
    """Write the levels that a neighbour may have: those that follow some level of the domain."""
    bits, full = domains.bits[b, 0, site], True
    for w in range(bits.shape[0]):
        full = full and bits[w] == domains.full[w]
        result[w] = NOTHING
    if full:
        copy_bits(result, domains.reach[direction])
        return
    for w in range(bits.shape[0]):
        left, level = bits[w], w * WORD
        while left != NOTHING:
            if left & ONE != NOTHING:
                for v in range(result.shape[0]):
                    result[v] |= domains.adjacency[direction, level, v]
            left >>= ONE
            level += 1


@inner
def neighbour(domains: Any, site: int, direction: int) -> int:
    """Return the neighbour of a site; -1 beyond the border."""
    width, height = domains.layout[WIDTH], domains.layout[HEIGHT]
    row, column = site // width, site % width
    if direction == RIGHT:
        return site + 1 if column + 1 < width else -1
    if direction == LEFT:
        return site - 1 if column > 0 else -1
    if direction == DOWN:
        return site + width if row + 1 < height else -1
    return site - width if row > 0 else -1


@inner
def enforce_limits(domains: Any, b: int) -> Any:
    """Take a set of levels from all open sites once as many sites have one as may; return False where more must."""
    for m in range(domains.sets.shape[0]):
        must, limit = domains.counts[b, m, MUST], domains.limits[m]
        if must > limit:
            return False
        if must == limit and domains.counts[b, m, MAY] > limit:
            outside = domains.scratch[b, 1]
            for w in range(outside.shape[0]):
                outside[w] = domains.full[w] & ~domains.sets[m, w]
            for site in range(domains.bits.shape[2]):
                bits, beyond = domains.bits[b, 0, site], NOTHING
                for w in range(outside.shape[0]):
                    beyond |= bits[w] & outside[w]
                if beyond != NOTHING:
                    narrow(domains, b, site, outside)
    return True


@inner
def propagate(domains: Any, b: int) -> Any:
    """Make all domains arc consistent, from the sites on the stack on; return False where one ran dry."""
    state, result, consistent = domains.state[b], domains.scratch[b, 0], True
    while consistent:
        if state[STACK] == 0:
            consistent = enforce_limits(domains, b)
            if state[STACK] == 0:
                break
            continue
        state[STACK] -= 1
        site = domains.stack[b, state[STACK]]
        domains.stacked[b, site] = 0
        for direction in range(domains.adjacency.shape[0]):
            other = neighbour(domains, site, direction)
            if other >= 0 and consistent:
                supported(domains, b, site, direction, result)
                consistent = narrow(domains, b, other, result)
        for partner in range(domains.partners.shape[0]):
            if consistent:
                consistent = narrow(domains, b, domains.partners[partner, site], domains.bits[b, 0, site])
    clear(domains, b)
    return consistent


@inner
def clear(domains: Any, b: int) -> None:
    """Empty the stack."""
    while domains.state[b, STACK] > 0:
        domains.state[b, STACK] -= 1
        domains.stacked[b, domains.stack[b, domains.state[b, STACK]]] = 0


@inner
def begin(domains: Any, b: int) -> None:
    """Begin an assignment, which `undo` can take back."""
    domains.state[b, STAMP] += 1
    domains.state[b, TRAIL] = 0


@inner
def undo(domains: Any, b: int) -> None:
    """Take back everything since `begin`."""
    clear(domains, b)
    for i in range(domains.state[b, TRAIL]):
        site = domains.trail[b, i]
        add_to_counts(domains, b, site, -1)
        copy_bits(domains.bits[b, 0, site], domains.saved[b, i])
        add_to_counts(domains, b, site, 1)
    begin(domains, b)


@inner
def assign(domains: Any, b: int, site: int, level: int) -> Any:
    """Give a site a level, and propagate; where a domain runs dry, undo it, take the level away and return False."""
    one = domains.scratch[b, 1]
    only(one, level)
    begin(domains, b)
    push(domains, b, site)  # also where the level is the last one, after others were taken away
    if narrow(domains, b, site, one) and propagate(domains, b):
        return True
    undo(domains, b)
    remove(domains, b, site, level)
    return False


@inner
def remove(domains: Any, b: int, site: int, level: int) -> None:
    """Take a level from the domain of a site that is drawn now: nothing is propagated."""
    add_to_counts(domains, b, site, -1)
    domains.bits[b, 0, site, level // WORD] &= ~(ONE << np.uint64(level % WORD))
    add_to_counts(domains, b, site, 1)


@inner
def try_levels(domains: Any, b: int, site: int) -> None:
    """Take every level from a domain that would make another domain run dry."""
    for level in range(domains.layout[LEVELS]):
        if has_level(domains.bits[b, 0, site], level) and assign(domains, b, site, level):
            undo(domains, b)


@entry(typed_by=0)
def restrict(allowed: Array, sites: Array, domains: Any, b: int) -> Any:
    """Intersect the domains of some sites with sets of levels, and propagate from these sites.

    Args:
        allowed: uint64 `[count, words]`.
        sites: `[count]`.

    Returns:
        False where a domain ran dry: DRY of the state names its site.
    """
    begin(domains, b)
    for i in range(sites.shape[0]):
        if not narrow(domains, b, sites[i], allowed[i]):
            clear(domains, b)
            return False
        push(domains, b, sites[i])
    return propagate(domains, b)


@entry(typed_by=0)
def count_domains(bits: Array, domains: Any) -> None:
    """Count the domains of all images, whose counts are zero."""
    for b in range(bits.shape[0]):
        for site in range(bits.shape[2]):
            add_to_counts(domains, b, site, 1)
