"""Weights of levels of a mixture of logistics in compiled code, with the bits of `engine/head/mixture.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from pointillist.engine.cpu.jit import inner
from pointillist.engine.head.mixture import BITS, FARTHEST, MIN_LOG_SCALE

Array = Any  # numba finds the types

LEVELS, CHANNELS, EXP, EXP_SIZE, MIXTURES = 1, 2, 4, 5, 6
SIGMOID, SIGMOID_SIZE, TANH, TANH_SIZE, INVERSE, INVERSE_SIZE = range(7, 13)
"""Fields of the specification of a distribution, beside those of `draw.py`: offsets and sizes of the tables in `c`."""
WEIGHT, MEAN, SCALE = 0, 1, 2
"""Rows of the scratch memory of the components."""
_SHIFT = 17 + BITS - 16
_LOWEST_SCALE = MIN_LOG_SCALE * 256


@inner
def interpolate(c: Array, table: Any, size: Any, x: Any) -> Any:
    """Read a table at an argument in steps of 2^-16, by linear interpolation."""
    middle = size // 2
    index = min(max((x >> 8) + middle, 0), size - 2)
    inside = min(max(x - ((index - middle) << 8), 0), 256)
    low, high = np.int64(c[table + index]), np.int64(c[table + index + 1])
    return low + (((high - low) * inside) >> 8)


@inner
def place(s: Array, c: Array, p: int, channel: int, levels: Array, spec: Array, parts: Array) -> None:
    """Set the position of the mean and the inverse scale of each component of a channel."""
    m, channels, top = spec[MIXTURES], spec[CHANNELS], spec[LEVELS] - 1
    first = p + m * (1 + 2 * channels + channel * (channel - 1) // 2)
    for i in range(m):
        position = (np.int64(s[p + m * (1 + channel) + i]) + 65536) * top
        for before in range(channel):
            coupling = interpolate(c, spec[TANH], spec[TANH_SIZE], np.int64(s[first + m * before + i]))
            position += coupling * (2 * levels[before] - top)
        log_scale = np.int64(s[p + m * (1 + channels + channel) + i])
        index = min(max(log_scale - _LOWEST_SCALE, 0), spec[INVERSE_SIZE] - 1)
        parts[MEAN, i], parts[SCALE, i] = position, np.int64(c[spec[INVERSE] + index])


@inner
def edge(c: Array, spec: Array, parts: Array, i: int, level: int) -> Any:
    """Return 2^24 times the CDF of a component at the edge above a level."""
    distance = min(max((level << 17) + 65536 - parts[MEAN, i], -FARTHEST), FARTHEST)
    return interpolate(c, spec[SIGMOID], spec[SIGMOID_SIZE], (distance * parts[SCALE, i]) >> _SHIFT)


@inner
def weigh(s: Array, c: Array, p: int, spec: Array, parts: Array) -> None:
    """Set the weights of the components."""
    m = spec[MIXTURES]
    largest = np.int64(s[p])
    for i in range(1, m):
        largest = max(largest, np.int64(s[p + i]))
    for i in range(m):
        parts[WEIGHT, i] = np.int64(c[spec[EXP] + min(largest - np.int64(s[p + i]), spec[EXP_SIZE] - 1)])


@inner
def weigh_given(s: Array, c: Array, p: int, channel: int, levels: Array, spec: Array, parts: Array) -> None:
    """Multiply the weights by what each component gave to the levels of the channels before."""
    m, top = spec[MIXTURES], spec[LEVELS] - 1
    for before in range(channel):
        place(s, c, p, before, levels, spec, parts)
        level = levels[before]
        largest = np.int64(0)
        for i in range(m):
            upper, lower = np.int64(1) << BITS, np.int64(0)
            if level < top:
                upper = edge(c, spec, parts, i, level)
            if level > 0:
                lower = edge(c, spec, parts, i, level - 1)
            parts[WEIGHT, i] *= max(np.int64(1), upper - lower)
            largest = max(largest, parts[WEIGHT, i])
        bits = np.int64(0)
        while largest >> bits > 0:
            bits += 1
        for i in range(m):
            parts[WEIGHT, i] >>= max(np.int64(0), bits - BITS - 1)


@inner
def mixture_weights(
    s: Array, c: Array, p: int, channel: int, levels: Array, spec: Array, parts: Array, result: Array
) -> Any:
    """Set the weights of the levels of a channel; return their sum."""
    m, count = spec[MIXTURES], spec[LEVELS]
    weigh(s, c, p, spec, parts)
    weigh_given(s, c, p, channel, levels, spec, parts)
    place(s, c, p, channel, levels, spec, parts)
    total, before = np.int64(0), np.int64(0)
    for i in range(m):
        total += parts[WEIGHT, i]
    for k in range(count - 1):
        below = np.int64(0)
        for i in range(m):
            below += parts[WEIGHT, i] * edge(c, spec, parts, i, k)
        below >>= BITS
        result[k] = below - before
        before = below
    result[count - 1] = total - before
    return total
