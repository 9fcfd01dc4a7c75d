"""Pack matrices as the tiles read them: panels of up to four vectors, one after the other, each with all its rows.

Matrices of a quantized model are stored in fewer bytes without loss. A column of float32 is int8 with one scale if all
its values are multiples of their greatest common divisor, by 127 at most. A value is a bf16 if the lower half of its
bits is zero. Any other matrix stays float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.cpu.bytecode import aligned
from pointillist.engine.cpu.jit import CACHE_BYTES, PANEL, lanes
from pointillist.engine.program import FloatArray, Program

LARGEST = 127
_DIGITS = 24
_WIDEST = 8  # powers of two between the values of a column: more cannot be whole numbers up to 127
_FIRST_ROWS = 16  # usually enough to decide


class WeightFormat(IntEnum):
    """Storage format of a matrix."""

    FLOAT = 0
    BF16 = 1
    INT8 = 2


@dataclass(frozen=True)
class QuantizedMatrix:
    """A stored matrix `[k, n]`.

    Attributes:
        weight_format: its format.
        numbers: floats, the upper halves of floats, or int8.
        scales: of the columns, for int8.
    """

    weight_format: WeightFormat
    numbers: NDArray[np.generic]
    scales: FloatArray | None = None


def smallest(matrix: FloatArray) -> QuantizedMatrix:
    """Return the matrix in the smallest format that restores it to the bit."""
    if matrix.dtype == np.float32:
        result = _whole_numbers(matrix)
        if result is not None:
            return QuantizedMatrix(WeightFormat.INT8, *result)
        bits = np.ascontiguousarray(matrix).view(np.uint32)
        if not (bits & 0xFFFF).any():
            return QuantizedMatrix(WeightFormat.BF16, (bits >> 16).astype(np.uint16))
    return QuantizedMatrix(WeightFormat.FLOAT, matrix)


def _whole_numbers(matrix: FloatArray) -> tuple[NDArray[np.int8], FloatArray] | None:
    """Return int8 numbers and the scale of each column, or None. A zero may lose its sign, which changes no sum."""
    for rows in (_FIRST_ROWS, len(matrix)):
        scales = _divisors(matrix[:rows])
        if scales is None:
            return None
        with np.errstate(all="ignore"):
            whole = np.rint(matrix / scales)
        if np.abs(whole).max(initial=0) <= LARGEST and np.array_equal(whole * scales, matrix):
            return whole.astype(np.int8), scales
    return None


def _divisors(matrix: FloatArray) -> FloatArray | None:
    """Return the greatest common divisor of each column, or None where it is too small."""
    digits, powers = np.frexp(matrix)
    used = matrix != 0
    least = np.where(used, powers, np.iinfo(powers.dtype).max).min(axis=0)
    least = np.where(used.any(axis=0), least, 0)
    shifts = np.where(used, powers - least, 0)
    if not np.isfinite(matrix).all() or shifts.max(initial=0) > _WIDEST:
        return None
    divisors = np.gcd.reduce(np.ldexp(digits, _DIGITS + shifts).astype(np.int64), axis=0)
    scales: FloatArray = np.ldexp(np.maximum(divisors, 1).astype(matrix.dtype), least - _DIGITS)
    return scales


CACHE_SHARE = 0.75
"""Share of the cache above which matrices are stored in fewer bytes.

It counts the matrices that are read together, once a row or once a site. Below, dequantization costs what it saves.
"""


@dataclass(frozen=True)
class Packed:
    """Some rows of a matrix in the packed array.

    Attributes:
        start: their offset.
        weight_format: how the numbers are stored.
        scales: scales of the columns of an int8 matrix.
    """

    start: int
    weight_format: WeightFormat
    scales: FloatArray | None


class Packing:
    """Pack the matrices of a program in the order of their first use, so that memory is read forwards.

    The result does not depend on the batch size, so the bytecodes of several batch sizes share it.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._small: set[int] = set()
        """Identities of the matrices that are stored in fewer bytes."""
        for part in (program.per_row, [i for step in (*program.sub_steps, program.post_draw) for i in step]):
            sizes = {id(i.constants["matrix"]): i.constants["matrix"].nbytes for i in part if i.opcode == "LINEAR"}
            if sum(sizes.values()) > CACHE_SHARE * CACHE_BYTES:
                self._small |= set(sizes)
        self._stored: dict[int, QuantizedMatrix] = {}
        self._offsets: dict[tuple[int, int, int], int] = {}
        self._parts: list[FloatArray] = []
        self._size = 0
        self._array: FloatArray | None = None

    def place(self, matrix: FloatArray, first: int, count: int) -> Packed:
        """Return the position of rows `first` to `first + count` of a matrix of the program."""
        stored = self._matrix(matrix)
        key = (id(matrix), first, count)
        if key not in self._offsets:
            part = panels(stored.numbers[first : first + count], lanes(self.program.dtype.itemsize))
            part = part.view(self.program.dtype)
            self._offsets[key] = self._size
            self._parts.append(part)
            self._size += part.size
            self._array = None
        return Packed(self._offsets[key], stored.weight_format, stored.scales)

    def _matrix(self, matrix: FloatArray) -> QuantizedMatrix:
        key = id(matrix)  # belongs to the matrix as long as the program lives
        if key not in self._stored:
            small = key in self._small
            self._stored[key] = smallest(matrix) if small else QuantizedMatrix(WeightFormat.FLOAT, matrix)
        return self._stored[key]

    @property
    def array(self) -> FloatArray:
        """The packed array. Numbers smaller than a float lie in the bits of floats."""
        if self._array is None:
            array = aligned(self._size, self.program.dtype)
            array[: self._size] = np.concatenate([np.zeros(0, self.program.dtype), *self._parts])
            self._parts = [array[: self._size]]
            self._array = array
        return self._array


def panels(matrix: NDArray[Any], width: int) -> NDArray[Any]:
    """Pack a matrix `[k, n]`, flat; columns of zeros fill its last vector of `width` numbers."""
    padded = np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % width)))
    parts = np.split(padded, range(PANEL * width, padded.shape[1], PANEL * width), axis=1)
    return np.concatenate([part.reshape(-1) for part in parts])
