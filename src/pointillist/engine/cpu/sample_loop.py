"""Entries into compiled code: a whole image in one call, or one part of a program at one site."""

from __future__ import annotations

from typing import Any

import numpy as np

from pointillist.engine.cpu import bytecode as t
from pointillist.engine.cpu.inverse_cdf import GUIDED, KIND, LEVELS, MIXTURE, MIXTURES, draw, log_prob
from pointillist.engine.cpu.jit import entry, inner
from pointillist.engine.cpu.vm import NONE, begin_row, execute

Array = Any  # numba finds the types

STOP, DONE = 0, 1
"""Of `signal`: set to stop before the next site; rows that are finished."""


@entry(typed_by=4)
def run_part(
    code: Array, patches: Array, first: int, last: int, s: Array, weights: Array, row: int, column: int, width: int,
    begin: bool,
) -> None:  # fmt: skip
    """Run rows of the table, after the places of a new row of the image are put in."""
    if begin:
        begin_row(code, patches, row)
    execute(code, first, last, s, weights, row, column, width)


@inner
def choose(
    s: Array, line: Array, row: int, column: int, channel: int, how: Array, bend: Array, levels: Array, known: Array,
    uniforms: Array, nats: Array, scratch: Array, order: Array,
) -> None:  # fmt: skip
    """Draw a channel of every image, or keep what is known of it, and add up its log-probability."""
    images = levels.shape[0]
    for b in range(images):
        p = line[t.X] + column * line[t.X_COLUMN] + b * line[t.X_OUTER]
        before = levels[b, :, row, column]
        if not known[b, channel, row, column]:
            untold = p + images * line[t.X_OUTER]
            level = draw(s, p, untold, channel, before, uniforms[b, channel, row, column], how, bend, scratch, order)
            levels[b, channel, row, column] = level
            nats[b] += log_prob(s, p, channel, before, levels[b, channel, row, column], how, scratch)


@inner
def write(
    s: Array, line: Array, row: int, column: int, channel: int, levels: Array, copies: int, values: Array
) -> None:
    """Write the levels of a channel to the canvas, as the network reads them."""
    images, width = levels.shape[0], values.shape[1]
    for copy in range(copies):
        for b in range(images):
            at = line[t.Y] + column * line[t.Y_COLUMN] + (copy * images + b) * line[t.Y_OUTER] + channel * width
            for j in range(width):
                s[at + j] = values[levels[b, channel, row, column], j]


@entry(typed_by=4)
def paint(
    code: Array, patches: Array, parts: Array, drawn: int, s: Array, weights: Array, how: Array, bend: Array,
    values: Array, levels: Array, known: Array, uniforms: Array, nats: Array, params: Array, signal: Array,
    snake: bool,
) -> None:  # fmt: skip
    """Whole images.

    Args:
        code, patches, parts, drawn: of a `Table`.
        s, weights: its flat array, and its matrices.
        how, bend: what is drawn, and what is done to the probabilities; see draw.py.
        values: what each level is on the canvas, `[levels, canvas_width]`.
        levels: `[b, c, h, w]`, filled; where `known` (of the same shape) is set, they are kept, and cost no nats.
        uniforms: in [0, 1), `[b, c, h, w]`.
        nats: log-likelihood of each image, to which is added.
        params: `[b, h, w, p]`, filled with the parameters, or empty.
        signal: STOP and DONE.
        snake: whether odd rows are walked from right to left.
    """
    _, channels, height, width = levels.shape
    line = code[drawn]
    sub_steps = parts.shape[0] - 3
    together = how[KIND] == MIXTURE
    scratch = np.empty((5, max(how[LEVELS], how[MIXTURES]) + 64))
    order = np.empty((2, how[LEVELS]), np.int64)
    copies = 2 if how[GUIDED] else 1
    begin_row(code, patches, NONE)
    execute(code, parts[0, 0], parts[0, 1], s, weights, NONE, NONE, width)
    for row in range(height):
        begin_row(code, patches, row)
        execute(code, parts[1, 0], parts[1, 1], s, weights, row, NONE, width)
        for i in range(width):
            column = width - 1 - i if snake and row & 1 else i
            if signal[STOP]:
                return
            for step in range(sub_steps):
                execute(code, parts[2 + step, 0], parts[2 + step, 1], s, weights, row, column, width)
                if params.size:
                    keep(s, line, row, column, step, sub_steps, params)
                for channel in range(0 if together else step, channels if together else step + 1):
                    choose(s, line, row, column, channel, how, bend, levels, known, uniforms, nats, scratch, order)
                    if not together:
                        write(s, line, row, column, channel, levels, copies, values)
            for channel in range(channels if together else 0):
                write(s, line, row, column, channel, levels, copies, values)
            execute(code, parts[2 + sub_steps, 0], parts[2 + sub_steps, 1], s, weights, row, column, width)
        signal[DONE] = row + 1


@inner
def keep(s: Array, line: Array, row: int, column: int, step: int, sub_steps: int, params: Array) -> None:
    """Copy the parameters of a sub-step out."""
    share = params.shape[3] // sub_steps
    for b in range(params.shape[0]):
        at = line[t.X] + column * line[t.X_COLUMN] + b * line[t.X_OUTER]
        for j in range(step * share, (step + 1) * share):
            params[b, row, column, j] = s[at + j]
