"""Constants, tables and weights of a program as the machine reads them. They do not depend on the batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.cpu.integer.bytecode import aligned
from pointillist.engine.cpu.integer.vectors import LANES
from pointillist.engine.cpu.jit import PANEL
from pointillist.engine.program import Instruction, IntArray


@dataclass(frozen=True)
class PackedMatrix:
    """Offsets of the weights in `w` and of the constants in `c`, and the groups of four inputs."""

    weights: int
    constants: int
    groups: int


class Pool:
    """Collect constants and weights while programs are lowered; the same ones are stored once."""

    def __init__(self) -> None:
        self._constants: list[IntArray] = []
        self._weights: list[NDArray[np.int8]] = []
        self._sizes = [0, 0]
        self._known: dict[Any, Any] = {}
        self._kept: list[Any] = []
        self._arrays: tuple[NDArray[np.int32], NDArray[np.uint8]] | None = None

    def table(self, table: IntArray) -> int:
        """Return the offset of a table in `c`; one of 16 bits is packed, two entries a number."""
        key = ("table", id(table))
        if key not in self._known:
            self._kept.append(table)
            packed = np.pad(table, (0, 2 + len(table) % 2)).view(np.int32) if table.itemsize == 2 else table
            self._known[key] = self._add(packed.astype(np.int32))
        return int(self._known[key])

    def numbers(self, *arrays: IntArray) -> int:
        """Return the offset of arrays, one after the other, in `c`."""
        key = ("numbers", *map(id, arrays))
        if key not in self._known:
            self._kept.append(arrays)
            self._known[key] = self._add(np.concatenate([array.reshape(-1).astype(np.int32) for array in arrays]))
        return int(self._known[key])

    def block(self, i: Instruction, names: list[str]) -> int:
        """Return the offset of the constants of an elementwise instruction; a shift is two of them."""
        return self.vectors(i, [(name, i.constants[name]) for name in names])

    def vectors(self, i: Instruction, arrays: list[tuple[str, IntArray]]) -> int:
        """Return the offset of named constants of one length, in blocks of a vector of each."""
        if not arrays:
            return 0
        key = (i, "block")
        if key not in self._known:
            vectors = [v for name, array in arrays for v in _directions(name, array)]
            self._known[key] = self._add(_interleave(vectors))
        return int(self._known[key])

    def matrix(self, i: Instruction, pieces: list[tuple[int, int]], *, signed: bool) -> PackedMatrix:
        """Return the offsets of the matrix of an instruction, whose rows are read in pieces `(first, rows)`.

        Args:
            signed: whether what it is multiplied with is stored as x + 128.
        """
        key = (i, tuple(pieces))
        if key not in self._known:
            matrix = i.constants["matrix"]
            bias = i.constants.get("bias", np.zeros(matrix.shape[1])).astype(np.int64)
            bias -= (128 if signed else 0) * matrix.astype(np.int64).sum(axis=0)
            parts = [np.pad(matrix[a : a + n], ((0, -n % 4), (0, -matrix.shape[1] % LANES))) for a, n in pieces]
            packed = np.concatenate(parts)
            weights = _pack(packed.astype(np.int8))
            start = self._sizes[1]
            self._weights.append(weights)
            self._sizes[1] += weights.size
            constants = self._add(_interleave([bias, *_directions("shift", i.constants["shift"])]))
            self._known[key] = PackedMatrix(start, constants, len(packed) // 4)
            self._arrays = None
        result: PackedMatrix = self._known[key]
        return result

    @property
    def arrays(self) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """The arrays `c` and `w`."""
        if self._arrays is None:
            c, w = aligned(self._sizes[0], np.int32), aligned(self._sizes[1], np.uint8)
            c[: self._sizes[0]] = np.concatenate([np.zeros(0, np.int32), *self._constants])
            w[: self._sizes[1]] = np.concatenate([np.zeros(0, np.int8), *self._weights]).view(np.uint8)
            self._arrays = c, w
        return self._arrays

    def _add(self, array: IntArray) -> int:
        start = self._sizes[0]
        padded = np.zeros(-(-array.size // 16) * 16, np.int32)
        padded[: array.size] = array
        self._constants.append(padded)
        self._sizes[0] += padded.size
        self._arrays = None
        return start


def _directions(name: str, array: IntArray) -> list[IntArray]:
    """Return a shift as shifts to the left and to the right; other constants as they are."""
    if name not in ("shift", "left", "right"):
        return [array]
    return [np.maximum(-array.astype(np.int32), 0), np.maximum(array.astype(np.int32), 0)]


def _interleave(arrays: list[IntArray]) -> IntArray:
    """Lay out constants `[n]` in blocks: for each vector of outputs, a vector of each of them."""
    padded = [np.pad(array, (0, -len(array) % LANES)).reshape(-1, LANES) for array in arrays]
    return np.stack(padded, 1).reshape(-1)


def _pack(matrix: NDArray[np.int8]) -> NDArray[np.int8]:
    """Pack a matrix `[k, n]` in panels of up to `PANEL` vectors: groups of four k, vectors, lanes, the four."""
    k, n = matrix.shape
    grouped = matrix.reshape(k // 4, 4, n // LANES, LANES).transpose(0, 2, 3, 1)  # [groups, vectors, lanes, 4]
    panels = [grouped[:, v : v + PANEL].reshape(-1) for v in range(0, n // LANES, PANEL)]
    return np.ascontiguousarray(np.concatenate(panels))
