"""A mixture of logistics in integers: the frequencies of `DiscretizedLogisticMixture`, by tables and products.

Parameters of a pixel are logits and log-scales in steps of 2^-8, means and couplings in steps of 2^-16. Positions count
levels in steps of 2^-17, so that the mean of a component, on [-1, 1], is at `(mean + 2^16) (levels - 1)`. With S the
table of 2^24 sigmoid, read by linear interpolation, and I the table of 2^24 exp(-log_scale) 2 / (levels - 1),

    z_m(k) = floor(((k + 1/2) 2^17 - mean_m) I_m / 2^25)     the edge above level k, in steps of 2^-16
    C(k)   = sum over m of w_m S(z_m(k))                     C(-1) = 0, C(levels - 1) = 2^24 sum of w
    weight of level k = floor(C(k) / 2^24) - floor(C(k - 1) / 2^24)

S is monotone, so no weight is negative. `frequencies.normalise` makes frequencies of them. The weights w_m are a
softmax, for a later channel times what component m gave to the levels before it.

Parameters and levels are arrays of numpy or torch, in 64 bits.
"""

from __future__ import annotations

from pointillist.engine.arithmetic import Array, bit_length, count_like, int64, interpolate, library_of
from pointillist.engine.head.tables import BITS, MAX_LOG_SCALE, SCALE_STEPS, min_log_scale_of
from pointillist.engine.program import IntegerHead

FARTHEST = 1 << 28
"""Largest distance of a mean from an edge, in positions."""


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
    return position, log_scale.clip(lowest_scale(head), MAX_LOG_SCALE * SCALE_STEPS)


def lowest_scale(head: IntegerHead) -> int:
    """Return the least log-scale, in steps: its inverse is the first one of the table."""
    return min_log_scale_of(head.tables["inverse"]) * SCALE_STEPS


def mean_and_inverse(head: IntegerHead, params: Array, pixel: Array, channel: int) -> tuple[Array, Array]:
    """Return the position of the mean and the inverse scale of each component `[..., m]` of a channel."""
    position, log_scale = mean_and_scale(head, params, pixel, channel)
    return position, int64(head.tables["inverse"][log_scale - lowest_scale(head)])


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
