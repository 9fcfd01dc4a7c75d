"""Bytecode: the flat form of a program that the virtual machine runs. Rows of integers, without objects.

A row is an instruction over operands in one flat array of numbers. An operand has an offset and two strides, one for
each of the two loops around the innermost loop. `*_COLUMN` is added for every column of the grid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np

from pointillist.engine.cpu.jit import MAX_LANES
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
P, P_OUTER, P_INNER, P_COLUMN = 28, 29, 30, 31
FIELDS = 32  # whole cache lines

EVERY_ROW, ANY_PARITY = 2**62, -1


class Code(IntEnum):
    """Operation of a row. Codes below `PRODUCT` are functions of `elementwise`."""

    PRODUCT = 100
    UPSAMPLE = 101
    SCAN = 102
    STORE_KV = 103
    ATTEND = 104
    CROSS_ATTEND = 105
    DRAW_OPERANDS = 106
    """No operation: holds the operands of the draw."""
    PREDICT = 107
    NORMALISE = 108
    PLACE = 109


@dataclass(frozen=True)
class Ring:
    """An offset that changes with the row: slot `(row // scale + offset) % slots`, each of `size` numbers."""

    scale: int
    offset: int
    slots: int
    size: int


@dataclass(frozen=True)
class Operand:
    """Address of the channels of a value: offset of the first image and column, and the stride of each.

    A condition that images share has the image stride 0, and `group_stride` from one group of images to the next.
    """

    start: int
    image_stride: int
    column_stride: int
    ring: Ring | None = None
    group_stride: int = 0

    def narrow(self, channels: int) -> Operand:
        """Return the operand from a later channel on."""
        return replace(self, start=self.start + channels)


class Arena:
    """Allocate offsets in the flat array, each at the start of a vector."""

    def __init__(self) -> None:
        self.size = 0

    def allocate(self, count: int) -> int:
        """Return the offset of so many numbers."""
        start = self.size
        self.size += -(-count // MAX_LANES) * MAX_LANES
        return start


class Instructions(NamedTuple):
    """A program as compiled functions take it.

    Attributes:
        code, patches, parts, draw_row: of a `Bytecode`; `code` is written to.
        weights: its matrices.
    """

    code: Any
    patches: Any
    parts: Any
    draw_row: Any
    weights: Any


@dataclass(frozen=True)
class Bytecode:
    """A program compiled for one batch size, without its matrices (`weight_packing`).

    Attributes:
        code: one row per instruction, `[rows, FIELDS]`.
        patches: `[patches, 7]`: row of the code, field, offset, and the four numbers of a `Ring`.
        parts: first and last row of each part, `[3 + sub-steps, 2]`: per image, per row, the sub-steps, after the draw.
        draw_row: the row whose Y is the canvas and whose X are the parameters of the current site.
        size: numbers in the flat array.
        constants: initial contents of the array, with their offsets; everything else is zero.
        inputs: offset of each condition, `[b, channels]` or `[b, height, width, channels]`.
        shared: conditions that groups of images share; a group has one entry.
        states: blocks that hold the state of the images, `[slots, b, numbers]`: offset, slots, and numbers of an image.
        s_curve: True if odd rows run from right to left.
    """

    batch: int
    code: IntArray
    patches: IntArray
    parts: IntArray
    draw_row: int
    size: int
    constants: tuple[tuple[int, FloatArray], ...]
    inputs: dict[str, int]
    shared: frozenset[str]
    states: tuple[tuple[int, int, int], ...]
    s_curve: bool

    def instructions(self, weights: FloatArray) -> Instructions:
        """Return a copy of the code for one run over the images, with the matrices."""
        return Instructions(self.code.copy(), self.patches, self.parts, self.draw_row, weights)

    def initial_memory(self, dtype: np.dtype[Any], conditions: Mapping[str, FloatArray]) -> FloatArray:
        """Allocate the flat array, with its contents before the first row."""
        array = aligned(self.size, dtype)
        known = [(self.inputs[key], numbers) for key, numbers in conditions.items()]
        for start, numbers in (*self.constants, *known):
            array[start : start + numbers.size] = numbers.reshape(-1)
        return array

    def save(self, memory: FloatArray) -> list[FloatArray]:
        """Copy the state of the images from the flat array."""
        return [memory[start : start + slots * self.batch * size].copy() for start, slots, size in self.states]

    def restore(self, memory: FloatArray, arrays: list[FloatArray]) -> None:
        """Copy a saved state back into the flat array."""
        for (start, _, _), array in zip(self.states, arrays, strict=True):
            memory[start : start + array.size] = array


def aligned(size: int, dtype: np.dtype[Any]) -> FloatArray:
    """Allocate zeros at a multiple of 64 bytes, with a spare vector, because the last one may be read whole."""
    spare = 64 // dtype.itemsize
    array: FloatArray = np.zeros(size + 2 * spare, dtype)
    first = -array.ctypes.data // dtype.itemsize % spare
    return array[first : first + size + spare]
