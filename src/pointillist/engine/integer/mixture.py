"""A mixture of logistics in integers: the frequencies of `DiscretizedLogisticMixture`, by tables and products.

Parameters of a pixel are logits and log-scales in steps of 2^-8, means and couplings in steps of 2^-16. Positions count
levels in steps of 2^-17, so that the mean of a component, on [-1, 1], is at `(mean + 2^16) (levels - 1)`. With S the
table of 2^24 sigmoid, read by linear interpolation, and I that of 2^24 exp(-log_scale) 2 / (levels - 1),

    z_m(k) = floor(((k + 1/2) 2^17 - mean_m) I_m / 2^25)     the edge above level k, in steps of 2^-16
    C(k)   = sum over m of w_m S(z_m(k))                     C(-1) = 0, C(levels - 1) = 2^24 sum of w
    weight of level k = floor(C(k) / 2^24) - floor(C(k - 1) / 2^24)

S is monotone, so no weight is negative. `frequencies.normalise` makes frequencies of them. The weights w_m are those of
a softmax, and for a later channel times what component m gave to the levels before it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.integer.program import IntArray, IntegerHead

LOG_SCALE_STEP, FINE_STEP = 2.0**-8, 2.0**-16
MIN_LOG_SCALE, MAX_LOG_SCALE = -7, 8
SIGMOID_REACH, TANH_REACH = 16, 8
BITS = 24
FARTHEST = 1 << 28
"""Largest distance of a mean from an edge, in positions."""
Long = NDArray[np.int64]


def mixture_tables(levels: int) -> dict[str, NDArray[np.int32]]:
    """Tabulate sigmoid, tanh and the inverse scales."""
    z = np.arange(-SIGMOID_REACH * 256, SIGMOID_REACH * 256 + 1) / 256
    t = np.arange(-TANH_REACH * 256, TANH_REACH * 256 + 1) / 256
    scales = MIN_LOG_SCALE + np.arange((MAX_LOG_SCALE - MIN_LOG_SCALE) * 256 + 1) * LOG_SCALE_STEP
    inverse = np.floor(2.0**BITS * np.exp(-scales) * 2 / (levels - 1) + 0.5)
    sigmoid = np.floor(2.0**BITS * (np.tanh(z / 2) + 1) / 2 + 0.5)
    return {
        "sigmoid": np.maximum.accumulate(sigmoid).astype(np.int32),
        "tanh": np.floor(2.0**16 * np.tanh(t) + 0.5).astype(np.int32),
        # at the largest number, the sigmoid has reached its ends half a level from the mean
        "inverse": np.minimum(inverse, 2**31 - 1).astype(np.int32),
    }


def interpolate(table: IntArray, x: Long) -> Long:
    """Read a table of odd length at arguments in steps of 2^-16, 0 in its middle, by linear interpolation."""
    middle = len(table) // 2
    index = np.clip((x >> 8) + middle, 0, len(table) - 2)
    inside = np.clip(x - ((index - middle) << 8), 0, 256)
    low, high = table[index].astype(np.int64), table[index + 1].astype(np.int64)
    result: Long = low + (((high - low) * inside) >> 8)
    return result


def component_weights(params: IntArray, head: IntegerHead, pixel: IntArray, channel: int) -> Long:
    """Return the weights of the components `[..., m]` of a channel, given the levels before it; up to 2^25."""
    logits = params[..., : head.mixtures].astype(np.int64)
    below = logits.max(axis=-1, keepdims=True) - logits
    exp = head.tables["exp"]
    weights: Long = exp[np.minimum(below, len(exp) - 1)].astype(np.int64)
    for before in range(channel):
        mean, inverse = mean_and_inverse(params, head, pixel, before)
        level = np.asarray(pixel[..., before], np.int64)[..., None]
        upper = np.where(level == head.levels - 1, 1 << BITS, edge(head, mean, inverse, level))
        lower = np.where(level == 0, 0, edge(head, mean, inverse, level - 1))
        weights = weights * np.maximum(1, upper - lower)
        bits = bit_length(weights.max(axis=-1, keepdims=True))
        weights = weights >> np.maximum(0, bits - BITS - 1)
    return weights


def mean_and_inverse(params: IntArray, head: IntegerHead, pixel: IntArray, channel: int) -> tuple[Long, Long]:
    """Return the position of the mean and the inverse scale of each component `[..., m]` of a channel."""
    m, c = head.mixtures, head.channels
    mean = params[..., m * (1 + channel) : m * (2 + channel)].astype(np.int64)
    log_scale = params[..., m * (1 + c + channel) : m * (2 + c + channel)].astype(np.int64)
    position = (mean + (1 << 16)) * (head.levels - 1)
    first = m * (1 + 2 * c + channel * (channel - 1) // 2)
    for before in range(channel):
        coupling = params[..., first + m * before : first + m * (before + 1)].astype(np.int64)
        level = np.asarray(pixel[..., before], np.int64)[..., None]
        position = position + interpolate(head.tables["tanh"], coupling) * (2 * level - (head.levels - 1))
    table = head.tables["inverse"]
    index = np.clip(log_scale - MIN_LOG_SCALE * 256, 0, len(table) - 1)
    return position, table[index].astype(np.int64)


def edge(head: IntegerHead, mean: Long, inverse: Long, level: Any) -> Long:
    """Return 2^24 times the CDF of each component at the edge above a level."""
    distance = np.clip((level << 17) + (1 << 16) - mean, -FARTHEST, FARTHEST)
    return interpolate(head.tables["sigmoid"], (distance * inverse) >> (17 + BITS - 16))


def mixture_weights(head: IntegerHead, params: IntArray, pixel: IntArray, channel: int) -> Long:
    """Return the weights of the levels `[..., k]` of a channel; see the head of this file."""
    weights = component_weights(params, head, pixel, channel)
    mean, inverse = mean_and_inverse(params, head, pixel, channel)
    levels = np.arange(head.levels - 1, dtype=np.int64)
    below = edge(head, mean[..., None], inverse[..., None], levels)  # [..., m, k - 1]
    inner = (weights[..., None] * below).sum(axis=-2) >> BITS
    total = weights.sum(axis=-1, keepdims=True)
    first = np.zeros_like(total)
    return np.diff(np.concatenate([first, inner, total], axis=-1), axis=-1)


def bit_length(x: Long) -> Long:
    """Return the number of bits of positive integers."""
    result = np.zeros(x.shape, np.int64)
    rest = x.copy()
    for step in (32, 16, 8, 4, 2, 1):
        large = rest >= (1 << step)
        result += np.where(large, step, 0)
        rest = np.where(large, rest >> step, rest)
    return result + 1
