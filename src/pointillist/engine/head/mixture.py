"""A mixture of logistics in integers: the frequencies of `DiscretizedLogisticMixture`, by tables and products.

Parameters of a pixel are logits and log-scales in steps of 2^-8, means and couplings in steps of 2^-16. Positions count
levels in steps of 2^-17, so that the mean of a component, on [-1, 1], is at `(mean + 2^16) (levels - 1)`. With S the
table of 2^24 sigmoid, read by linear interpolation, and I that of 2^24 exp(-log_scale) 2 / (levels - 1),

    z_m(k) = floor(((k + 1/2) 2^17 - mean_m) I_m / 2^25)     the edge above level k, in steps of 2^-16
    C(k)   = sum over m of w_m S(z_m(k))                     C(-1) = 0, C(levels - 1) = 2^24 sum of w
    weight of level k = floor(C(k) / 2^24) - floor(C(k - 1) / 2^24)

S is monotone, so no weight is negative. `frequencies.normalise` makes frequencies of them. The weights w_m are those of
a softmax, and for a later channel times what component m gave to the levels before it.

Parameters and levels are arrays of numpy or torch, in 64 bits.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.arrays import Array, count_like, int64, library_of
from pointillist.engine.program import IntegerHead

LOG_SCALE_STEP, FINE_STEP = 2.0**-8, 2.0**-16
MIN_LOG_SCALE, MAX_LOG_SCALE = -7, 8
SIGMOID_REACH, TANH_REACH = 16, 8
BITS = 24
FARTHEST = 1 << 28
"""Largest distance of a mean from an edge, in positions."""


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


def interpolate(table: Array, x: Array) -> Array:
    """Read a table of odd length at arguments in steps of 2^-16, 0 in its middle, by linear interpolation."""
    middle = len(table) // 2
    index = ((x >> 8) + middle).clip(0, len(table) - 2)
    inside = (x - ((index - middle) << 8)).clip(0, 256)
    low, high = int64(table[index]), int64(table[index + 1])
    return low + (((high - low) * inside) >> 8)


def component_weights(head: IntegerHead, params: Array, pixel: Array, channel: int) -> Array:
    """Return the weights of the components `[..., m]` of a channel, given the levels before it; up to 2^25."""
    library, exp = library_of(params), head.tables["exp"]
    logits = params[..., : head.mixtures]
    below = library.amax(logits, axis=-1, keepdims=True) - logits
    weights = int64(exp[below.clip(max=len(exp) - 1)])
    for before in range(channel):
        mean, inverse = mean_and_inverse(head, params, pixel, before)
        level = pixel[..., before : before + 1]
        upper = library.where(level == head.levels - 1, 1 << BITS, edge(head, mean, inverse, level))
        lower = library.where(level == 0, 0, edge(head, mean, inverse, level - 1))
        weights = weights * (upper - lower).clip(min=1)
        bits = bit_length(library.amax(weights, axis=-1, keepdims=True))
        weights = weights >> (bits - BITS - 1).clip(min=0)
    return weights


def mean_and_scale(head: IntegerHead, params: Array, pixel: Array, channel: int) -> tuple[Array, Array]:
    """Return the position of the mean and the log-scale, within its limits, of each component `[..., m]`."""
    m, c = head.mixtures, head.channels
    mean = params[..., m * (1 + channel) : m * (2 + channel)]
    log_scale = params[..., m * (1 + c + channel) : m * (2 + c + channel)]
    position = (mean + (1 << 16)) * (head.levels - 1)
    first = m * (1 + 2 * c + channel * (channel - 1) // 2)
    for before in range(channel):
        coupling = params[..., first + m * before : first + m * (before + 1)]
        level = pixel[..., before : before + 1]
        position = position + interpolate(head.tables["tanh"], coupling) * (2 * level - (head.levels - 1))
    return position, log_scale.clip(MIN_LOG_SCALE * 256, MAX_LOG_SCALE * 256)


def mean_and_inverse(head: IntegerHead, params: Array, pixel: Array, channel: int) -> tuple[Array, Array]:
    """Return the position of the mean and the inverse scale of each component `[..., m]` of a channel."""
    position, log_scale = mean_and_scale(head, params, pixel, channel)
    return position, int64(head.tables["inverse"][log_scale - MIN_LOG_SCALE * 256])


def edge(head: IntegerHead, mean: Array, inverse: Array, level: Array) -> Array:
    """Return 2^24 times the CDF of each component at the edge above a level."""
    distance = ((level << 17) + (1 << 16) - mean).clip(-FARTHEST, FARTHEST)
    return interpolate(head.tables["sigmoid"], (distance * inverse) >> (17 + BITS - 16))


def mixture_weights(head: IntegerHead, params: Array, pixel: Array, channel: int) -> Array:
    """Return the weights of the levels `[..., k]` of a channel; see the head of this file."""
    library = library_of(params)
    weights = component_weights(head, params, pixel, channel)
    mean, inverse = mean_and_inverse(head, params, pixel, channel)
    below = edge(head, mean[..., None], inverse[..., None], count_like(head.levels - 1, params))  # [..., m, k - 1]
    inner = (weights[..., None] * below).sum(axis=-2) >> BITS
    total = weights.sum(axis=-1, keepdims=True)
    edges = library.concatenate([library.zeros_like(total), inner, total], axis=-1)
    return edges[..., 1:] - edges[..., :-1]


def bit_length(x: Array) -> Array:
    """Return the number of bits of positive integers."""
    library = library_of(x)
    result, rest = library.zeros_like(x), x
    for step in (32, 16, 8, 4, 2, 1):
        large = rest >= (1 << step)
        result = result + library.where(large, step, 0)
        rest = library.where(large, rest >> step, rest)
    return result + 1
