"""Draw a level within the domain of a site from integer frequencies: the same compiled code for every executor.

The formulas are those of `engine/head/transform.py`, for one sub-pixel of one image.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pointillist.distributions.transform import COLDEST, GUIDANCE_BITS, UNIT
from pointillist.engine.constraints.domains import (
    ALIVE,
    ATTEMPT,
    DEAD,
    DRY,
    LEVELS,
    STATUS,
    has_level,
    propagates,
)
from pointillist.engine.constraints.propagation import assign
from pointillist.engine.cpu.jit import entry, inner
from pointillist.engine.cpu.kernels.inverse_cdf import argsort_descending
from pointillist.engine.cpu.kernels.masked_draw import TRIES, prepare_domain, redraw_uniform
from pointillist.engine.head.transform import (
    DRAW_BITS,
    EXP_TABLE,
    LOG_BITS,
    LOG_TABLE,
    LONGEST,
    MANTISSA_BITS,
    TABLE_BITS,
)

Array = Any  # numba finds the types
# `transform`: what is done to the frequencies
IS_GUIDED, GUIDANCE, SHARPNESS, TOP_P = range(4)
# rows of `work`
WEIGHTS, ALLOWED, ORDER, SPARE = range(4)
TOTAL = 1 << DRAW_BITS


class IntegerTransform(NamedTuple):
    """A transform, and arrays to compute in.

    Attributes:
        numbers: IS_GUIDED, GUIDANCE, SHARPNESS and TOP_P, int64 `[4]`.
        work: int64 `[4, levels]`.
    """

    numbers: Array
    work: Array


@inner
def interpolate(table: Array, x: int, bits: int) -> Any:
    """Read a table at x / 2^bits of its length, by linear interpolation, rounding down."""
    inside = bits - TABLE_BITS
    index, rest = x >> inside, x & ((1 << inside) - 1)
    low = table[index]
    return low + (((table[index + 1] - low) * rest) >> inside)


@inner
def log2(value: int) -> Any:
    """Return the logarithm to base 2 of an integer from 1 to 2^24, in steps of 2^-20."""
    exponent = 0
    while value >> (exponent + 1):
        exponent += 1
    mantissa = (value << (MANTISSA_BITS - exponent)) - (1 << MANTISSA_BITS)
    return (exponent << LOG_BITS) + interpolate(LOG_TABLE, mantissa, MANTISSA_BITS)


@inner
def normalise(work: Array) -> None:
    """Scale weights to frequencies: at least 1 where allowed, 0 elsewhere, and 2^30 in all."""
    weights, allowed = work[WEIGHTS], work[ALLOWED]
    count, total = weights.shape[0], 0
    for k in range(count):
        weights[k] *= allowed[k]
        total += weights[k]
    ratio, missing, best = (1 << (DRAW_BITS + 32)) // total, TOTAL, 0
    for k in range(count):
        weights[k] = max((weights[k] * ratio) >> 32, allowed[k])
        missing -= weights[k]
        best = k if weights[k] > weights[best] else best
    weights[best] += missing


@inner
def transform_weights(conditional: Array, reference: Array, how: IntegerTransform) -> None:
    """Compute what allowed levels are drawn from, as `transform_frequencies` does.

    Args:
        conditional, reference: frequencies under the conditions, and under guidance those of the reference.
        how: row ALLOWED of its work is 1 at allowed levels and 0 elsewhere; row WEIGHTS is filled.
    """
    numbers, work = how
    weights, allowed, count, sharpness = work[WEIGHTS], work[ALLOWED], conditional.shape[0], numbers[SHARPNESS]
    for k in range(count):
        weights[k] = conditional[k]
    if numbers[IS_GUIDED] or sharpness != UNIT:
        best = -1
        for k in range(count):
            weights[k] = log2(conditional[k])
            if numbers[IS_GUIDED]:
                other = log2(reference[k])
                weights[k] = other + ((numbers[GUIDANCE] * (weights[k] - other)) >> GUIDANCE_BITS)
            if allowed[k] and (best < 0 or weights[k] > weights[best]):
                best = k
        highest = weights[best]
        for k in range(count):
            if sharpness == COLDEST:
                weights[k] = TOTAL if k == best else 0
            else:
                log = (max(highest - weights[k], 0) * sharpness) >> GUIDANCE_BITS
                fraction = interpolate(EXP_TABLE, log & ((1 << LOG_BITS) - 1), LOG_BITS)
                weights[k] = fraction >> min(log >> LOG_BITS, LONGEST)
        if sharpness == COLDEST:
            return
    normalise(work)
    if numbers[TOP_P] < TOTAL:
        order, before = work[ORDER], 0
        argsort_descending(weights, count, order, work[SPARE])
        for i in range(count):
            allowed[order[i]] = before < numbers[TOP_P]
            before += weights[order[i]]
        normalise(work)


@inner
def draw_integer_in_domain(
    domains: Any,
    b: int,
    channel: int,
    site: int,
    conditional: Array,
    reference: Array,
    uniform: float,
    how: IntegerTransform,
) -> int:
    """Draw a level of a domain from frequencies, and propagate; see `draw_in_domain`."""
    weights, allowed = how.work[WEIGHTS], how.work[ALLOWED]
    count, tries = domains.layout[LEVELS], 0
    while True:
        alive, left = domains.state[b, STATUS] == ALIVE, 0
        for k in range(count):
            allowed[k] = has_level(domains.bits[b, channel, site], k)
            left += allowed[k]
        if alive and not left:
            domains.state[b, STATUS], domains.state[b, DRY] = DEAD, site
            alive = False
        for k in range(count):
            allowed[k] |= not alive
        transform_weights(conditional, reference, how)
        number = domains.state[b, ATTEMPT] * TRIES + tries
        target, level = int(redraw_uniform(uniform, number) * TOTAL), 0
        reached = weights[0]
        while reached <= target:
            level += 1
            reached += weights[level]
        if not alive or not propagates(domains) or assign(domains, b, site, level):
            return level
        tries += 1


@entry(typed_by=0)
def draw_integer_levels(
    log_probs: Array,
    conditional: Array,
    reference: Array,
    uniforms: Array,
    transform: Array,
    domains: Any,
    where: Array,
    levels: Array,
) -> None:
    """Draw a level for each image of a batch, within the domains of one sub-pixel, from integer frequencies.

    Args:
        log_probs: of the levels under the model, float64 `[n, levels]`; they are read where draws are weighted.
        conditional, reference: frequencies, int64 `[n, levels]`; the latter are read under guidance.
        uniforms: in [0, 1), `[n]`.
        transform: numbers of an `IntegerTransform`.
        where: channel and site.
        levels: `[n]`, filled.
    """
    count = conditional.shape[1]
    how, work = IntegerTransform(transform, np.empty((4, count), np.int64)), np.empty(count)
    for b in range(conditional.shape[0]):
        prepare_domain(domains, b, where[0], where[1], log_probs[b], work)
        frequencies = conditional[b], reference[b]
        levels[b] = draw_integer_in_domain(domains, b, where[0], where[1], *frequencies, uniforms[b], how)
