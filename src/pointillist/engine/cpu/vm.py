"""Virtual machine: run bytecode over the flat array. One compiled loop for every model, image size and batch size."""

from __future__ import annotations

from typing import Any

import numpy as np

from pointillist.engine.cpu import bytecode as bc
from pointillist.engine.cpu.jit import PANEL, TILE_ROWS, inner, lanes
from pointillist.engine.cpu.kernels import local_gain
from pointillist.engine.cpu.kernels.dequantize import STRIP, unpack
from pointillist.engine.cpu.kernels.elementwise import CODES, apply
from pointillist.engine.cpu.kernels.gemm import tile
from pointillist.engine.cpu.kernels.softmax import exp_and_sum, largest

Array = Any  # numba finds the types


def constant(number: int) -> Any:
    """Convert to an argument of compiled functions; numba would compile again for each Python number."""
    return np.int64(number)


PRODUCT, UPSAMPLE, SCAN, STORE_KV, ATTEND, CROSS_ATTEND = (
    int(c)
    for c in (bc.Code.PRODUCT, bc.Code.UPSAMPLE, bc.Code.SCAN, bc.Code.STORE_KV, bc.Code.ATTEND, bc.Code.CROSS_ATTEND)
)
PREDICT, NORMALISE, PLACE = (int(c) for c in (bc.Code.PREDICT, bc.Code.NORMALISE, bc.Code.PLACE))
ADD, MULTIPLY, TANH, SIGMOID = (constant(CODES[name]) for name in ("ADD", "MULTIPLY", "TANH", "SIGMOID"))
NONE, ONE = constant(0), constant(1)
MOST_ROWS = TILE_ROWS[0]
FEWER_ROWS = tuple(max(n for n in TILE_ROWS if n <= max(left, 1)) for left in range(MOST_ROWS))
"""Rows of the next tile, by the number of rows left."""
LANES4, LANES8 = lanes(4), lanes(8)


@inner
def begin_row(code: Array, patches: Array, row: int) -> None:
    """Patch the addresses that change from row to row, and mark the instructions that run."""
    for i in range(code.shape[0]):
        line = code[i]
        runs = line[bc.PARITY] < 0 or line[bc.PARITY] == row & 1
        line[bc.ACTIVE] = runs and line[bc.FIRST] <= row and row <= line[bc.LAST] and (row & line[bc.MASK]) == 0
    for i in range(patches.shape[0]):
        at, field, start, scale, offset, slots, size = patches[i]
        code[at, field] = start + (row // scale + offset) % slots * size


@inner
def matrix(
    s: Array,
    x: tuple[int, int],
    weights: Array,
    w: tuple[int, int, int, int, int],
    y: tuple[int, int],
    z: tuple[int, int],
    shape: tuple[int, int, int],
) -> None:
    """Compute y = z + x @ matrix.

    A quantized matrix is dequantized into scratch, strip by strip; the sum goes on from strip to strip.

    Args:
        s: the flat array.
        x, y, z: offset in it, and the distance between rows.
        weights: the matrices.
        w: offset of the matrix; the distance between its rows, 0 where it is packed in panels; its `WeightFormat`,
            and where that is quantized the offsets in `s` of its scales and of scratch.
        shape: rows of x, and rows and columns of the matrix.
    """
    (x_first, x_row), (y_first, y_row), (begin, begin_row) = x, y, z
    w_first, w_row, weight_format, scales, scratch = w
    rows, k, n = shape
    width = LANES4 if s.itemsize == 4 else LANES8
    source, longest = s if weight_format else weights, STRIP if weight_format else k
    z_first, z_row = begin, begin_row
    j = 0
    while j < n:
        left = n - j
        vectors = min(PANEL, (left + width - 1) // width)
        last = min(width, left - (vectors - 1) * width)
        at, step = (w_first + j, w_row) if w_row else (w_first + j * k, vectors * width)
        begin, begin_row, first = z_first, z_row, 0
        while first < k:
            depth = min(longest, k - first)
            if weight_format:
                unpack(
                    weight_format, s, scratch, weights, (w_first, j * k + first * step), (depth, vectors), scales + j
                )
                at = scratch
            m = 0
            while m < rows:
                count = MOST_ROWS if rows - m >= MOST_ROWS else FEWER_ROWS[rows - m]
                tile(
                    s,
                    (x_first + m * x_row + first, x_row),
                    source,
                    (at, step),
                    (y_first + m * y_row + j, y_row),
                    (begin + m * begin_row + j, begin_row),
                    (depth, count, vectors, last),
                )
                m += count
            begin, begin_row, first = y_first, y_row, first + depth
        j += vectors * width


@inner
def product(s: Array, x: int, w: int, w_row: int, y: int, z: int, k: int, n: int) -> None:
    """Compute y = z + x @ matrix for one row, all of them in the flat array."""
    matrix(s, (x, NONE), s, (w, w_row, NONE, NONE, NONE), (y, NONE), (z, NONE), (ONE, k, n))


@inner
def pointwise(kind: int, s: Array, y: int, x: int, z: int, count: int) -> None:
    """Apply a function of `elementwise`. Its code is long, and emitted here only."""
    apply(kind, s, y, x, z, count)


@inner
def upsample(s: Array, line: Array, y: int, x: int, column: int) -> None:
    """Copy the quarter that belongs to each site."""
    n = line[bc.N]
    for b in range(line[bc.OUTER]):
        for i in range(line[bc.INNER]):
            site = column + i
            source = x + b * line[bc.X_OUTER] + (site >> 1) * line[bc.X_INNER] + line[bc.A] + (site & 1) * n
            target = y + b * line[bc.Y_OUTER] + i * line[bc.Y_INNER]
            for j in range(n):
                s[target + j] = s[source + j]


@inner
def scan(s: Array, weights: Array, line: Array) -> None:
    """Run an LSTM along the row, from the side Z (0 left, 1 right); A is scratch, B and C the initial states."""
    d, images, y, x = line[bc.N], line[bc.OUTER], line[bc.Y], line[bc.X]
    gates = line[bc.A]
    cell = gates + images * 4 * d
    for b in range(images):
        for j in range(d):
            s[cell + b * d + j] = s[line[bc.C] + j]
    hidden, hidden_row = line[bc.B], NONE
    for i in range(line[bc.INNER]):
        column = line[bc.INNER] - 1 - i if line[bc.Z] else i
        pre, out = x + column * line[bc.X_INNER], y + column * line[bc.Y_INNER]
        recurrent = (line[bc.W], NONE, NONE, NONE, NONE)
        before, shape = (pre, line[bc.X_OUTER]), (images, d, 4 * d)
        matrix(s, (hidden, hidden_row), weights, recurrent, (gates, 4 * d), before, shape)
        for b in range(images):
            g, state, to = gates + b * 4 * d, cell + b * d, out + b * line[bc.Y_OUTER]
            pointwise(SIGMOID, s, g, g, g, 3 * d)  # o, f, i
            pointwise(TANH, s, g + 3 * d, g + 3 * d, g, d)
            pointwise(MULTIPLY, s, state, state, g + d, d)
            pointwise(MULTIPLY, s, g + 2 * d, g + 2 * d, g + 3 * d, d)
            pointwise(ADD, s, state, state, g + 2 * d, d)
            pointwise(TANH, s, g + d, state, g, d)
            pointwise(MULTIPLY, s, to, g, g + d, d)
        hidden, hidden_row = out, line[bc.Y_OUTER]


@inner
def store_kv(s: Array, line: Array, x: int, site: int) -> None:
    """Store the keys, feature by feature, and the values of a site."""
    k, n = line[bc.K], line[bc.N]
    for b in range(line[bc.OUTER]):
        source, keys = x + b * line[bc.X_OUTER], line[bc.Y] + b * line[bc.Y_OUTER] + site
        values = line[bc.Z] + b * line[bc.Z_OUTER] + site * n
        for j in range(k):
            s[keys + j * line[bc.Y_INNER]] = s[source + j]
        for j in range(n):
            s[values + j] = s[source + k + j]


@inner
def attend(s: Array, line: Array, y: int, x: int, sites: int) -> None:
    """Attend to the sites so far: softmax(query . key / sqrt(k)) value; zeros where there are none.

    W is scratch, Z_COLUMN the offset of zeros.
    """
    k, n, scores, zeros = line[bc.K], line[bc.N], line[bc.W], line[bc.Z_COLUMN]
    scale = s.dtype.type(1 / np.sqrt(k))
    for b in range(line[bc.OUTER]):
        for head in range(line[bc.INNER]):
            out = y + b * line[bc.Y_OUTER] + head * n
            query = x + b * line[bc.X_OUTER] + head * k
            keys = line[bc.Z] + b * line[bc.Z_OUTER] + head * k * line[bc.Z_INNER]
            values = line[bc.A] + b * line[bc.B] + head * n
            if sites == 0:
                for j in range(n):
                    s[out + j] = 0
                continue
            product(s, query, keys, line[bc.Z_INNER], scores, zeros, k, sites)
            total = exp_and_sum(s, scores, s, scores, sites, largest(s, scores, sites), scale)
            product(s, scores, values, line[bc.C], out, zeros, sites, n)
            share = 1 / total
            for j in range(n):
                s[out + j] *= share


@inner
def cross_attend(s: Array, line: Array, y: int, x: int) -> None:
    """Attend to Z_INNER tokens: softmax(query . key / sqrt(k) + bias) value, at INNER columns, for B heads.

    Z_COLUMN is the offset of the biases, W scratch, D the offset of zeros.
    """
    k, n, tokens, scores = line[bc.K], line[bc.N], line[bc.Z_INNER], line[bc.W]
    scale = s.dtype.type(1 / np.sqrt(k))
    for b in range(line[bc.OUTER]):
        base = b * line[bc.Z_OUTER]
        bias = line[bc.Z_COLUMN] + base
        for i in range(line[bc.INNER]):
            for head in range(line[bc.B]):
                query = x + b * line[bc.X_OUTER] + i * line[bc.X_INNER] + head * k
                out = y + b * line[bc.Y_OUTER] + i * line[bc.Y_INNER] + head * n
                keys, values = line[bc.Z] + base + head * k * tokens, line[bc.A] + base + head * n
                product(s, query, keys, tokens, scores, bias, k, tokens)
                total = exp_and_sum(s, scores, s, scores, tokens, largest(s, scores, tokens), scale)
                product(s, scores, values, line[bc.C], out, line[bc.D], tokens, n)
                share = 1 / total
                for j in range(n):
                    s[out + j] *= share


@inner
def execute(code: Array, first: int, last: int, s: Array, weights: Array, row: int, column: int, width: int) -> None:
    """Run rows `first` to `last` of the code at a site, or, with column 0, over a whole row."""
    for i in range(first, last):
        line = code[i]
        if line[bc.ACTIVE] == 0 or column & line[bc.MASK]:
            continue
        at = column >> line[bc.SHIFT]
        y, x, z = (
            line[bc.Y] + at * line[bc.Y_COLUMN],
            line[bc.X] + at * line[bc.X_COLUMN],
            line[bc.Z] + at * line[bc.Z_COLUMN],
        )
        kind = line[bc.CODE]
        if kind == PRODUCT:
            for m in range(line[bc.OUTER]):
                matrix(
                    s,
                    (x + m * line[bc.X_OUTER], line[bc.X_INNER]),
                    weights,
                    (line[bc.W], NONE, line[bc.A], line[bc.B], line[bc.C]),
                    (y + m * line[bc.Y_OUTER], line[bc.Y_INNER]),
                    (z + m * line[bc.Z_OUTER], line[bc.Z_INNER]),
                    (line[bc.INNER], line[bc.K], line[bc.N]),
                )
        elif kind < PRODUCT:
            for m in range(line[bc.OUTER]):
                to, of, by = y + m * line[bc.Y_OUTER], x + m * line[bc.X_OUTER], z + m * line[bc.Z_OUTER]
                for _ in range(line[bc.INNER]):
                    pointwise(kind, s, to, of, by, line[bc.N])
                    to, of, by = to + line[bc.Y_INNER], of + line[bc.X_INNER], by + line[bc.Z_INNER]
        elif kind == UPSAMPLE:
            upsample(s, line, y, line[bc.X], at)
        elif kind == SCAN:
            scan(s, weights, line)
        elif kind == STORE_KV:
            store_kv(s, line, x, row * width + column)
        elif kind == ATTEND:
            attend(s, line, y, x, row * width + column)
        elif kind == CROSS_ATTEND:
            cross_attend(s, line, y, x)
        elif kind == PREDICT:
            local_gain.predict(s, line, y, x, z)
        elif kind == NORMALISE:
            local_gain.normalise(s, line, y, x, z, line[bc.P] + at * line[bc.P_COLUMN])
        elif kind == PLACE:
            local_gain.place(s, line, y, x, z)
