"""An LSTM along a row in compiled code, with the bits of `exact/opcodes/recurrence.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from pointillist.engine.cpu.jit import inner
from pointillist.exact.machine import bytecode as bc
from pointillist.exact.opcodes.recurrence import HIDDEN_BITS, STATE_BITS, TABLE_BITS
from pointillist.exact.program import LIMIT

Array = Any  # numba finds the types


@inner
def shift(x: Any, by: Any) -> Any:
    """Compute `arithmetic.shift` of one number."""
    if by > 0:
        return (x + (np.int64(1) << (by - 1))) >> by
    return x << -by


@inner
def bounded(x: Any, low: Any, high: Any) -> Any:
    """Clamp a number."""
    return min(max(x, np.int64(low)), np.int64(high))


@inner
def entry_of(c: Array, table: Any, middle: Any, x: Any) -> Any:
    """Return an entry of a table of 16 bits, two a number, whose middle is that of the argument 0."""
    index = bounded(x, -middle, middle) + middle
    pair = np.int64(c[table + (index >> 1)])
    half = (pair >> (16 * (index & 1))) & 65535
    return half - 65536 if half >= 32768 else half


@inner
def scan(s: Array, c: Array, line: Array, y: int, x: int) -> None:
    """Run the cells of a row of every image.

    N is the number of features d. In `c`: W the matrix `[d, 4 d]`, K the shifts of the products and then of the gates,
    A and B the tables of tanh and sigmoid, C the index of their middle, PIECE the states of the first site, hidden and
    cell. D is scratch memory of `6 d` numbers, PIECES 1 to run from the right.
    """
    d, middle, scratch = line[bc.N], line[bc.C], line[bc.D]
    hidden, cell = scratch + 4 * d, scratch + 5 * d
    for b in range(line[bc.OUTER]):
        for j in range(d):
            s[hidden + j], s[cell + j] = c[line[bc.PIECE] + j], c[line[bc.PIECE] + d + j]
        for i in range(line[bc.INNER]):
            column = line[bc.INNER] - 1 - i if line[bc.PIECES] else i
            source = x + b * line[bc.X_OUTER] + column * line[bc.X_INNER]
            target = y + b * line[bc.Y_OUTER] + column * line[bc.Y_INNER]
            for j in range(4 * d):
                s[scratch + j] = 0
            for k in range(d):
                factor, row = s[hidden + k], line[bc.W] + k * 4 * d
                for j in range(4 * d):
                    s[scratch + j] += factor * c[row + j]
            for j in range(4 * d):
                moved = shift(np.int64(s[scratch + j]), np.int64(c[line[bc.K] + j]))
                gate = bounded(np.int64(s[source + j]) + moved, -LIMIT, LIMIT)
                argument = shift(gate, np.int64(c[line[bc.K] + 4 * d + j]))
                table = line[bc.B] if j < 3 * d else line[bc.A]
                s[scratch + j] = entry_of(c, table, middle, argument)
            for j in range(d):
                kept = shift(np.int64(s[scratch + d + j]) * np.int64(s[cell + j]), STATE_BITS)
                new = shift(np.int64(s[scratch + 2 * d + j]) * np.int64(s[scratch + 3 * d + j]), STATE_BITS)
                state = bounded(kept + new, -LIMIT, LIMIT)
                s[cell + j] = state
                squashed = entry_of(c, line[bc.A], middle, shift(state, STATE_BITS - TABLE_BITS))
                out = shift(np.int64(s[scratch + j]) * squashed, STATE_BITS)
                s[target + j] = out
                s[hidden + j] = bounded(shift(out, STATE_BITS - HIDDEN_BITS), -128, 127)
