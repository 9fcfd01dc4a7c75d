"""Frequencies in compiled code, with the bits of `engine/head/frequencies.py`, and draws by inverse CDF."""

from __future__ import annotations

from typing import Any

import numpy as np

from pointillist.engine.cpu.integer.mixture import mixture_weights
from pointillist.engine.cpu.jit import inner

Array = Any  # numba finds the types

KIND, LEVELS, CHANNELS, PRECISION, EXP, EXP_SIZE = range(6)
"""Fields of the specification of a distribution; EXP is the offset of its table in `c`."""
BERNOULLI, CATEGORICAL, MIXTURE = 0, 1, 2


@inner
def weights_of(s: Array, c: Array, p: int, channel: Any, spec: Array, result: Array) -> Any:
    """Set the weights e_k of the levels of a channel; return their sum."""
    levels, last = spec[LEVELS], spec[EXP_SIZE] - 1
    if spec[KIND] == BERNOULLI:
        logit = np.int64(s[p + channel])
        largest = max(logit, np.int64(0))
        result[0] = c[spec[EXP] + min(largest, last)]
        result[1] = c[spec[EXP] + min(largest - logit, last)]
        return result[0] + result[1]
    first = p + channel * levels
    largest = np.int64(s[first])
    for k in range(1, levels):
        largest = max(largest, np.int64(s[first + k]))
    total = np.int64(0)
    for k in range(levels):
        weight = np.int64(c[spec[EXP] + min(largest - np.int64(s[first + k]), last)])
        result[k] = weight
        total += weight
    return total


@inner
def frequencies(
    s: Array, c: Array, p: int, channel: Any, pixel: Array, spec: Array, parts: Array, result: Array
) -> None:
    """Set the frequencies of the levels of a channel: at least 1 each, `2 ** precision` in all.

    Args:
        pixel: levels of the pixel, of which those before the channel are read where channels are coupled.
        parts: scratch memory of the components of a mixture, `[3, mixtures]`.
    """
    if spec[KIND] == MIXTURE:
        total = mixture_weights(s, c, p, channel, pixel, spec, parts, result)
    else:
        total = weights_of(s, c, p, channel, spec, result)
    levels, precision = spec[LEVELS], spec[PRECISION]
    ratio = (np.int64(1) << (precision + 32)) // total
    best: Any = np.int64(0)
    most, missing = np.int64(-1), np.int64(1) << precision
    for k in range(levels):
        frequency = max(np.int64(1), (result[k] * ratio) >> 32)
        result[k] = frequency
        missing -= frequency
        if frequency > most:
            best, most = k, frequency
    result[best] += missing


@inner
def draw(result: Array, levels: Any, target: Any) -> Any:
    """Return the first level whose cumulative frequency exceeds the target."""
    reached = np.int64(0)
    for k in range(levels):
        reached += result[k]
        if reached > target:
            return k
    return levels - 1


@inner
def start_of(result: Array, level: Any) -> Any:
    """Return the sum of the frequencies below a level."""
    reached = np.int64(0)
    for k in range(level):
        reached += result[k]
    return reached
