"""Draws: from parameters to a level, by inverting the cumulative distribution, in float64.

What `likelihoods.py` says of one sub-pixel, and `sampling.py` of guidance, temperature and top-p, for one image at a
time. Where nothing bends the probabilities, a mixture is inverted by bisection; else all levels are tabulated.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pointillist.engine.cpu.jit import inner
from pointillist.engine.cpu.mixture import invert, mixture_log_prob, mixture_table, prepare
from pointillist.engine.cpu.numbers import log_sigmoid
from pointillist.engine.cpu.softmax import exp_and_sum, largest

Array = Any  # numba finds the types

# `how`: what is drawn
KIND, LEVELS, CHANNELS, MIXTURES, GUIDED, BENT = range(6)
BERNOULLI, CATEGORICAL, MIXTURE = range(3)
# `bend`: what is done to the probabilities
GUIDANCE, TEMPERATURE, TOP_P = range(3)


@inner
def log_table(s: Array, p: int, channel: int, before: Array, how: Array, parts: Array, table: Array) -> None:
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
        prepare(s, p, channel, before, how, parts)
        mixture_table(how, parts, table)


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
def apply_guidance_temperature_top_p(
    told: Array, untold: Array, guided: bool, bend: Array, count: int, order: Array, kept: Array
) -> None:
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
        argsort_descending(told, count, order, kept)
        before = 0.0
        for i in range(count):
            probability = math.exp(told[order[i]])
            if before >= bend[TOP_P]:
                told[order[i]] = -np.inf
            before += probability


@inner
def argsort_descending(table: Array, count: int, order: Array, spare: Array) -> None:
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
def softmax(s: Array, x: int, count: int, scratch: Array) -> None:
    """Probabilities times their sum in the first row of the scratch; in the second, that sum and the largest number."""
    best = float(largest(s, x, count))
    scratch[1, 1] = best
    scratch[1, 0] = exp_and_sum(scratch[0], 0, s, x, count, best, 1.0)


@inner
def pick(probabilities: Array, count: int, total: float, uniform: float) -> int:
    """The first level whose cumulative probability exceeds the uniform's share of the total."""
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
    s: Array, p: int, untold: int, channel: int, before: Array, uniform: float, how: Array, bend: Array,
    scratch: Array, order: Array,
) -> int:  # fmt: skip
    """A level of a channel of one image; `untold` is where the parameters without label are."""
    levels = how[LEVELS]
    if how[BENT]:
        log_table(s, p, channel, before, how, scratch[2:], scratch[0])
        if how[GUIDED]:
            log_table(s, untold, channel, before, how, scratch[2:], scratch[1])
        apply_guidance_temperature_top_p(scratch[0], scratch[1], how[GUIDED] != 0, bend, levels, order[0], order[1])
        total = 0.0
        for k in range(levels):
            scratch[0, k] = math.exp(scratch[0, k])
            total += scratch[0, k]
        return pick(scratch[0], levels, total, uniform)
    if how[KIND] == BERNOULLI:
        zero = math.exp(log_sigmoid(-float(s[p + channel])))
        return 0 if zero > uniform * (zero + math.exp(log_sigmoid(float(s[p + channel])))) else 1
    if how[KIND] == CATEGORICAL:
        softmax(s, p + channel * levels, levels, scratch)
        return pick(scratch[0], levels, scratch[1, 0], uniform)
    prepare(s, p, channel, before, how, scratch[2:])
    return invert(how, scratch[2:], uniform)


@inner
def log_prob(s: Array, p: int, channel: int, before: Array, level: int, how: Array, scratch: Array) -> Any:
    """Log-probability of a level, just drawn, under the model as it is, in nats."""
    if how[KIND] == BERNOULLI:
        logit = float(s[p + channel])
        return log_sigmoid(logit if level else -logit)
    if how[KIND] == CATEGORICAL:
        first = p + channel * how[LEVELS]
        if how[BENT]:
            softmax(s, first, how[LEVELS], scratch)
        return float(s[first + level]) - scratch[1, 1] - math.log(scratch[1, 0])
    if how[BENT]:
        prepare(s, p, channel, before, how, scratch[2:])
    return mixture_log_prob(level, how, scratch[2:])
