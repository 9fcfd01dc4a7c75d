"""Bytecode of the integer machine: rows of integers over three flat arrays.

`a` holds narrow values, one byte each: signed ones as x + 128, so that every product is of an unsigned and a signed
byte. `s` holds wide values, `c` constants and tables, `w` weights. An operand has an offset in `a` or `s`, and strides
from image to image and from column to column.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.cpu.bytecode import Ring
from pointillist.engine.program import IntArray

# fields of a row
CODE, ACTIVE, MASK, SHIFT, FIRST, PARITY = range(6)
OUTER, INNER, N, K, W, A, B, C, D, E = range(6, 16)
Y, Y_OUTER, Y_INNER, Y_COLUMN = range(16, 20)
X, X_OUTER, X_INNER, X_COLUMN = range(20, 24)
Z, Z_OUTER, Z_INNER, Z_COLUMN = range(24, 28)
PIECE, PIECES, F, G = range(28, 32)
FIELDS = 32
ANY_PARITY = -1


class Code(IntEnum):
    """Operation of a row. Codes below `PRODUCT` are kinds of `elementwise`."""

    PRODUCT = 100
    COPY_BYTES = 101
    UPSAMPLE = 102
    STORE_KV = 103
    ATTEND = 104
    SCAN = 105
    DRAW_OPERANDS = 106
    """No operation: holds the operands of the draw."""


@dataclass(frozen=True)
class Operand:
    """Address of the channels of a value: in `a` if it is narrow, else in `s`."""

    start: int
    image_stride: int
    column_stride: int
    narrow: bool
    ring: Ring | None = None

    def move(self, channels: int) -> Operand:
        """Return the operand from a later channel on."""
        return replace(self, start=self.start + channels)


@dataclass(frozen=True)
class IntegerBytecode:
    """A program for one batch size, image width, and way to run: site by site, or a row of the image at a time.

    Attributes:
        code: one row an instruction, `[rows, FIELDS]`.
        pieces: offset in `a`, and number of groups of four bytes, of each piece of a product's input, `[pieces, 2]`.
        patches: `[patches, 7]`: a row of the code (or, less one, of the pieces, negative), a field, an offset, and the
            four numbers of a `Ring`.
        parts: first and last row of each part, `[4, 2]`: per image, per row, per site, after the draw.
        draw_row: the row whose Y is the canvas, and whose X are the parameters.
        narrow_size, wide_size: sizes of `a` and `s`.
        fills: blocks of `a` that do not begin as 0: offset, and numbers.
        wide_fills: the same for `s`.
        inputs: offset of each map condition in `a`.
        states: blocks of `a` and of `s` that hold the state of images: whether narrow, offset, slots, numbers an image.
    """

    batch: int
    code: NDArray[np.int64]
    pieces: NDArray[np.int64]
    patches: NDArray[np.int64]
    parts: NDArray[np.int64]
    draw_row: int
    narrow_size: int
    wide_size: int
    fills: tuple[tuple[int, IntArray], ...]
    wide_fills: tuple[tuple[int, IntArray], ...]
    inputs: dict[str, int]
    vectors: dict[Any, int]
    states: tuple[tuple[bool, int, int, int], ...]


SLACK = 512
"""Spare bytes and numbers at the end of an array, because the last vector is read whole."""


def aligned(size: int, dtype: Any) -> NDArray[Any]:
    """Allocate zeros at a multiple of 64 bytes, with `SLACK` numbers more."""
    item = np.dtype(dtype).itemsize
    array = np.zeros((size + SLACK) * item + 64, np.uint8)
    first = -array.ctypes.data % 64
    return array[first : first + (size + SLACK) * item].view(dtype)
