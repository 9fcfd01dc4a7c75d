"""Sample a categorical distribution in two factors: `distributions/factored.py`, for one sub-pixel, in float64.

`parts` holds the components: their log-weights less the logarithms of the sums of the factors. HIGH is for the high
digit alone; WHOLE for both digits, where all low digits exist; LAST for both, with the last high digit.
"""

from __future__ import annotations

import math
from typing import Any

from pointillist.engine.cpu.jit import inner

Array = Any  # numba finds the types

_LEVELS, _MIXTURES = 1, 3  # of `spec`, see inverse_cdf.py
WHOLE, LAST, HIGH = range(3)
"""Rows of `parts`."""


@inner
def low_digits(levels: int) -> int:
    """Return the number of low digits, the root of the levels rounded up."""
    low = int(math.sqrt(levels))
    while low * low < levels:
        low += 1
    return low


@inner
def _log_sum(s: Array, first: int, count: int) -> float:
    """Return the logarithm of the sum of exponentials of `s[first:first+count]`."""
    best, total = float(s[first]), 0.0
    for k in range(count):
        best = max(best, float(s[first + k]))
    for k in range(count):
        total += math.exp(float(s[first + k]) - best)
    return best + math.log(total)


@inner
def first_parameter(p: int, channel: int, spec: Array) -> Any:
    """Return the offset of the parameters of a channel."""
    low = low_digits(spec[_LEVELS])
    high = (spec[_LEVELS] + low - 1) // low
    return p + channel * spec[_MIXTURES] * (1 + high + low)


@inner
def prepare_factored(s: Array, p: int, channel: int, spec: Array, parts: Array) -> None:
    """Compute the parts of a channel, whose parameters begin at `first_parameter`."""
    mixtures, low = spec[_MIXTURES], low_digits(spec[_LEVELS])
    high = (spec[_LEVELS] + low - 1) // low
    rest = spec[_LEVELS] - (high - 1) * low
    first = first_parameter(p, channel, spec)
    weights = _log_sum(s, first, mixtures)
    for m in range(mixtures):
        highs, lows = first + mixtures + m * high, first + mixtures * (1 + high) + m * low
        shared = float(s[first + m]) - weights - _log_sum(s, highs, high)
        parts[HIGH, m] = shared
        parts[WHOLE, m] = shared - _log_sum(s, lows, low)
        parts[LAST, m] = shared - _log_sum(s, lows, rest)


@inner
def factored_log_prob(s: Array, p: int, channel: int, level: int, spec: Array, parts: Array) -> float:
    """Return the log-probability of one level, in nats."""
    mixtures, low = spec[_MIXTURES], low_digits(spec[_LEVELS])
    high = (spec[_LEVELS] + low - 1) // low
    first = first_parameter(p, channel, spec)
    h, below = level // low, level % low
    row = LAST if h == high - 1 else WHOLE
    best, total = -math.inf, 0.0
    for m in range(mixtures):
        here = float(s[first + mixtures + m * high + h]) + float(s[first + mixtures * (1 + high) + m * low + below])
        term = parts[row, m] + here
        if term > best:
            total, best = total * math.exp(best - term) + 1.0, term
        else:
            total += math.exp(term - best)
    return best + math.log(total)


@inner
def factored_log_probs(s: Array, p: int, channel: int, spec: Array, parts: Array, log_probs: Array) -> None:
    """Compute the log-probabilities of all levels."""
    for level in range(spec[_LEVELS]):
        log_probs[level] = factored_log_prob(s, p, channel, level, spec, parts)


@inner
def draw_factored(s: Array, p: int, channel: int, uniform: float, spec: Array, parts: Array) -> int:
    """Return the first level whose cumulative probability exceeds the uniform: its high digit, then its low digit."""
    mixtures, low = spec[_MIXTURES], low_digits(spec[_LEVELS])
    high = (spec[_LEVELS] + low - 1) // low
    rest = spec[_LEVELS] - (high - 1) * low
    first = first_parameter(p, channel, spec)
    lows = first + mixtures * (1 + high)
    running, h = 0.0, 0
    for k in range(high):
        mass = 0.0
        for m in range(mixtures):
            mass += math.exp(parts[HIGH, m] + float(s[first + mixtures + m * high + k]))
        if mass > 0:
            h = k
            if running + mass > uniform:
                break
        running += mass
    result = 0
    count, row = (rest, LAST) if h == high - 1 else (low, WHOLE)
    for k in range(count):
        mass = 0.0
        for m in range(mixtures):
            shared = parts[row, m] + float(s[first + mixtures + m * high + h])
            mass += math.exp(shared + float(s[lows + m * low + k]))
        if mass > 0:
            result = k
            running += mass
            if running > uniform:
                break
    return h * low + result
