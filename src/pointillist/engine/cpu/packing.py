"""Matrices as the tiles read them: panels of up to four vectors, one after the other, each with all its rows."""

from __future__ import annotations

import numpy as np

from pointillist.engine.cpu.table import aligned
from pointillist.engine.cpu.target import PANEL, lanes
from pointillist.engine.program import Block, FloatArray, Program


class Packing:
    """Collects the matrices of a program, in the order in which they are first used, so that memory is read forwards.

    It does not depend on the batch, so that tables of several batch sizes share it.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._places: dict[tuple[Block, int, int], int] = {}
        self._parts: list[FloatArray] = []
        self._size = 0
        self._array: FloatArray | None = None

    def place(self, block: Block, first: int, count: int) -> int:
        """Where rows `first` to `first + count` of a matrix lie."""
        key = (block, first, count)
        if key not in self._places:
            part = panels(self.program.constant(block)[first : first + count])
            self._places[key] = self._size
            self._parts.append(part)
            self._size += part.size
            self._array = None
        return self._places[key]

    @property
    def array(self) -> FloatArray:
        """All of them."""
        if self._array is None:
            array = aligned(self._size, self.program.dtype)
            array[: self._size] = np.concatenate([np.zeros(0, self.program.dtype), *self._parts])
            self._parts = [array[: self._size]]
            self._array = array
        return self._array


def panels(matrix: FloatArray) -> FloatArray:
    """A matrix `[k, n]`, flat; columns of zeros fill its last vector."""
    width = lanes(matrix.itemsize)
    padded = np.pad(matrix, ((0, 0), (0, -matrix.shape[1] % width)))
    parts = np.split(padded, range(PANEL * width, padded.shape[1], PANEL * width), axis=1)
    return np.concatenate([part.reshape(-1) for part in parts])
