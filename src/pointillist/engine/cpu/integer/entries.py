"""Entry points of compiled code: one part at one site, whole images to sample, or whole images to score."""

from __future__ import annotations

from typing import Any

import numpy as np

from pointillist.engine.cpu.integer import bytecode as bc
from pointillist.engine.cpu.integer.draw import LEVELS, PRECISION, draw, frequencies, start_of
from pointillist.engine.cpu.integer.mixture import MIXTURES
from pointillist.engine.cpu.integer.product import NONE
from pointillist.engine.cpu.integer.vm import begin_row, execute
from pointillist.engine.cpu.jit import entry, inner
from pointillist.engine.cpu.threads import DONE, STOP

Array = Any  # numba finds the types


@entry(typed_by=6)
def run_part(
    code: Array, pieces: Array, patches: Array, first: int, last: int, a: Array, s: Array, c: Array, w: Array,
    row: int, column: int, begin: bool,
) -> None:  # fmt: skip
    """Run rows of the code, after the addresses of a new row of the image are patched in."""
    if begin:
        begin_row(code, pieces, patches, row)
    execute(code, pieces, first, last, a, s, c, w, row, column)


@inner
def write_canvas(
    a: Array, line: Array, column: int, first: int, last: int, row: int, levels: Array, values: Array
) -> None:
    """Write the levels of channels `first` to `last` of a site to the canvas."""
    for b in range(levels.shape[0]):
        at = line[bc.Y] + column * line[bc.Y_INNER] + b * line[bc.Y_OUTER]
        for channel in range(first, last):
            level = levels[b, channel, row, column]
            for j in range(values.shape[1]):
                a[at + channel * values.shape[1] + j] = values[level, j]


@entry(typed_by=6)
def sample_images(
    code: Array, pieces: Array, patches: Array, parts: Array, draw_row: int, a: Array, s: Array, c: Array, w: Array,
    spec: Array, values: Array, levels: Array, known: Array, uniforms: Array, sizes: Array, signal: Array,
    num_sub_steps: int, s_curve: bool,
) -> None:  # fmt: skip
    """Sample whole images, sub-pixel by sub-pixel.

    Args:
        spec: distribution; see `draw.py`.
        values: what a level writes to the canvas, bytes `[levels, canvas channels]`.
        levels: `[b, c, h, w]`, filled; where `known` (of the same shape) is set, they are kept.
        uniforms: in [0, 1), `[b, c, h, w]`.
        sizes: frequencies of the drawn levels, `[b, c, h, w]`, filled where levels are.
        signal: STOP and DONE.
        s_curve: True if odd rows run from right to left.
    """
    images, channels, height, width = levels.shape
    line = code[draw_row]
    result, mixed = np.empty(spec[LEVELS], np.int64), np.empty((3, max(spec[MIXTURES], 1)), np.int64)
    total = np.int64(1) << spec[PRECISION]
    own = channels // num_sub_steps
    for row in range(height):
        begin_row(code, pieces, patches, row)
        execute(code, pieces, parts[1, 0], parts[1, 1], a, s, c, w, row, NONE)
        for i in range(width):
            column = width - 1 - i if s_curve and row & 1 else i
            if signal[STOP]:
                return
            for step in range(num_sub_steps):
                execute(code, pieces, parts[2, 0], parts[2, 1], a, s, c, w, row, column)
                for b in range(images):
                    p = line[bc.X] + column * line[bc.X_INNER] + b * line[bc.X_OUTER]
                    for channel in range(step * own, (step + 1) * own):
                        if not known[b, channel, row, column]:
                            frequencies(s, c, p, channel, levels[b, :, row, column], spec, mixed, result)
                            target = np.int64(np.floor(uniforms[b, channel, row, column] * total))
                            level = draw(result, spec[LEVELS], target)
                            levels[b, channel, row, column] = level
                            sizes[b, channel, row, column] = result[level]
                write_canvas(a, line, column, step * own, (step + 1) * own, row, levels, values)
            execute(code, pieces, parts[3, 0], parts[3, 1], a, s, c, w, row, column)
        signal[DONE] = row + 1


@inner
def score_site(
    s: Array, c: Array, line: Array, row: int, column: int, first: int, last: int, spec: Array, mixed: Array,
    result: Array, levels: Array, starts: Array, sizes: Array, params: Array,
) -> None:  # fmt: skip
    """Set the start and the frequency of the levels of channels `first` to `last` of a site, or copy its parameters."""
    share = params.shape[3] // levels.shape[1]  # of a channel; all of them where one step has all channels
    for b in range(levels.shape[0]):
        p = line[bc.X] + column * line[bc.X_INNER] + b * line[bc.X_OUTER]
        if len(params):
            end = params.shape[3] if last == levels.shape[1] else last * share
            for i in range(first * share, end):
                params[b, row, column, i] = s[p + i]
            continue
        for channel in range(first, last):
            level = levels[b, channel, row, column]
            frequencies(s, c, p, channel, levels[b, :, row, column], spec, mixed, result)
            starts[b, channel, row, column] = start_of(result, level)
            sizes[b, channel, row, column] = result[level]


@entry(typed_by=6)
def score_images(
    code: Array, pieces: Array, patches: Array, parts: Array, draw_row: int, a: Array, s: Array, c: Array, w: Array,
    spec: Array, values: Array, levels: Array, starts: Array, sizes: Array, params: Array, num_sub_steps: int,
    s_curve: bool, by_rows: bool,
) -> None:  # fmt: skip
    """Compute the start and the frequency of the level of every sub-pixel of known images, or the parameters.

    Args:
        starts, sizes: int64 `[b, c, h, w]`, filled where `params` is empty.
        params: int32 `[b, h, w, p]`, filled; or of no image.
        by_rows: whether the parts of a site run over whole rows, as the bytecode was lowered.
    """
    _, channels, height, width = levels.shape
    line = code[draw_row]
    result, mixed = np.empty(spec[LEVELS], np.int64), np.empty((3, max(spec[MIXTURES], 1)), np.int64)
    own = channels // num_sub_steps
    for row in range(height):
        begin_row(code, pieces, patches, row)
        if by_rows:
            for column in range(width):
                write_canvas(a, line, column, NONE, channels, row, levels, values)
            for part in range(1, 4):
                execute(code, pieces, parts[part, 0], parts[part, 1], a, s, c, w, row, NONE)
            for column in range(width):
                score_site(s, c, line, row, column, NONE, channels, spec, mixed, result, levels, starts, sizes, params)
            continue
        execute(code, pieces, parts[1, 0], parts[1, 1], a, s, c, w, row, NONE)
        for i in range(width):
            column = width - 1 - i if s_curve and row & 1 else i
            for step in range(num_sub_steps):
                first, last = step * own, (step + 1) * own
                execute(code, pieces, parts[2, 0], parts[2, 1], a, s, c, w, row, column)
                score_site(s, c, line, row, column, first, last, spec, mixed, result, levels, starts, sizes, params)
                write_canvas(a, line, column, first, last, row, levels, values)
            execute(code, pieces, parts[3, 0], parts[3, 1], a, s, c, w, row, column)


@entry(typed_by=0)
def site_frequencies(s: Array, c: Array, channel: int, spec: Array, pixels: Array, result: Array) -> None:
    """Set the frequencies of all levels of a channel at sites, given their parameters.

    Args:
        s: parameters of the sites, one after the other.
        pixels: levels of the sites, `[n, c]`.
        result: int64 `[n, levels]`, filled.
    """
    mixed, count = np.empty((3, max(spec[MIXTURES], 1)), np.int64), len(s) // max(len(pixels), 1)
    for n in range(len(pixels)):
        frequencies(s, c, n * count, channel, pixels[n], spec, mixed, result[n])
