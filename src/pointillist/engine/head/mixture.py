"""A mixture of logistics in integers: the frequencies of `DiscretizedLogisticMixture`, by tables and products.

Parameters of a pixel are logits and log-scales in steps of 2^-8, means and couplings in steps of 2^-16. Positions count
levels in steps of 2^-17, so that the mean of a component, on [-1, 1], is at `(mean + 2^16) (levels - 1)`. With S the
table of 2^24 sigmoid, read by linear interpolation, and I the table of 2^24 exp(-log_scale) 2 / (levels - 1),

    z_m(k) = floor(((k + 1/2) 2^17 - mean_m) I_m / 2^25)     the edge above level k, in steps of 2^-16
    C(k)   = sum over m of w_m S(z_m(k))                     C(-1) = 0, C(levels - 1) = 2^24 sum of w
    weight of level k = floor(C(k) / 2^24) - floor(C(k - 1) / 2^24)

S is monotone, so no weight is negative. `frequencies.normalise` makes frequencies of them. The weights w_m are a
softmax, for a later channel times what component m gave to the levels before it.

Beyond 256 levels means count 2^-22 and positions 2^-9 of a level, which fit the same products: the mean is at
`floor((mean + 2^22) (levels - 1) / 2^14)`, and the last shift is by 17. No table of all levels is made: of 2^P places
each level keeps one, and the others are divided by C,

    start of level k = k + floor(floor(C(k - 1) / 2^24) (2^P - levels) / sum of w)

so an interval needs C at its two ends, and the level of a number is found by halving.

Parameters and levels are arrays of numpy or torch, in 64 bits.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from pointillist.engine.arithmetic import Array, bit_length, count_like, int64, interpolate, library_of
from pointillist.engine.head.tables import BITS, MAX_LOG_SCALE, SCALE_STEPS, mean_bits, min_log_scale_of, position_bits
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
    fine, unit = mean_bits(head.levels), position_bits(head.levels)
    position = ((mean + (1 << fine)) * (head.levels - 1)) >> (fine + 1 - unit)
    first = m * (1 + 2 * c + channel * (channel - 1) // 2)
    for before in range(channel):
        coupling = params[..., first + m * before : first + m * (before + 1)]
        level = pixel[..., before : before + 1]
        shifted = interpolate(head.tables["tanh"], coupling) * (2 * level - (head.levels - 1))
        position = position + (shifted >> (17 - unit))
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
    unit = position_bits(head.levels)
    distance = ((level << unit) + (1 << (unit - 1)) - mean).clip(-FARTHEST, FARTHEST)
    return interpolate(head.tables["sigmoid"], (distance * inverse) >> (unit + BITS - 16))


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


class MixtureIntervals:
    """The distribution of a channel of many levels at some sites; see the head of this file.

    Args:
        head: the distribution, its tables in the library of the parameters.
        params: parameters, `[..., p]`, in 64 bits.
        pixel: levels of the pixel, `[..., c]`, in 64 bits.
        channel: the channel.
    """

    def __init__(self, head: IntegerHead, params: Array, pixel: Array, channel: int) -> None:
        self._head, self._places = head, (1 << head.precision) - head.levels
        self._weights = component_weights(head, params, pixel, channel)
        self._mean, self._inverse = mean_and_inverse(head, params, pixel, channel)

    def interval(self, levels: Array) -> tuple[Array, Array]:
        """Return the start and the frequency of levels `[...]`."""
        start = self._starts(int64(levels)[..., None])[..., 0]
        return start, self._starts(int64(levels)[..., None] + 1)[..., 0] - start

    def level_at(self, targets: Array) -> Array:
        """Return the levels `[...]` whose intervals hold these numbers: the last that starts at one or before it."""
        library, level = library_of(targets), 0 * targets
        for bit in reversed(range((self._head.levels - 1).bit_length())):
            higher = level + (1 << bit)
            inside = higher.clip(max=self._head.levels - 1)
            starts = self._starts(inside[..., None])[..., 0]
            level = library.where((starts <= targets) & (higher == inside), higher, level)
        return level

    def frequencies(self) -> Array:
        """Return the frequencies of all levels, `[..., levels]`."""
        starts = self._starts(count_like(self._head.levels + 1, self._mean))
        return starts[..., 1:] - starts[..., :-1]

    def __getitem__(self, sites: Any) -> MixtureIntervals:
        result = copy(self)
        for name in ("_weights", "_mean", "_inverse"):
            setattr(result, name, getattr(self, name)[sites])
        return result

    def _starts(self, levels: Array) -> Array:
        """Return the starts of levels `[..., k]`; of the number of levels, the end of the last."""
        library, total = library_of(self._mean), self._weights.sum(axis=-1)[..., None]
        below = edge(self._head, self._mean[..., None], self._inverse[..., None], levels[..., None, :] - 1)
        inner = (self._weights[..., None] * below).sum(axis=-2) >> BITS
        inner = library.where(levels == 0, 0, library.where(levels == self._head.levels, total, inner))
        return levels + inner * self._places // total
