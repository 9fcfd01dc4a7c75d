"""The flat form of a program: what the machine runs. Integers in rows, and no objects.

A row of the table is an instruction over places in one flat array of numbers. An operand has a place and two strides:
one for each of the two loops around the innermost one. `*_COLUMN` is added for every column of the grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np

from pointillist.engine.cpu.cpu_features import MAX_LANES
from pointillist.engine.program import FloatArray, IntArray

# fields of a row
CODE, ACTIVE, MASK, SHIFT = 0, 1, 2, 3
OUTER, INNER, N, K, W = 4, 5, 6, 7, 8
Y, Y_OUTER, Y_INNER, Y_COLUMN = 9, 10, 11, 12
X, X_OUTER, X_INNER, X_COLUMN = 13, 14, 15, 16
Z, Z_OUTER, Z_INNER, Z_COLUMN = 17, 18, 19, 20
A, B, C = 21, 22, 23
D = 27
FIRST, LAST, PARITY = 24, 25, 26
"""The rows of the image at which it runs; PARITY is 0 for even rows, 1 for odd ones, `ANY_PARITY` for both."""
FIELDS = 32  # whole lines of cache

EVERY_ROW, ANY_PARITY = 2**62, -1


class Code(IntEnum):
    """What a row does. Below `PRODUCT`: a function of `elementwise`."""

    PRODUCT = 100
    UPSAMPLE = 101
    SCAN = 102
    STORE_KV = 103
    ATTEND = 104
    CROSS_ATTEND = 105
    DRAW_OPERANDS = 106
    """Only holds operands, which the draw uses."""


@dataclass(frozen=True)
class Ring:
    """A place that changes from row to row: slot `(row // scale + offset) % slots`, each of `size` numbers."""

    scale: int
    offset: int
    slots: int
    size: int


@dataclass(frozen=True)
class Operand:
    """Where the channels of a value lie: the first image and column, and the distance to the next of each."""

    start: int
    image_stride: int
    column_stride: int
    ring: Ring | None = None

    def narrow(self, channels: int) -> Operand:
        """From a later channel on."""
        return replace(self, start=self.start + channels)


class Arena:
    """Hands out places in the flat array, each at the start of a vector."""

    def __init__(self) -> None:
        self.size = 0

    def allocate(self, count: int) -> int:
        """The place of so many numbers."""
        start = self.size
        self.size += -(-count // MAX_LANES) * MAX_LANES
        return start


@dataclass(frozen=True)
class Bytecode:
    """A program for one batch size, apart from its matrices (`packing`).

    Attributes:
        code: a row for each instruction, `[rows, FIELDS]`.
        patches: `[patches, 7]`: row of the table, field, start, and the four numbers of a `Ring`.
        parts: first and last row of each part, `[3 + num_sub_steps, 2]`: once, row, the sub-steps, after the draw.
        draw: the row that holds, as Y, the canvas and, as X, the parameters of the site at hand.
        numbers: how many numbers the flat array has.
        constants: what the array holds before the first row, with the place where it begins; all else is zero.
        givens: where each condition begins, `[b, channels]` or `[b, height, width, channels]`.
        snake: whether odd rows are walked from right to left.
    """

    batch: int
    code: IntArray
    patches: IntArray
    parts: IntArray
    draw_row: int
    size: int
    constants: tuple[tuple[int, FloatArray], ...]
    inputs: dict[str, int]
    s_curve: bool

    def initial_memory(self, dtype: np.dtype[Any], conditions: Mapping[str, FloatArray]) -> FloatArray:
        """The flat array as it is before the first row."""
        array = aligned(self.size, dtype)
        known = [(self.inputs[key], numbers) for key, numbers in conditions.items()]
        for start, numbers in (*self.constants, *known):
            array[start : start + numbers.size] = numbers.reshape(-1)
        return array


def aligned(size: int, dtype: np.dtype[Any]) -> FloatArray:
    """Zeros that begin at a multiple of 64 bytes, and a vector more than asked for: the last one may be read whole."""
    spare = 64 // dtype.itemsize
    array: FloatArray = np.zeros(size + 2 * spare, dtype)
    first = -array.ctypes.data // dtype.itemsize % spare
    return array[first : first + size + spare]
