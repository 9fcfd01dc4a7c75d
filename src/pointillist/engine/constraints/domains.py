"""Domains: the levels that each site may still have, kept arc consistent while an image is drawn.

A domain is a set of levels, as bits. When a site takes a level, the domains of its neighbours lose the levels that no
longer fit, then those of their neighbours, until nothing changes: AC-3 over all open sites. Where a domain would run
dry, the assignment is undone, so no level is drawn that contradicts what arc consistency can see. Every function works
on image `b` of the batch, in the orientation of the image.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pointillist.engine.cpu.jit import inner

Array = Any  # numba finds the types

NOTHING, ONE = np.uint64(0), np.uint64(1)
WORD = 64
"""Levels in a word of bits."""

# columns of `state`
STATUS, ATTEMPT, STACK, TRAIL, STAMP, DRY = range(6)
ALIVE, DEAD, REJECTED = range(3)
"""Values of STATUS: DEAD has a site without levels, or breaks a rule; REJECTED is not drawn by the rules any more."""
# entries of `layout`
HEIGHT, WIDTH, LEVELS, WEIGHTED, ORIGIN, ROW_STEP, COLUMN_STEP = range(7)
# columns of `counts`
MUST, MAY = range(2)
RIGHT, DOWN, LEFT, UP = range(4)
"""Directions of `adjacency`; the opposite of d is (d + 2) % 4."""


class Domains(NamedTuple):
    """Domains of a batch, and the constraints between them.

    Attributes:
        bits: levels that a sub-pixel may still have, uint64 `[n, c, sites, words]`; site = row * width + column.
        counts: sites that MUST, and that MAY, have a level of each set, int64 `[n, sets, 2]`.
        state: STATUS; ATTEMPT, the number of times that the image was begun anew or taken back; STACK and TRAIL, their
            lengths; STAMP, the number of the current assignment; DRY, the site that ran dry last; int64 `[n, 6]`.
        mass: log-probability of the allowed levels, summed over the draws, float64 `[n]`; where WEIGHTED.
        stack, stacked: sites whose domain has shrunk, `[n, sites]`, and a mark of each; empty where no draw changes a
            domain.
        trail, stamps, saved: sites that the current assignment has changed, the assignment that changed a site last,
            `[n, sites]`, and the domains from before, `[n, sites, words]`.
        scratch: `[n, 2, words]`.
        adjacency: levels that may follow each level in each direction, `[4, levels, words]`; empty for any.
        reach: levels that may follow any level, `[4, words]`.
        partners: a site that must have the same level, `[partners, sites]`.
        sets, limits: sets of levels, `[sets, words]`, and how many sites may have one of them at most, `[sets]`.
        full: all levels, `[words]`.
        layout: HEIGHT, WIDTH and LEVELS of the image; WEIGHTED, whether every level is tried before a draw; the site of
            row r and column c of the engine's grid is ORIGIN + r ROW_STEP + c COLUMN_STEP.
    """

    bits: Array
    counts: Array
    state: Array
    mass: Array
    stack: Array
    stacked: Array
    trail: Array
    stamps: Array
    saved: Array
    scratch: Array
    adjacency: Array
    reach: Array
    partners: Array
    sets: Array
    limits: Array
    full: Array
    layout: Array


PER_IMAGE = 10
"""The first fields have one entry for each image."""


@inner
def propagates(domains: Any) -> Any:
    """Return whether draws change domains: sites constrain each other, or rules are checked."""
    return domains.stack.shape[1] > 0


@inner
def has_level(bits: Array, level: int) -> Any:
    """Return whether a level is in a set."""
    return (bits[level // WORD] >> np.uint64(level % WORD)) & ONE != NOTHING


@inner
def only(target: Array, level: int) -> None:
    """Set a set of levels to one level."""
    for w in range(target.shape[0]):
        target[w] = NOTHING
    target[level // WORD] = ONE << np.uint64(level % WORD)


@inner
def copy_bits(target: Array, source: Array) -> None:
    """Copy a set of levels."""
    for w in range(target.shape[0]):
        target[w] = source[w]


@inner
def add_to_counts(domains: Any, b: int, site: int, sign: int) -> None:
    """Count a domain in, or out, of the sets that it lies in and the sets that it touches."""
    bits = domains.bits[b, 0, site]
    for m in range(domains.sets.shape[0]):
        inside, outside = NOTHING, NOTHING
        for w in range(bits.shape[0]):
            inside |= bits[w] & domains.sets[m, w]
            outside |= bits[w] & ~domains.sets[m, w]
        domains.counts[b, m, MUST] += sign * (outside == NOTHING)
        domains.counts[b, m, MAY] += sign * (inside != NOTHING)


@inner
def push(domains: Any, b: int, site: int) -> None:
    """Note that a domain has shrunk."""
    if not domains.stacked[b, site]:
        domains.stacked[b, site] = 1
        domains.stack[b, domains.state[b, STACK]] = site
        domains.state[b, STACK] += 1


@inner
def narrow(domains: Any, b: int, site: int, allowed: Array) -> Any:
    """Intersect a domain with a set of levels; return False where nothing is left."""
    bits, changed, left = domains.bits[b, 0, site], False, NOTHING
    for w in range(bits.shape[0]):
        changed = changed or (bits[w] & ~allowed[w]) != NOTHING
        left |= bits[w] & allowed[w]
    if changed:
        if domains.stamps[b, site] != domains.state[b, STAMP]:
            at = domains.state[b, TRAIL]
            domains.trail[b, at] = site
            copy_bits(domains.saved[b, at], bits)
            domains.state[b, TRAIL] += 1
            domains.stamps[b, site] = domains.state[b, STAMP]
        add_to_counts(domains, b, site, -1)
        for w in range(bits.shape[0]):
            bits[w] &= allowed[w]
        add_to_counts(domains, b, site, 1)
        push(domains, b, site)
    if left == NOTHING:
        domains.state[b, DRY] = site
    return left != NOTHING
