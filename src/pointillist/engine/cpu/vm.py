"""The machine: runs rows of a table over the flat array. One compiled loop for every model, shape and batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from pointillist.engine.cpu import bytecode as t
from pointillist.engine.cpu.cpu_features import PANEL, TILE_ROWS, lanes
from pointillist.engine.cpu.dequantize import STRIP, unpack
from pointillist.engine.cpu.elementwise import CODES, apply
from pointillist.engine.cpu.gemm_kernel import tile
from pointillist.engine.cpu.jit import inner
from pointillist.engine.cpu.softmax import exp_and_sum, largest

Array = Any  # numba finds the types


def constant(number: int) -> Any:
    """What a compiled function may be called with: for each number of Python numba would compile it once more."""
    return np.int64(number)


PRODUCT, FINER, SCAN, REMEMBER, ATTEND, CROSSATTEND = (
    int(c) for c in (t.Code.PRODUCT, t.Code.FINER, t.Code.SCAN, t.Code.REMEMBER, t.Code.ATTEND, t.Code.CROSSATTEND)
)
ADD, MULTIPLY, TANH, SIGMOID = (constant(CODES[name]) for name in ("ADD", "MULTIPLY", "TANH", "SIGMOID"))
NONE, ONE = constant(0), constant(1)
MOST_ROWS = TILE_ROWS[0]
FEWER_ROWS = tuple(max(n for n in TILE_ROWS if n <= max(left, 1)) for left in range(MOST_ROWS))
"""Rows of the next tile, where so many are left."""
LANES4, LANES8 = lanes(4), lanes(8)


@inner
def begin_row(code: Array, patches: Array, row: int) -> None:
    """Put in the places that change from row to row, and note which instructions run."""
    for i in range(code.shape[0]):
        line = code[i]
        turn = line[t.TURN] < 0 or line[t.TURN] == row & 1
        line[t.ACTIVE] = turn and line[t.FIRST] <= row and row <= line[t.LAST] and (row & line[t.MASK]) == 0
    for i in range(patches.shape[0]):
        at, field, start, scale, offset, slots, size = patches[i]
        code[at, field] = start + (row // scale + offset) % slots * size


@inner
def matrix(
    s: Array, x: int, x_row: int, weights: Array, w: int, w_row: int, y: int, y_row: int, z: int, z_row: int,
    rows: int, k: int, n: int, storage: int, scales: int, scratch: int,
) -> None:  # fmt: skip
    """y = z + x @ matrix. `w_row` is the distance between the matrix's rows, or 0 where it is packed in panels.

    What is stored in fewer bytes is unpacked into scratch, strip by strip; the sum goes on from strip to strip.
    """
    width = LANES4 if s.itemsize == 4 else LANES8
    source, longest = s if storage else weights, STRIP if storage else k
    j = 0
    while j < n:
        left = n - j
        vectors = min(PANEL, (left + width - 1) // width)
        last = min(width, left - (vectors - 1) * width)
        at, step = (w + j, w_row) if w_row else (w + j * k, vectors * width)
        begin, begin_row, first = z, z_row, 0
        while first < k:
            depth = min(longest, k - first)
            if storage:
                unpack(storage, s, scratch, weights, w, j * k + first * step, depth, vectors, scales + j)
                at = scratch
            m = 0
            while m < rows:
                count = MOST_ROWS if rows - m >= MOST_ROWS else FEWER_ROWS[rows - m]
                tile(
                    s, x + m * x_row + first, x_row, source, at, step, y + m * y_row + j, y_row,
                    begin + m * begin_row + j, begin_row, depth, count, vectors, last,
                )  # fmt: skip
                m += count
            begin, begin_row, first = y, y_row, first + depth
        j += vectors * width


@inner
def product(s: Array, x: int, w: int, w_row: int, y: int, z: int, k: int, n: int) -> None:
    """y = z + x @ matrix for one row, all of them in the flat array."""
    matrix(s, x, NONE, s, w, w_row, y, NONE, z, NONE, ONE, k, n, NONE, NONE, NONE)


@inner
def pointwise(kind: int, s: Array, y: int, x: int, z: int, count: int) -> None:
    """A function of `elementwise`; emitted in this place only, because it is long."""
    apply(kind, s, y, x, z, count)


@inner
def upsample(s: Array, line: Array, y: int, x: int, column: int) -> None:
    """Copy the quarter that belongs to each site."""
    n = line[t.N]
    for b in range(line[t.OUTER]):
        for i in range(line[t.INNER]):
            site = column + i
            source = x + b * line[t.X_OUTER] + (site >> 1) * line[t.X_INNER] + line[t.A] + (site & 1) * n
            target = y + b * line[t.Y_OUTER] + i * line[t.Y_INNER]
            for j in range(n):
                s[target + j] = s[source + j]


@inner
def scan(s: Array, weights: Array, line: Array) -> None:
    """An LSTM along the row, from the side that Z tells (0 left, 1 right); A is scratch, B and C the first state."""
    d, images, y, x = line[t.N], line[t.OUTER], line[t.Y], line[t.X]
    gates = line[t.A]
    memory = gates + images * 4 * d
    for b in range(images):
        for j in range(d):
            s[memory + b * d + j] = s[line[t.C] + j]
    hidden, hidden_row = line[t.B], NONE
    for i in range(line[t.INNER]):
        column = line[t.INNER] - 1 - i if line[t.Z] else i
        pre, out = x + column * line[t.X_INNER], y + column * line[t.Y_INNER]
        matrix(
            s, hidden, hidden_row, weights, line[t.W], NONE, gates, 4 * d, pre, line[t.X_OUTER], images, d, 4 * d,
            NONE, NONE, NONE,
        )  # fmt: skip
        for b in range(images):
            g, kept, to = gates + b * 4 * d, memory + b * d, out + b * line[t.Y_OUTER]
            pointwise(SIGMOID, s, g, g, g, 3 * d)  # o, f, i
            pointwise(TANH, s, g + 3 * d, g + 3 * d, g, d)
            pointwise(MULTIPLY, s, kept, kept, g + d, d)
            pointwise(MULTIPLY, s, g + 2 * d, g + 2 * d, g + 3 * d, d)
            pointwise(ADD, s, kept, kept, g + 2 * d, d)
            pointwise(TANH, s, g + d, kept, g, d)
            pointwise(MULTIPLY, s, to, g, g + d, d)
        hidden, hidden_row = out, line[t.Y_OUTER]


@inner
def store_kv(s: Array, line: Array, x: int, site: int) -> None:
    """Keep the keys, feature by feature, and the values of a site."""
    k, n = line[t.K], line[t.N]
    for b in range(line[t.OUTER]):
        source, keys = x + b * line[t.X_OUTER], line[t.Y] + b * line[t.Y_OUTER] + site
        values = line[t.Z] + b * line[t.Z_OUTER] + site * n
        for j in range(k):
            s[keys + j * line[t.Y_INNER]] = s[source + j]
        for j in range(n):
            s[values + j] = s[source + k + j]


@inner
def attend(s: Array, line: Array, y: int, x: int, sites: int) -> None:
    """softmax(query . key / sqrt(k)) value over the sites so far; zeros where there are none.

    W is scratch, Z_COLUMN a place of zeros.
    """
    k, n, scores, zeros = line[t.K], line[t.N], line[t.W], line[t.Z_COLUMN]
    scale = s.dtype.type(1 / np.sqrt(k))
    for b in range(line[t.OUTER]):
        for head in range(line[t.INNER]):
            out = y + b * line[t.Y_OUTER] + head * n
            query = x + b * line[t.X_OUTER] + head * k
            keys = line[t.Z] + b * line[t.Z_OUTER] + head * k * line[t.Z_INNER]
            values = line[t.A] + b * line[t.B] + head * n
            if sites == 0:
                for j in range(n):
                    s[out + j] = 0
                continue
            product(s, query, keys, line[t.Z_INNER], scores, zeros, k, sites)
            total = exp_and_sum(s, scores, s, scores, sites, largest(s, scores, sites), scale)
            product(s, scores, values, line[t.C], out, zeros, sites, n)
            share = 1 / total
            for j in range(n):
                s[out + j] *= share


@inner
def cross_attend(s: Array, line: Array, y: int, x: int) -> None:
    """softmax(query . key / sqrt(k) + bias) value over Z_INNER tokens, at INNER columns, for B heads.

    Z_COLUMN is the place of the biases, W scratch, D a place of zeros.
    """
    k, n, tokens, scores = line[t.K], line[t.N], line[t.Z_INNER], line[t.W]
    scale = s.dtype.type(1 / np.sqrt(k))
    for b in range(line[t.OUTER]):
        told = b * line[t.Z_OUTER]
        bias = line[t.Z_COLUMN] + told
        for i in range(line[t.INNER]):
            for head in range(line[t.B]):
                query = x + b * line[t.X_OUTER] + i * line[t.X_INNER] + head * k
                out = y + b * line[t.Y_OUTER] + i * line[t.Y_INNER] + head * n
                keys, values = line[t.Z] + told + head * k * tokens, line[t.A] + told + head * n
                product(s, query, keys, tokens, scores, bias, k, tokens)
                total = exp_and_sum(s, scores, s, scores, tokens, largest(s, scores, tokens), scale)
                product(s, scores, values, line[t.C], out, line[t.D], tokens, n)
                share = 1 / total
                for j in range(n):
                    s[out + j] *= share


@inner
def execute(code: Array, first: int, last: int, s: Array, weights: Array, row: int, column: int, width: int) -> None:
    """Run rows `first` to `last` of the table at a site, or, with column 0, over a whole row."""
    for i in range(first, last):
        line = code[i]
        if line[t.ACTIVE] == 0 or column & line[t.MASK]:
            continue
        at = column >> line[t.SHIFT]
        y, x, z = (
            line[t.Y] + at * line[t.Y_COLUMN],
            line[t.X] + at * line[t.X_COLUMN],
            line[t.Z] + at * line[t.Z_COLUMN],
        )
        kind = line[t.CODE]
        if kind == PRODUCT:
            for m in range(line[t.OUTER]):
                matrix(
                    s, x + m * line[t.X_OUTER], line[t.X_INNER], weights, line[t.W], NONE, y + m * line[t.Y_OUTER],
                    line[t.Y_INNER], z + m * line[t.Z_OUTER], line[t.Z_INNER], line[t.INNER], line[t.K], line[t.N],
                    line[t.A], line[t.B], line[t.C],
                )  # fmt: skip
        elif kind < PRODUCT:
            for m in range(line[t.OUTER]):
                to, of, by = y + m * line[t.Y_OUTER], x + m * line[t.X_OUTER], z + m * line[t.Z_OUTER]
                for _ in range(line[t.INNER]):
                    pointwise(kind, s, to, of, by, line[t.N])
                    to, of, by = to + line[t.Y_INNER], of + line[t.X_INNER], by + line[t.Z_INNER]
        elif kind == FINER:
            upsample(s, line, y, line[t.X], at)
        elif kind == SCAN:
            scan(s, weights, line)
        elif kind == REMEMBER:
            store_kv(s, line, x, row * width + column)
        elif kind == ATTEND:
            attend(s, line, y, x, row * width + column)
        elif kind == CROSSATTEND:
            cross_attend(s, line, y, x)
