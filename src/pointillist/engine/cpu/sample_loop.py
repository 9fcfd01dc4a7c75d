"""Entry points of compiled code: a whole image in one call, or one part of a program at one site."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pointillist.engine.batch import DONE, STOP
from pointillist.engine.cpu import bytecode as bc
from pointillist.engine.cpu.bytecode import Instructions
from pointillist.engine.cpu.jit import entry, inner
from pointillist.engine.cpu.kernels.inverse_cdf import (
    GUIDED,
    KIND,
    LEVELS,
    MIXTURE,
    MIXTURES,
    DrawArrays,
    draw,
    log_prob,
)
from pointillist.engine.cpu.vm import NONE, begin_row, execute

Array = Any  # numba finds the types


class ImageArrays(NamedTuple):
    """A batch of images while it is sampled.

    Attributes:
        levels: `[b, c, h, w]`, filled; where `known` (of the same shape) is set, they are kept, and add no nats.
        uniforms: in [0, 1), `[b, c, h, w]`.
        nats: log-likelihood of each image, to which the draws add.
        params: `[b, h, w, p]`, filled with the parameters, or empty.
    """

    levels: Array
    known: Array
    uniforms: Array
    nats: Array
    params: Array


@entry(typed_by=3)
def run_part(
    program: Instructions, first: int, last: int, s: Array, row: int, column: int, width: int, begin: bool
) -> None:
    """Run rows of the code, after the addresses of a new row of the image are patched in."""
    if begin:
        begin_row(program.code, program.patches, row)
    execute(program.code, first, last, s, program.weights, row, column, width)


@inner
def draw_channel(
    s: Array, line: Array, row: int, column: int, channel: int, how: DrawArrays, images: ImageArrays
) -> None:
    """Draw a channel of every image, or keep its known level, and add its log-probability."""
    levels, spec, scratch = images.levels, how.spec, how.scratch
    count = levels.shape[0]
    for b in range(count):
        p = line[bc.X] + column * line[bc.X_COLUMN] + b * line[bc.X_OUTER]
        before = levels[b, :, row, column]
        if not images.known[b, channel, row, column]:
            unconditional = p + count * line[bc.X_OUTER]
            uniform = images.uniforms[b, channel, row, column]
            levels[b, channel, row, column] = draw(s, p, unconditional, channel, before, uniform, how)
            images.nats[b] += log_prob(s, p, channel, before, levels[b, channel, row, column], spec, scratch)


@inner
def write_canvas(
    s: Array, line: Array, row: int, column: int, channel: int, levels: Array, copies: int, values: Array
) -> None:
    """Write the levels of a channel to the canvas, as the network reads them."""
    images, width = levels.shape[0], values.shape[1]
    for copy in range(copies):
        for b in range(images):
            at = line[bc.Y] + column * line[bc.Y_COLUMN] + (copy * images + b) * line[bc.Y_OUTER] + channel * width
            for j in range(width):
                s[at + j] = values[levels[b, channel, row, column], j]


@entry(typed_by=1)
def sample_images(
    program: Instructions,
    s: Array,
    distribution: tuple[Array, Array, Array],
    images: ImageArrays,
    signal: Array,
    s_curve: bool,
    rows: Array,
) -> None:
    """Sample some rows of images, all of them at best.

    Args:
        program: the bytecode, with its matrices.
        s: its flat array.
        distribution: `spec` and `transform` (see `inverse_cdf.py`), and canvas values of each level,
            `[levels, canvas_width]`.
        images: the batch, filled.
        signal: STOP and DONE.
        s_curve: True if odd rows run from right to left.
        rows: the first row, and the one after the last.
    """
    spec, transform, values = distribution
    code, patches, parts, weights = program.code, program.patches, program.parts, program.weights
    levels, params = images.levels, images.params
    channels, width = levels.shape[1], levels.shape[3]
    line = code[program.draw_row]
    num_sub_steps = parts.shape[0] - 3
    together = spec[KIND] == MIXTURE
    scratch = np.empty((6, max(spec[LEVELS], spec[MIXTURES]) + 64))
    how = DrawArrays(spec, transform, scratch, np.empty((2, spec[LEVELS]), np.int64))
    copies = 2 if spec[GUIDED] else 1
    if rows[0] == 0:
        begin_row(code, patches, NONE)
        execute(code, parts[0, 0], parts[0, 1], s, weights, NONE, NONE, width)
    for row in range(rows[0], rows[1]):
        begin_row(code, patches, row)
        execute(code, parts[1, 0], parts[1, 1], s, weights, row, NONE, width)
        for i in range(width):
            column = width - 1 - i if s_curve and row & 1 else i
            if signal[STOP]:
                return
            for step in range(num_sub_steps):
                execute(code, parts[2 + step, 0], parts[2 + step, 1], s, weights, row, column, width)
                if params.size:
                    copy_params(s, line, row, column, step, num_sub_steps, params)
                for channel in range(0 if together else step, channels if together else step + 1):
                    draw_channel(s, line, row, column, channel, how, images)
                    if not together:
                        write_canvas(s, line, row, column, channel, levels, copies, values)
            for channel in range(channels if together else 0):
                write_canvas(s, line, row, column, channel, levels, copies, values)
            execute(code, parts[2 + num_sub_steps, 0], parts[2 + num_sub_steps, 1], s, weights, row, column, width)
        signal[DONE] = row + 1


@inner
def copy_params(s: Array, line: Array, row: int, column: int, step: int, num_sub_steps: int, params: Array) -> None:
    """Copy the parameters of a sub-step out."""
    share = params.shape[3] // num_sub_steps
    for b in range(params.shape[0]):
        at = line[bc.X] + column * line[bc.X_COLUMN] + b * line[bc.X_OUTER]
        for j in range(step * share, (step + 1) * share):
            params[b, row, column, j] = s[at + j]
