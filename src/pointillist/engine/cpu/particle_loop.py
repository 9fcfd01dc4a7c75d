"""Entry point of compiled code for particles: draw rows of an image, weigh histories, and copy the state of survivors.

References:
    Doucet, de Freitas & Gordon 2001, "Sequential Monte Carlo Methods in Practice".
    Carpenter, Clifford & Fearnhead 1999, "Improved particle filter for nonlinear problems" (systematic resampling).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pointillist.engine.cpu import bytecode as bc
from pointillist.engine.cpu.jit import entry, inner
from pointillist.engine.cpu.kernels.inverse_cdf import GUIDED, KIND, LEVELS, MIXTURE, MIXTURES, draw, score
from pointillist.engine.cpu.sample_loop import write_canvas
from pointillist.engine.cpu.vm import NONE, begin_row, execute
from pointillist.engine.particles import DRAWN, WEIGHED

Array = Any  # numba finds the types


@inner
def draw_or_weigh(
    s: Array,
    line: Array,
    row: int,
    column: int,
    channel: int,
    role: int,
    spec: Array,
    transform: Array,
    levels: Array,
    uniforms: Array,
    log_weights: Array,
    scratch: Array,
    order: Array,
) -> None:
    """Draw a channel of every particle, or multiply the weights by the probability of its known level."""
    count = levels.shape[0]
    for b in range(count):
        p = line[bc.X] + column * line[bc.X_COLUMN] + b * line[bc.X_OUTER]
        before = levels[b, :, row, column]
        if role == DRAWN:
            levels[b, channel, row, column] = draw(
                s,
                p,
                p + count * line[bc.X_OUTER],
                channel,
                before,
                uniforms[b, channel, row, column],
                spec,
                transform,
                scratch,
                order,
            )
        elif role == WEIGHED:
            log_weights[b] += score(s, p, channel, before, levels[b, channel, row, column], spec, scratch)


@inner
def choose_ancestors(log_weights: Array, uniform: float, offspring: Array, ancestors: Array) -> Any:
    """Draw an ancestor for each particle by systematic resampling; a particle that survives stays where it is.

    Nothing happens, and `ancestors[0]` is -1, where the effective sample size is at least half. Otherwise the weights
    become 1. Returns the logarithm of their mean, by which that of the evidence grows.
    """
    count = log_weights.shape[0]
    best, total, squares = log_weights[0], 0.0, 0.0
    for b in range(count):
        best = max(best, log_weights[b])
    for b in range(count):
        weight = math.exp(log_weights[b] - best)
        total += weight
        squares += weight * weight
    ancestors[0] = -1
    if total * total >= squares * count / 2:
        return 0.0
    running, number = 0.0, 0
    for b in range(count):
        running += math.exp(log_weights[b] - best)
        offspring[b] = 0
        while number < count and (b == count - 1 or (number + uniform) / count * total < running):
            offspring[b] += 1
            number += 1
    source = 0
    for b in range(count):
        ancestors[b] = b
        if offspring[b] == 0:
            while offspring[source] < 2:
                source += 1
            ancestors[b] = source
            offspring[source] -= 1
        log_weights[b] = 0.0
    return best + math.log(total / count)


@inner
def copy_states(s: Array, blocks: Array, copies: int, ancestors: Array, levels: Array) -> None:
    """Let each particle continue from the history of its ancestor, which stays where it is."""
    count, channels, height, width = levels.shape
    for b in range(count):
        a = ancestors[b]
        if a == b:
            continue
        for i in range(blocks.shape[0]):
            start, slots, size = blocks[i]
            for slot in range(slots * copies):
                to, of = start + (slot * count + b) * size, start + (slot * count + a) * size
                for j in range(size):
                    s[to + j] = s[of + j]
        for c in range(channels):
            for row in range(height):
                for column in range(width):
                    levels[b, c, row, column] = levels[a, c, row, column]


@entry(typed_by=4)
def draw_rows(
    code: Array,
    patches: Array,
    parts: Array,
    draw_row: int,
    s: Array,
    weights: Array,
    spec: Array,
    transform: Array,
    values: Array,
    levels: Array,
    roles: Array,
    uniforms: Array,
    log_weights: Array,
    draws: Array,
    blocks: Array,
    first: int,
    last: int,
    s_curve: bool,
) -> Any:
    """Draw rows `first` to `last` of the particles of an image, and return by how much the log-evidence grows.

    Args:
        code, patches, parts, draw_row, blocks: of a `Bytecode`; blocks are its states.
        s, weights: its flat array, and its matrices.
        spec, transform, values: as for `sample_images`.
        levels: `[b, c, h, w]`, filled where they are drawn.
        roles: of each sub-pixel, `[c, h, w]`: `DRAWN`, `WEIGHED` or `CERTAIN`.
        uniforms: in [0, 1), `[b, c, h, w]`.
        log_weights: of the particles since the last resampling, `[b]`.
        draws: a uniform for a resampling before each pixel, `[h, w + 1]`.
        s_curve: True if odd rows run from right to left.
    """
    count, channels, _, width = levels.shape
    line = code[draw_row]
    num_sub_steps = parts.shape[0] - 3
    together = spec[KIND] == MIXTURE
    scratch = np.empty((5, max(spec[LEVELS], spec[MIXTURES]) + 64))
    order = np.empty((2, spec[LEVELS]), np.int64)
    offspring, ancestors = np.empty(count, np.int64), np.empty(count, np.int64)
    copies = 2 if spec[GUIDED] else 1
    grown = 0.0
    begin_row(code, patches, NONE)
    execute(code, parts[0, 0], parts[0, 1], s, weights, NONE, NONE, width)
    for row in range(first, last):
        begin_row(code, patches, row)
        execute(code, parts[1, 0], parts[1, 1], s, weights, row, NONE, width)
        for i in range(width):
            column = width - 1 - i if s_curve and row & 1 else i
            is_open = False
            for channel in range(channels):
                is_open = is_open or roles[channel, row, column] == DRAWN
            if is_open:
                grown += choose_ancestors(log_weights, draws[row, column], offspring, ancestors)
                if ancestors[0] >= 0:
                    copy_states(s, blocks, copies, ancestors, levels)
            for step in range(num_sub_steps):
                execute(code, parts[2 + step, 0], parts[2 + step, 1], s, weights, row, column, width)
                for channel in range(0 if together else step, channels if together else step + 1):
                    role = roles[channel, row, column]
                    draw_or_weigh(
                        s,
                        line,
                        row,
                        column,
                        channel,
                        role,
                        spec,
                        transform,
                        levels,
                        uniforms,
                        log_weights,
                        scratch,
                        order,
                    )
                    if not together:
                        write_canvas(s, line, row, column, channel, levels, copies, values)
            for channel in range(channels if together else 0):
                write_canvas(s, line, row, column, channel, levels, copies, values)
            execute(code, parts[2 + num_sub_steps, 0], parts[2 + num_sub_steps, 1], s, weights, row, column, width)
    return grown
