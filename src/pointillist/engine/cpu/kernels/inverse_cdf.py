"""Inverse-CDF sampling: from parameters to a level, in float64.

This is `distributions/likelihoods.py` and `distributions/sampling_transforms.py` for one sub-pixel of one image.
Without guidance, temperature and top-p a mixture is inverted by bisection; otherwise the probabilities of all levels
are computed.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from pointillist.engine.cpu.jit import inner
from pointillist.engine.cpu.kernels.factored import (
    draw_factored,
    factored_log_prob,
    factored_log_probs,
    prepare_factored,
)
from pointillist.engine.cpu.kernels.mixture import invert, log_sigmoid, mixture_log_prob, mixture_log_probs, prepare
from pointillist.engine.cpu.kernels.softmax import exp_and_sum, largest

Array = Any  # numba finds the types

# `spec`: the distribution
KIND, LEVELS, CHANNELS, MIXTURES, GUIDED, TRANSFORMED, MIN_LOG_SCALE = range(7)
BERNOULLI, CATEGORICAL, MIXTURE, FACTORED = range(4)
# `transform`: what is done to the probabilities
GUIDANCE, TEMPERATURE, TOP_P = range(3)


class DrawArrays(NamedTuple):
    """The distribution of a draw, its transform, and arrays to compute in.

    Attributes:
        spec: the distribution, six integers.
        transform: guidance, temperature and top-p.
        scratch: float64 `[6, n]`, n at least the levels and the mixtures; the last row is for draws within a domain.
        order: int64 `[2, levels]`.
    """

    spec: Array
    transform: Array
    scratch: Array
    order: Array


@inner
def level_log_probs(s: Array, p: int, channel: int, before: Array, spec: Array, parts: Array, log_probs: Array) -> None:
    """Compute log-probabilities of all levels of a channel, given the channels before it; its parameters begin at p."""
    levels = spec[LEVELS]
    if spec[KIND] == BERNOULLI:
        logit = float(s[p + channel])
        log_probs[0], log_probs[1] = log_sigmoid(-logit), log_sigmoid(logit)
    elif spec[KIND] == CATEGORICAL:
        for k in range(levels):
            log_probs[k] = s[p + channel * levels + k]
        log_softmax(log_probs, levels)
    elif spec[KIND] == FACTORED:
        prepare_factored(s, p, channel, spec, parts)
        factored_log_probs(s, p, channel, spec, parts, log_probs)
    else:
        prepare(s, p, channel, before, spec, parts)
        mixture_log_probs(spec, parts, log_probs)


@inner
def highest(log_probs: Array, count: int) -> Any:
    """Return the largest number."""
    best = log_probs[0]
    for k in range(1, count):
        best = max(best, log_probs[k])
    return best


@inner
def log_softmax(log_probs: Array, count: int) -> None:
    """Renormalise log-probabilities."""
    best, total = highest(log_probs, count), 0.0
    for k in range(count):
        total += math.exp(log_probs[k] - best)
    shift = best + math.log(total)
    for k in range(count):
        log_probs[k] -= shift


@inner
def apply_guidance(conditional: Array, unconditional: Array, transform: Array, count: int) -> None:
    """Apply guidance to the log-probabilities `conditional`."""
    for k in range(count):
        conditional[k] = unconditional[k] + transform[GUIDANCE] * (conditional[k] - unconditional[k])
    log_softmax(conditional, count)


@inner
def apply_temperature_top_p(conditional: Array, transform: Array, count: int, order: Array, kept: Array) -> None:
    """Apply temperature and then top-p to the log-probabilities `conditional`."""
    temperature = transform[TEMPERATURE]
    if temperature == 0:
        best = highest(conditional, count)
        first = 0
        while conditional[first] < best:
            first += 1
        for k in range(count):
            conditional[k] = 0.0 if k == first else -np.inf
        return
    if temperature != 1:
        best = highest(conditional, count)
        for k in range(count):
            conditional[k] = (conditional[k] - best) / temperature
        log_softmax(conditional, count)
    if transform[TOP_P] < 1:
        argsort_descending(conditional, count, order, kept)
        before = 0.0
        for i in range(count):
            probability = math.exp(conditional[order[i]])
            if before >= transform[TOP_P]:
                conditional[order[i]] = -np.inf
            before += probability


@inner
def argsort_descending(log_probs: Array, count: int, order: Array, spare: Array) -> None:
    """Sort levels by falling probability, stable: a merge sort."""
    for k in range(count):
        order[k] = k
    width = 1
    while width < count:
        for start in range(0, count, 2 * width):
            i, middle = start, min(start + width, count)
            j, end = middle, min(start + 2 * width, count)
            for k in range(start, end):
                if i < middle and (j >= end or log_probs[order[i]] >= log_probs[order[j]]):
                    spare[k] = order[i]
                    i += 1
                else:
                    spare[k] = order[j]
                    j += 1
        for k in range(count):
            order[k] = spare[k]
        width *= 2


@inner
def softmax(s: Array, x: int, count: int, scratch: Array) -> None:
    """Write unnormalised probabilities to row 0 of the scratch, their sum and the largest logit to row 1."""
    best = float(largest(s, x, count))
    scratch[1, 1] = best
    scratch[1, 0] = exp_and_sum(scratch[0], 0, s, x, count, best, 1.0)


@inner
def pick(probabilities: Array, count: int, total: float, uniform: float) -> int:
    """Return the first level whose cumulative probability exceeds the uniform times the total."""
    running, last, share = 0.0, 0, uniform * total
    for k in range(count):
        running += probabilities[k]
        if probabilities[k] > 0:
            last = k
            if running > share:
                break
    return last


@inner
def draw(
    s: Array,
    p: int,
    unconditional: int,
    channel: int,
    before: Array,
    uniform: float,
    how: DrawArrays,
) -> int:
    """Draw a level of a channel of one image; `unconditional` is the offset of the unconditional parameters."""
    spec, transform, scratch, order = how
    levels = spec[LEVELS]
    if spec[TRANSFORMED]:
        level_log_probs(s, p, channel, before, spec, scratch[2:], scratch[0])
        if spec[GUIDED]:
            level_log_probs(s, unconditional, channel, before, spec, scratch[2:], scratch[1])
            apply_guidance(scratch[0], scratch[1], transform, levels)
        apply_temperature_top_p(scratch[0], transform, levels, order[0], order[1])
        total = 0.0
        for k in range(levels):
            scratch[0, k] = math.exp(scratch[0, k])
            total += scratch[0, k]
        return pick(scratch[0], levels, total, uniform)
    if spec[KIND] == BERNOULLI:
        zero = math.exp(log_sigmoid(-float(s[p + channel])))
        return 0 if zero > uniform * (zero + math.exp(log_sigmoid(float(s[p + channel])))) else 1
    if spec[KIND] == CATEGORICAL:
        softmax(s, p + channel * levels, levels, scratch)
        return pick(scratch[0], levels, scratch[1, 0], uniform)
    if spec[KIND] == FACTORED:
        prepare_factored(s, p, channel, spec, scratch[2:])
        return draw_factored(s, p, channel, uniform, spec, scratch[2:])
    prepare(s, p, channel, before, spec, scratch[2:])
    return invert(spec, scratch[2:], uniform, scratch[0])


@inner
def log_prob(s: Array, p: int, channel: int, before: Array, level: int, spec: Array, scratch: Array) -> Any:
    """Return the log-probability of a level, just drawn, under the model without transforms, in nats."""
    if spec[KIND] == BERNOULLI:
        logit = float(s[p + channel])
        return log_sigmoid(logit if level else -logit)
    if spec[KIND] == CATEGORICAL:
        first = p + channel * spec[LEVELS]
        if spec[TRANSFORMED]:
            softmax(s, first, spec[LEVELS], scratch)
        return float(s[first + level]) - scratch[1, 1] - math.log(scratch[1, 0])
    if spec[KIND] == FACTORED:
        if spec[TRANSFORMED]:
            prepare_factored(s, p, channel, spec, scratch[2:])
        return factored_log_prob(s, p, channel, level, spec, scratch[2:])
    if spec[TRANSFORMED]:
        prepare(s, p, channel, before, spec, scratch[2:])
    return mixture_log_prob(level, spec, scratch[2:])


@inner
def score(s: Array, p: int, channel: int, before: Array, level: int, spec: Array, scratch: Array) -> Any:
    """Return the log-probability of a known level under the model without transforms, in nats."""
    if spec[KIND] == CATEGORICAL:
        softmax(s, p + channel * spec[LEVELS], spec[LEVELS], scratch)
    elif spec[KIND] == FACTORED:
        prepare_factored(s, p, channel, spec, scratch[2:])
    elif spec[KIND] == MIXTURE:
        prepare(s, p, channel, before, spec, scratch[2:])
    return log_prob(s, p, channel, before, level, spec, scratch)
