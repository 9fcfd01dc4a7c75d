"""Draws from a discretised logistic mixture: `likelihoods.DiscretizedLogisticMixture`, for one sub-pixel."""

from __future__ import annotations

import math
from typing import Any

from pointillist.engine.cpu.jit import inner
from pointillist.engine.cpu.numbers import log_sigmoid, sigmoid

Array = Any  # numba finds the types

_LEVELS, _CHANNELS, _MIXTURES = 1, 2, 3  # of `how`, see draw.py
MIN_LOG_SCALE = -7.0  # as in likelihoods.py


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
def mixture_weights(s: Array, p: int, channel: int, before: Array, how: Array, weights: Array) -> None:
    """Log-weights of the components, given the channels before this one."""
    mixtures = how[_MIXTURES]
    best = -math.inf
    for m in range(mixtures):
        weight = float(s[p + m])
        for earlier in range(channel):
            mean, inverse = _shape(s, p, earlier, before, how, m)
            weight += _component(before[earlier], mean, inverse, how)
        weights[m] = weight
        best = max(best, weight)
    total = 0.0
    for m in range(mixtures):
        total += math.exp(weights[m] - best)
    shift = best + math.log(total)
    for m in range(mixtures):
        weights[m] -= shift


@inner
def mixture_log_prob(s: Array, p: int, channel: int, before: Array, level: int, how: Array, weights: Array) -> float:
    """Log-probability of one level, in nats."""
    best, total = -math.inf, 0.0
    for m in range(how[_MIXTURES]):
        mean, inverse = _shape(s, p, channel, before, how, m)
        term = weights[m] + _component(level, mean, inverse, how)
        if term > best:
            total, best = total * math.exp(best - term) + 1.0, term
        else:
            total += math.exp(term - best)
    return best + math.log(total)


@inner
def mixture_table(s: Array, p: int, channel: int, before: Array, how: Array, weights: Array, table: Array) -> None:
    """Log-probabilities of all levels."""
    for level in range(how[_LEVELS]):
        table[level] = mixture_log_prob(s, p, channel, before, level, how, weights)


@inner
def invert(s: Array, p: int, channel: int, before: Array, how: Array, weights: Array, uniform: float) -> int:
    """The first level whose cumulative probability exceeds the uniform, by bisection."""
    low, high = 0, how[_LEVELS] - 1
    while low < high:
        middle = (low + high) // 2
        cumulative = 0.0
        for m in range(how[_MIXTURES]):
            mean, inverse = _shape(s, p, channel, before, how, m)
            upper = (_scaled(middle, how) - mean + 1.0 / (how[_LEVELS] - 1)) * inverse
            cumulative += math.exp(weights[m]) * sigmoid(upper)
        if cumulative > uniform:
            high = middle
        else:
            low = middle + 1
    return low
