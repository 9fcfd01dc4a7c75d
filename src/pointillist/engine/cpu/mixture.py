"""Draws from a discretised logistic mixture: `likelihoods.DiscretizedLogisticMixture`, for one sub-pixel.

`parts` holds what is known of the components of the sub-pixel at hand: log-weights, means and inverse scales.
"""

from __future__ import annotations

import math
from typing import Any

from pointillist.engine.cpu.jit import inner
from pointillist.engine.cpu.numbers import log_sigmoid, sigmoid

Array = Any  # numba finds the types

_LEVELS, _CHANNELS, _MIXTURES = 1, 2, 3  # of `how`, see draw.py
WEIGHTS, MEANS, INVERSES = range(3)
"""Rows of `parts`."""
MIN_LOG_SCALE = -7.0  # as in likelihoods.py


@inner
def prepare(s: Array, p: int, channel: int, before: Array, how: Array, parts: Array) -> None:
    """Fill in the parts of a channel, given the channels before it."""
    mixtures = how[_MIXTURES]
    best = -math.inf
    for m in range(mixtures):
        weight = float(s[p + m])
        for earlier in range(channel):
            mean, inverse = _shape(s, p, earlier, before, how, m)
            weight += _component(before[earlier], mean, inverse, how)
        parts[WEIGHTS, m] = weight
        parts[MEANS, m], parts[INVERSES, m] = _shape(s, p, channel, before, how, m)
        best = max(best, weight)
    total = 0.0
    for m in range(mixtures):
        total += math.exp(parts[WEIGHTS, m] - best)
    shift = best + math.log(total)
    for m in range(mixtures):
        parts[WEIGHTS, m] -= shift


@inner
def _shape(s: Array, p: int, channel: int, before: Array, how: Array, m: int) -> tuple[float, float]:
    """Mean, shifted by the channels before it, and inverse scale of a component."""
    mixtures, channels = how[_MIXTURES], how[_CHANNELS]
    mean = float(s[p + mixtures * (1 + channel) + m])
    log_scale = max(float(s[p + mixtures * (1 + channels + channel) + m]), MIN_LOG_SCALE)
    first = p + mixtures * (1 + 2 * channels + channel * (channel - 1) // 2) + m
    for earlier in range(channel):
        mean += math.tanh(float(s[first + mixtures * earlier])) * _scaled(before[earlier], how)
    return mean, math.exp(-log_scale)


@inner
def _scaled(level: int, how: Array) -> Any:
    return level * (2.0 / (how[_LEVELS] - 1)) - 1.0


@inner
def _component(level: int, mean: float, inverse: float, how: Array) -> float:
    """Log-probability of a level under one component; the edge levels own the tails."""
    distance = (_scaled(level, how) - mean) * inverse
    half = inverse / (how[_LEVELS] - 1)
    if level == 0:
        return log_sigmoid(distance + half)
    if level == how[_LEVELS] - 1:
        return log_sigmoid(half - distance)
    return log_sigmoid(distance + half) + log_sigmoid(half - distance) + math.log(-math.expm1(-2 * half))


@inner
def mixture_log_prob(level: int, how: Array, parts: Array) -> float:
    """Log-probability of one level, in nats."""
    best, total = -math.inf, 0.0
    for m in range(how[_MIXTURES]):
        term = parts[WEIGHTS, m] + _component(level, parts[MEANS, m], parts[INVERSES, m], how)
        if term > best:
            total, best = total * math.exp(best - term) + 1.0, term
        else:
            total += math.exp(term - best)
    return best + math.log(total)


@inner
def mixture_table(how: Array, parts: Array, table: Array) -> None:
    """Log-probabilities of all levels."""
    for level in range(how[_LEVELS]):
        table[level] = mixture_log_prob(level, how, parts)


@inner
def invert(how: Array, parts: Array, uniform: float) -> int:
    """The first level whose cumulative probability exceeds the uniform, by bisection."""
    low, high = 0, how[_LEVELS] - 1
    bin_width = 1.0 / (how[_LEVELS] - 1)
    while low < high:
        middle = (low + high) // 2
        upper = _scaled(middle, how) + bin_width
        cumulative = 0.0
        for m in range(how[_MIXTURES]):
            share = sigmoid((upper - parts[MEANS, m]) * parts[INVERSES, m])
            cumulative += math.exp(parts[WEIGHTS, m]) * share
        if cumulative > uniform:
            high = middle
        else:
            low = middle + 1
    return low
