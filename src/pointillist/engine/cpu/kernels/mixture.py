"""Sample a discretised logistic mixture: `likelihoods.DiscretizedLogisticMixture`, for one sub-pixel, in float64.

`parts` holds the components of the current sub-pixel: log-weights, means and inverse scales (Salimans et al. 2017).
"""

from __future__ import annotations

import math
from typing import Any

from pointillist.engine.cpu.jit import inner

Array = Any  # numba finds the types

_LEVELS, _CHANNELS, _MIXTURES, _MIN_LOG_SCALE = 1, 2, 3, 6  # of `spec`, see inverse_cdf.py
WEIGHTS, MEANS, INVERSES = range(3)
"""Rows of `parts`."""


@inner
def log_sigmoid(x: float) -> float:
    """Return log(1 / (1 + e^-x)), for any x."""
    return -math.log1p(math.exp(-x)) if x >= 0 else x - math.log1p(math.exp(x))


@inner
def sigmoid(x: float) -> float:
    """Return 1 / (1 + e^-x), for any x."""
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    power = math.exp(x)
    return power / (1.0 + power)


@inner
def prepare(s: Array, p: int, channel: int, before: Array, spec: Array, parts: Array) -> None:
    """Compute the parts of a channel, given the channels before it."""
    mixtures = spec[_MIXTURES]
    best = -math.inf
    for m in range(mixtures):
        weight = float(s[p + m])
        for earlier in range(channel):
            mean, inverse = _shape(s, p, earlier, before, spec, m)
            weight += _component(before[earlier], mean, inverse, spec)
        parts[WEIGHTS, m] = weight
        parts[MEANS, m], parts[INVERSES, m] = _shape(s, p, channel, before, spec, m)
        best = max(best, weight)
    total = 0.0
    for m in range(mixtures):
        total += math.exp(parts[WEIGHTS, m] - best)
    shift = best + math.log(total)
    for m in range(mixtures):
        parts[WEIGHTS, m] -= shift


@inner
def _shape(s: Array, p: int, channel: int, before: Array, spec: Array, m: int) -> tuple[float, float]:
    """Return the mean, shifted by the channels before it, and the inverse scale of a component."""
    mixtures, channels = spec[_MIXTURES], spec[_CHANNELS]
    mean = float(s[p + mixtures * (1 + channel) + m])
    log_scale = max(float(s[p + mixtures * (1 + channels + channel) + m]), spec[_MIN_LOG_SCALE])
    first = p + mixtures * (1 + 2 * channels + channel * (channel - 1) // 2) + m
    for earlier in range(channel):
        mean += math.tanh(float(s[first + mixtures * earlier])) * _scaled(before[earlier], spec)
    return mean, math.exp(-log_scale)


@inner
def _scaled(level: int, spec: Array) -> Any:
    return level * (2.0 / (spec[_LEVELS] - 1)) - 1.0


@inner
def _component(level: int, mean: float, inverse: float, spec: Array) -> float:
    """Return the log-probability of a level under one component; the edge levels take the tails."""
    distance = (_scaled(level, spec) - mean) * inverse
    half = inverse / (spec[_LEVELS] - 1)
    if level == 0:
        return log_sigmoid(distance + half)
    if level == spec[_LEVELS] - 1:
        return log_sigmoid(half - distance)
    return log_sigmoid(distance + half) + log_sigmoid(half - distance) + math.log(-math.expm1(-2 * half))


@inner
def mixture_log_prob(level: int, spec: Array, parts: Array) -> float:
    """Return the log-probability of one level, in nats."""
    best, total = -math.inf, 0.0
    for m in range(spec[_MIXTURES]):
        term = parts[WEIGHTS, m] + _component(level, parts[MEANS, m], parts[INVERSES, m], spec)
        if term > best:
            total, best = total * math.exp(best - term) + 1.0, term
        else:
            total += math.exp(term - best)
    return best + math.log(total)


@inner
def mixture_log_probs(spec: Array, parts: Array, log_probs: Array) -> None:
    """Compute the log-probabilities of all levels."""
    for level in range(spec[_LEVELS]):
        log_probs[level] = mixture_log_prob(level, spec, parts)


@inner
def invert(spec: Array, parts: Array, uniform: float, shares: Array) -> int:
    """Return the first level whose cumulative probability exceeds the uniform, by bisection; `shares` is scratch."""
    for m in range(spec[_MIXTURES]):
        shares[m] = math.exp(parts[WEIGHTS, m])
    low, high = 0, spec[_LEVELS] - 1
    bin_width = 1.0 / (spec[_LEVELS] - 1)
    while low < high:
        middle = (low + high) // 2
        upper = _scaled(middle, spec) + bin_width
        cumulative = 0.0
        for m in range(spec[_MIXTURES]):
            cumulative += shares[m] * sigmoid((upper - parts[MEANS, m]) * parts[INVERSES, m])
        if cumulative > uniform:
            high = middle
        else:
            low = middle + 1
    return low
