"""Pack matrices as the tiles read them: panels of up to four vectors, one after the other, each with all its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.cpu.bytecode import aligned
from pointillist.engine.cpu.cpu_features import CACHE_BYTES, PANEL, lanes
from pointillist.engine.cpu.weight_formats import QuantizedMatrix, WeightFormat, smallest
from pointillist.engine.program import FloatArray, Program, WeightSlice

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
        self._small: set[WeightSlice] = set()
        for part in (program.per_row, [i for step in (*program.sub_steps, program.post_draw) for i in step]):
            blocks = {i.constants[0] for i in part if i.opcode == "LINEAR"}
            if sum(block.size for block in blocks) * program.dtype.itemsize > CACHE_SHARE * CACHE_BYTES:
                self._small |= blocks
        self._stored: dict[WeightSlice, QuantizedMatrix] = {}
        self._offsets: dict[tuple[WeightSlice, int, int], int] = {}
        self._parts: list[FloatArray] = []
        self._size = 0
        self._array: FloatArray | None = None

    def place(self, block: WeightSlice, first: int, count: int) -> Packed:
        """Return the position of rows `first` to `first + count` of a matrix."""
        stored = self._matrix(block)
        key = (block, first, count)
        if key not in self._offsets:
            part = panels(stored.numbers[first : first + count], lanes(self.program.dtype.itemsize))
            part = part.view(self.program.dtype)
            self._offsets[key] = self._size
            self._parts.append(part)
            self._size += part.size
            self._array = None
        return Packed(self._offsets[key], stored.weight_format, stored.scales)

    def _matrix(self, block: WeightSlice) -> QuantizedMatrix:
        if block not in self._stored:
            matrix = self.program.constant(block)
            self._stored[block] = (
                smallest(matrix) if block in self._small else QuantizedMatrix(WeightFormat.FLOAT, matrix)
            )
        return self._stored[block]

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
