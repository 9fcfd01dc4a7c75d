"""Draws: from parameters to a level, by inverting the cumulative distribution, in float64.

What `likelihoods.py` says of one sub-pixel, and `sampling.py` of guidance, temperature and top-p, for one image at a
time. Where nothing bends the probabilities, a mixture is inverted by bisection; else all levels are tabulated.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pointillist.engine.cpu.exponential import exponentials
from pointillist.engine.cpu.jit import inner
from pointillist.engine.cpu.mixture import invert, mixture_log_prob, mixture_table, mixture_weights
from pointillist.engine.cpu.numbers import log_sigmoid

Array = Any  # numba finds the types

# `how`: what is drawn
KIND, LEVELS, CHANNELS, MIXTURES, GUIDED, BENT = range(6)
BERNOULLI, CATEGORICAL, MIXTURE = range(3)
# `bend`: what is done to the probabilities
GUIDANCE, TEMPERATURE, TOP_P = range(3)


@inner
def log_table(s: Array, p: int, channel: int, before: Array, how: Array, weights: Array, table: Array) -> None:
    """Log-probabilities of all levels of a channel, whose parameters begin at p, given the channels before it."""
    levels = how[LEVELS]
    if how[KIND] == BERNOULLI:
        logit = float(s[p + channel])
        table[0], table[1] = log_sigmoid(-logit), log_sigmoid(logit)
    elif how[KIND] == CATEGORICAL:
        for k in range(levels):
            table[k] = s[p + channel * levels + k]
        log_softmax(table, levels)
    else:
        mixture_weights(s, p, channel, before, how, weights)
        mixture_table(s, p, channel, before, how, weights, table)


@inner
def highest(table: Array, count: int) -> Any:
    """The largest number."""
    best = table[0]
    for k in range(1, count):
        best = max(best, table[k])
    return best


@inner
def log_softmax(table: Array, count: int) -> None:
    """Renormalise log-probabilities."""
    best, total = highest(table, count), 0.0
    for k in range(count):
        total += math.exp(table[k] - best)
    shift = best + math.log(total)
    for k in range(count):
        table[k] -= shift


@inner
def bent(told: Array, untold: Array, guided: bool, bend: Array, count: int, order: Array, kept: Array) -> None:
    """Guidance, temperature and top-p, in this order, on the log-probabilities `told`."""
    if guided:
        for k in range(count):
            told[k] = untold[k] + bend[GUIDANCE] * (told[k] - untold[k])
        log_softmax(told, count)
    temperature = bend[TEMPERATURE]
    if temperature == 0:
        best = highest(told, count)
        first = 0
        while told[first] < best:
            first += 1
        for k in range(count):
            told[k] = 0.0 if k == first else -np.inf
        return
    if temperature != 1:
        best = highest(told, count)
        for k in range(count):
            told[k] = (told[k] - best) / temperature
        log_softmax(told, count)
    if bend[TOP_P] < 1:
        likeliest_first(told, count, order, kept)
        before = 0.0
        for i in range(count):
            probability = math.exp(told[order[i]])
            if before >= bend[TOP_P]:
                told[order[i]] = -np.inf
            before += probability


@inner
def likeliest_first(table: Array, count: int, order: Array, spare: Array) -> None:
    """The levels in falling order of their probability, equal ones as they come: a merge sort."""
    for k in range(count):
        order[k] = k
    width = 1
    while width < count:
        for start in range(0, count, 2 * width):
            i, middle = start, min(start + width, count)
            j, end = middle, min(start + 2 * width, count)
            for k in range(start, end):
                if i < middle and (j >= end or table[order[i]] >= table[order[j]]):
                    spare[k] = order[i]
                    i += 1
                else:
                    spare[k] = order[j]
                    j += 1
        for k in range(count):
            order[k] = spare[k]
        width *= 2


@inner
def pick(probabilities: Array, count: int, uniform: float) -> int:
    """The first level whose cumulative probability exceeds the uniform's share of the total."""
    total = 0.0
    for k in range(count):
        total += probabilities[k]
    level, running, last = -1, 0.0, 0
    for k in range(count):
        running += probabilities[k]
        if probabilities[k] > 0:
            last = k
            if level < 0 and running > uniform * total:
                level = k
                break
    return last if level < 0 else level


@inner
def draw(
    s: Array, p: int, untold: int, channel: int, before: Array, uniform: float, how: Array, bend: Array,
    scratch: Array, order: Array,
) -> int:  # fmt: skip
    """A level of a channel of one image; `untold` is where the parameters without label are."""
    levels = how[LEVELS]
    if how[BENT]:
        log_table(s, p, channel, before, how, scratch[2], scratch[0])
        if how[GUIDED]:
            log_table(s, untold, channel, before, how, scratch[2], scratch[1])
        bent(scratch[0], scratch[1], how[GUIDED] != 0, bend, levels, order[0], order[1])
        for k in range(levels):
            scratch[0, k] = math.exp(scratch[0, k])
        return pick(scratch[0], levels, uniform)
    if how[KIND] == BERNOULLI:
        zero = math.exp(log_sigmoid(-float(s[p + channel])))
        return 0 if zero > uniform * (zero + math.exp(log_sigmoid(float(s[p + channel])))) else 1
    if how[KIND] == CATEGORICAL:
        first = p + channel * levels
        best = s[first]
        for k in range(1, levels):
            best = max(best, s[first + k])
        exponentials(scratch[0], 0, s, first, levels, float(best))
        return pick(scratch[0], levels, uniform)
    mixture_weights(s, p, channel, before, how, scratch[2])
    return invert(s, p, channel, before, how, scratch[2], uniform)


@inner
def log_prob(s: Array, p: int, channel: int, before: Array, level: int, how: Array, scratch: Array) -> float:
    """Log-probability of a level under the model as it is, in nats."""
    if how[KIND] == BERNOULLI:
        logit = float(s[p + channel])
        return log_sigmoid(logit if level else -logit)
    if how[KIND] == CATEGORICAL:
        levels = how[LEVELS]
        first = p + channel * levels
        best = s[first]
        for k in range(1, levels):
            best = max(best, s[first + k])
        exponentials(scratch[0], 0, s, first, levels, float(best))
        total = 0.0
        for k in range(levels):
            total += scratch[0, k]
        return float(s[first + level]) - float(best) - math.log(total)
    mixture_weights(s, p, channel, before, how, scratch[2])
    return mixture_log_prob(s, p, channel, before, level, how, scratch[2])
