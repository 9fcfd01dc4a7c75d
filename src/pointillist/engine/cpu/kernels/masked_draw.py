"""Draw a level within the domain of a site: the same compiled code for every engine in floating point.

For integer programs `engine/constraints/integer_draw.py` draws.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pointillist.engine.constraints.domains import (
    ALIVE,
    ATTEMPT,
    DEAD,
    DRY,
    LEVELS,
    STATUS,
    WEIGHTED,
    has_level,
    propagates,
)
from pointillist.engine.constraints.propagation import assign, try_levels
from pointillist.engine.cpu.jit import entry, inner
from pointillist.engine.cpu.kernels.inverse_cdf import DrawArrays, apply_temperature_top_p, highest, log_softmax, pick

Array = Any  # numba finds the types

TRIES = 1024  # numbers of uniforms that one attempt may take at a site


@inner
def redraw_uniform(uniform: float, number: int) -> float:
    """Return uniform number k of a draw: the given one, and then pseudo-random ones that follow from it.

    SplitMix64 (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators").
    """
    if number == 0:
        return uniform
    z = np.uint64(uniform * 2.0**53) + np.uint64(number) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return float(z >> np.uint64(11)) / 2.0**53


@inner
def within_domain(log_probs: Array, bits: Array, count: int, work: Array) -> Any:
    """Copy the log-probabilities of the levels of a domain, minus infinity elsewhere; return the largest."""
    for k in range(count):
        work[k] = log_probs[k] if has_level(bits, k) else -np.inf
    return highest(work, count)


@inner
def log_mass(log_probs: Array, bits: Array, count: int, work: Array) -> Any:
    """Return the log-probability of the levels of a domain."""
    best, total = within_domain(log_probs, bits, count, work), 0.0
    for k in range(count):
        total += math.exp(work[k] - best)
    return best + math.log(total)


@inner
def prepare_domain(domains: Any, b: int, channel: int, site: int, log_probs: Array, work: Array) -> None:
    """Where draws are weighted, try all levels of a site and add the log-probability of those that are left."""
    if domains.layout[WEIGHTED] and domains.state[b, STATUS] == ALIVE:
        if propagates(domains):
            try_levels(domains, b, site)
        bits = domains.bits[b, channel, site]
        if within_domain(log_probs, bits, domains.layout[LEVELS], work) > -np.inf:
            domains.mass[b] += log_mass(log_probs, bits, domains.layout[LEVELS], work)


@inner
def draw_in_domain(
    domains: Any,
    b: int,
    channel: int,
    site: int,
    log_probs: Array,
    uniform: float,
    how: DrawArrays,
) -> int:
    """Draw a level of a domain, and propagate. A level that makes a domain run dry is taken away, and another drawn.

    So the distribution is the one given, renormalised over the levels that make no domain run dry. An image that has no
    such level is dead, and is drawn on without constraints until it is taken back.

    Args:
        log_probs: of the levels, guidance applied.
        how: the transform, of which guidance is not applied again, and scratch.
    """
    transform, work, order = how.transform, how.scratch[5], how.order
    count, tries = domains.layout[LEVELS], 0
    while True:
        alive = domains.state[b, STATUS] == ALIVE
        best = within_domain(log_probs, domains.bits[b, channel, site], count, work) if alive else -np.inf
        if best == -np.inf:
            if alive:
                domains.state[b, STATUS], domains.state[b, DRY] = DEAD, site
                alive = False
            for k in range(count):
                work[k] = log_probs[k]
        log_softmax(work, count)
        apply_temperature_top_p(work, transform, count, order[0], order[1])
        total = 0.0
        for k in range(count):
            work[k] = math.exp(work[k])
            total += work[k]
        number = domains.state[b, ATTEMPT] * TRIES + tries
        level = pick(work, count, total, redraw_uniform(uniform, number))
        if not alive or not propagates(domains) or assign(domains, b, site, level):
            return level
        tries += 1


@entry(typed_by=0)
def draw_levels(
    log_probs: Array, guided: Array, uniforms: Array, transform: Array, domains: Any, where: Array, levels: Array
) -> None:
    """Draw a level for each image of a batch, within the domains of one sub-pixel.

    Args:
        log_probs: of the levels under the model, float64 `[n, levels]`.
        guided: the same after guidance.
        uniforms: in [0, 1), `[n]`.
        transform: guidance, temperature and top-p.
        where: channel and site.
        levels: `[n]`, filled.
    """
    count = log_probs.shape[1]
    how = DrawArrays(np.empty(0, np.int64), transform, np.empty((6, count)), np.empty((2, count), np.int64))
    for b in range(log_probs.shape[0]):
        prepare_domain(domains, b, where[0], where[1], log_probs[b], how.scratch[5])
        levels[b] = draw_in_domain(domains, b, where[0], where[1], guided[b], uniforms[b], how)
