"""Guidance, temperature, top-p and allowed levels by integer arithmetic alone: the same bits on every platform.

Frequencies f of a sub-pixel sum to 2^P (`frequencies.py`); the result sums to 2^30. Logarithms count in steps of 2^-20
bits. Two tables of 257 numbers are read by linear interpolation, i = 0 .. 256:

    LOG[i] = round(2^20 log2(1 + i / 256))          EXP[i] = round(2^30 2^(-i / 256))

    log f   = 2^20 e + LOG at f / 2^e - 1           e = floor(log2 f)
    l       = log u + floor(G (log c - log u) / 2^16)             G = round(2^16 guidance)
    d       = floor((max l - l) B / 2^16)                         B = round(2^16 / temperature)
    w       = floor(EXP at the fraction of d / 2^20 / 2^floor(d / 2^20))
    F       = normalise(w over the allowed levels): at least 1 each, 2^30 in all
    nucleus = from the largest F on, ties from the lowest level on, while the sum before is below round(2^30 top_p)
    result  = normalise(F over the nucleus)

c and u are the frequencies under the conditions and under the reference. Without guidance l = log f; at temperature
1 without guidance w = f. At temperature 0 the result is 2^30 at the first of the largest l, and 0 elsewhere.

Ranges: f <= 2^24, G <= 1000 2^16 and B <= 2^26, so |log f| <= 24 2^20, |G (log c - log u)| < 2^51,
max l - l <= 24 2^20 2001 < 2^36, its product with B < 2^62, and w <= 2^30 and the sum of up to 4,096 w <= 2^42: all of
it fits 64 bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointillist.distributions.transform import COLDEST, GUIDANCE_BITS, TOP_P_BITS, UNIT, Transform
from pointillist.engine.head.frequencies import normalise
from pointillist.engine.program import IntArray

LOG_BITS = 20
"""A logarithm to base 2 counts in steps of 2^-20."""
DRAW_BITS = TOP_P_BITS
"""Transformed frequencies sum to 2^30."""
TABLE_BITS, MANTISSA_BITS = 8, 24
LONGEST = 31
"""A shift by which any weight is 0."""
_STEPS = np.arange((1 << TABLE_BITS) + 1) / (1 << TABLE_BITS)
LOG_TABLE: IntArray = np.floor(2.0**LOG_BITS * np.log2(1 + _STEPS) + 0.5).astype(np.int64)
EXP_TABLE: IntArray = np.floor(2.0**DRAW_BITS * np.exp2(-_STEPS) + 0.5).astype(np.int64)
"""No entry of either table lies near a half before it is rounded, so that every library of mathematics rounds it so."""


def transform_frequencies(
    frequencies: IntArray, transform: Transform, allowed: NDArray[np.bool_] | None = None
) -> NDArray[np.int64]:
    """Return the frequencies `[n, k]` that levels are drawn from; they sum to `2 ** DRAW_BITS`.

    Args:
        frequencies: of the levels `[n, k]`; under guidance `[2 n, k]`, under the conditions and then
            of the reference.
        transform: guidance, temperature and top-p.
        allowed: levels that may be drawn, `[n, k]`, at least one in each row; None for all.

    Example:
        transform_frequencies(np.array([[1, 65535]]), IDENTITY)  # [[2^14, 2^30 - 2^14]]
    """
    guidance, sharpness, top_p = transform.integers
    weights = frequencies
    if transform.is_guided or sharpness != UNIT:
        logs = log2(frequencies)
        if transform.is_guided:
            conditional, reference = np.split(logs, 2)
            logs = reference + ((guidance * (conditional - reference)) >> GUIDANCE_BITS)
        least = logs.min()
        best = (logs if allowed is None else np.where(allowed, logs, least)).max(axis=1, keepdims=True)
        if sharpness == COLDEST:
            peaks = logs == best if allowed is None else (logs == best) & allowed
            first = np.arange(logs.shape[1]) == peaks.argmax(axis=1)[:, None]
            return np.where(first, np.int64(1 << DRAW_BITS), np.int64(0))
        weights = exp2_of_minus(((best - logs).clip(min=0) * sharpness) >> GUIDANCE_BITS)
    transformed = normalise_allowed(weights, allowed)
    if top_p < 1 << TOP_P_BITS:
        transformed = normalise_allowed(transformed, _nucleus(transformed, top_p))
    return transformed


def log2(values: IntArray) -> NDArray[np.int64]:
    """Return logarithms to base 2, in steps of `2 ** -LOG_BITS`, of integers from 1 to 2^24."""
    exponent = np.frexp(values)[1].astype(np.int64) - 1  # of a float64, which holds these integers
    mantissa = (values << (MANTISSA_BITS - exponent)) - (1 << MANTISSA_BITS)
    return (exponent << LOG_BITS) + _interpolate(LOG_TABLE, mantissa, MANTISSA_BITS)


def exp2_of_minus(logs: IntArray) -> NDArray[np.int64]:
    """Return 2^30 times 2 to the power of minus a logarithm, which is 0 or more, in steps of `2 ** -LOG_BITS`."""
    fraction = logs & ((1 << LOG_BITS) - 1)
    result: NDArray[np.int64] = _interpolate(EXP_TABLE, fraction, LOG_BITS) >> (logs >> LOG_BITS).clip(max=LONGEST)
    return result


def normalise_allowed(weights: IntArray, allowed: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
    """Return frequencies in proportion to weights `[n, k]`: at least 1 where allowed, 0 elsewhere, and 2^30 in all."""
    if allowed is not None:
        weights = weights * allowed
    result: NDArray[np.int64] = normalise(weights, DRAW_BITS, 1 if allowed is None else allowed.astype(np.int64))
    return result


def _interpolate(table: IntArray, x: IntArray, bits: int) -> IntArray:
    """Read a table at x / 2^bits of its length, by linear interpolation, rounding down."""
    inside = bits - TABLE_BITS
    index, rest = x >> inside, x & ((1 << inside) - 1)
    low = table[index]
    result: IntArray = low + (((table[index + 1] - low) * rest) >> inside)
    return result


def _nucleus(frequencies: IntArray, top_p: int) -> NDArray[np.bool_]:
    """Return the most probable levels whose sum reaches a share; see `Transform`."""
    order = np.argsort(-frequencies, axis=1, kind="stable")
    ordered = np.take_along_axis(frequencies, order, axis=1)
    nucleus = np.zeros(frequencies.shape, bool)
    np.put_along_axis(nucleus, order, ordered.cumsum(axis=1) - ordered < top_p, axis=1)
    return nucleus
