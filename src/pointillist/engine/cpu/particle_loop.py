"""Entry point of compiled code for particles: draw rows of an image, weigh histories, and copy the state of survivors.

References:
    Doucet, de Freitas & Gordon 2001, "Sequential Monte Carlo Methods in Practice".
    Carpenter, Clifford & Fearnhead 1999, "Improved particle filter for nonlinear problems" (systematic resampling).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from pointillist.engine.cpu import bytecode as bc
from pointillist.engine.cpu.bytecode import Instructions
from pointillist.engine.cpu.jit import entry, inner
from pointillist.engine.cpu.kernels.inverse_cdf import GUIDED, KIND, LEVELS, MIXTURE, MIXTURES, DrawArrays, draw, score
from pointillist.engine.cpu.sample_loop import write_canvas
from pointillist.engine.cpu.vm import NONE, begin_row, execute
from pointillist.engine.particles import DRAWN, WEIGHED

Array = Any  # numba finds the types


class ParticleArrays(NamedTuple):
    """Histories of an image while they are drawn.

    Attributes:
        levels: `[b, c, h, w]`, filled where they are drawn.
        roles: of each sub-pixel, `[c, h, w]`: `DRAWN`, `WEIGHED` or `CERTAIN`.
        uniforms: in [0, 1), `[b, c, h, w]`.
        log_weights: of the particles since the last resampling, `[b]`.
    """

    levels: Array
    roles: Array
    uniforms: Array
    log_weights: Array


@inner
def draw_or_weigh(
    s: Array, line: Array, row: int, column: int, channel: int, how: DrawArrays, particles: ParticleArrays
) -> None:
    """Draw a channel of every particle, or multiply the weights by the probability of its known level."""
    levels, role = particles.levels, particles.roles[channel, row, column]
    count = levels.shape[0]
    for b in range(count):
        p = line[bc.X] + column * line[bc.X_COLUMN] + b * line[bc.X_OUTER]
        before = levels[b, :, row, column]
        if role == DRAWN:
            uniform = particles.uniforms[b, channel, row, column]
            levels[b, channel, row, column] = draw(s, p, p + count * line[bc.X_OUTER], channel, before, uniform, how)
        elif role == WEIGHED:
            level = levels[b, channel, row, column]
            particles.log_weights[b] += score(s, p, channel, before, level, how.spec, how.scratch)


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


@entry(typed_by=1)
def draw_rows(
    program: Instructions,
    s: Array,
    distribution: tuple[Array, Array, Array],
    particles: ParticleArrays,
    draws: Array,
    blocks: Array,
    rows: Array,
    s_curve: bool,
) -> Any:
    """Draw some rows of the particles of an image, and return by how much the log-evidence grows.

    Args:
        program, s, distribution: as for `sample_images`.
        particles: the histories, drawn further.
        draws: a uniform for a resampling before each pixel, `[h, w + 1]`.
        blocks: the states of the bytecode.
        rows: the first row, and the one after the last.
        s_curve: True if odd rows run from right to left.
    """
    spec, transform, values = distribution
    code, patches, parts, weights = program.code, program.patches, program.parts, program.weights
    levels, roles, log_weights = particles.levels, particles.roles, particles.log_weights
    count, channels, _, width = levels.shape
    line = code[program.draw_row]
    num_sub_steps = parts.shape[0] - 3
    together = spec[KIND] == MIXTURE
    scratch = np.empty((6, max(spec[LEVELS], spec[MIXTURES]) + 64))
    how = DrawArrays(spec, transform, scratch, np.empty((2, spec[LEVELS]), np.int64))
    offspring, ancestors = np.empty(count, np.int64), np.empty(count, np.int64)
    copies = 2 if spec[GUIDED] else 1
    grown = 0.0
    begin_row(code, patches, NONE)
    execute(code, parts[0, 0], parts[0, 1], s, weights, NONE, NONE, width)
    for row in range(rows[0], rows[1]):
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
                    draw_or_weigh(s, line, row, column, channel, how, particles)
                    if not together:
                        write_canvas(s, line, row, column, channel, levels, copies, values)
            for channel in range(channels if together else 0):
                write_canvas(s, line, row, column, channel, levels, copies, values)
            execute(code, parts[2 + num_sub_steps, 0], parts[2 + num_sub_steps, 1], s, weights, row, column, width)
    return grown
