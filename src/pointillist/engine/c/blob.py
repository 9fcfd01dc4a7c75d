"""The bytes of a program as `runtime/pointillist.c` reads them: tables of 32-bit integers, and constants."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.library import ALIGN, aligned
from pointillist.engine.program import INT8, INT32, UINT8, Array, DType, IntArray

MAGIC, VERSION = 0x4C544E50, 1
HEADER, OPERATION, CONSTANTS = 32, 32, 7
"""Numbers of the header and of an operation, and constants of an operation."""
NO_VALUE, BUFFER, MAP = range(3)
"""Kinds of an operand."""
TYPES: dict[DType, int] = {INT8: 0, UINT8: 1, INT32: 2, np.dtype("int16"): 3, np.dtype("int64"): 4}
_SIZES = (4, 8, 4, 2, OPERATION, 2, 4)
"""Numbers of an entry of each table: buffers, maps, caches, inputs, operations, taps, constants."""
COLUMNS, PANEL = 16, 4
"""Columns of a vector of weights, and vectors side by side."""
Operand = tuple[int, int, int, int]
"""Kind, number of the buffer or map, first channel, channels."""
NO_OPERAND: Operand = (NO_VALUE, 0, 0, 0)


class ConstantPool:
    """Collect constants; the same array is stored once."""

    def __init__(self) -> None:
        self._arrays: list[Array] = []
        self._numbers: dict[int, int] = {}

    def add(self, array: Array) -> int:
        if id(array) not in self._numbers:
            self._numbers[id(array)] = len(self._arrays)
            self._arrays.append(array)  # held, so that no other array gets its id
        return self._numbers[id(array)]

    def write(self, start: int) -> tuple[list[int], list[tuple[int, bytes]]]:
        """Return the table of constants, and the bytes of each at its offset from `start` on."""
        table: list[int] = []
        parts: list[tuple[int, bytes]] = []
        for array in self._arrays:
            start = -(-start // ALIGN) * ALIGN
            table += [TYPES[array.dtype], start, array.size, 0]
            parts.append((start, np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<")).tobytes()))
            start += array.nbytes
        return table, parts


def write_blob(header: list[int], tables: list[list[int]], pool: ConstantPool) -> NDArray[np.uint8]:
    """Return all of a program, at an address that is a multiple of `ALIGN`.

    Args:
        header: numbers after the counts of the tables.
        tables: buffers, maps, caches, inputs, operations and taps, one list of numbers each, in this order.
    """
    numbers = [number for table in tables for number in table]
    constants = 4 * len(pool.write(0)[0])
    table, parts = pool.write(4 * (HEADER + len(numbers)) + constants)
    end = parts[-1][0] + len(parts[-1][1])
    total = -(-end // ALIGN) * ALIGN + ALIGN  # the last vector of weights is read whole
    counts = [len(rows) // size for rows, size in zip([*tables, table], _SIZES, strict=True)]
    head = [MAGIC, VERSION, total, *counts, *header]
    words = np.array([*head, *[0] * (HEADER - len(head)), *numbers, *table], "<i4").tobytes()
    result = aligned(total)
    for start, data in [(0, words), *parts]:
        result[start : start + len(data)] = np.frombuffer(data, np.uint8)
    return result


def constants_of(blob: bytes) -> dict[bytes, int]:
    words = np.frombuffer(blob, "<i4", offset=0, count=len(blob) // 4)
    counts = [int(count) for count in words[3 : 3 + len(_SIZES)]]
    first = HEADER + sum(count * size for count, size in zip(counts[:-1], _SIZES[:-1], strict=True))
    table = words[first : first + counts[-1] * _SIZES[-1]].reshape(-1, _SIZES[-1])
    widths = {number: dtype.itemsize for dtype, number in TYPES.items()}
    return {blob[start : start + count * widths[kind]]: start for kind, start, count, _ in table.tolist()}


def pack(matrix: IntArray, pieces: list[int]) -> NDArray[np.int8]:
    """Pack a matrix `[k, n]` in panels of `PANEL` vectors: groups of four k, columns, the four.

    ```python
    pack(np.ones((3, 2), np.int8), [3]).size  # 64: four inputs, 16 columns
    ```

    Args:
        pieces: rows of each piece that the input is read in; each is padded to groups of four.
    """
    columns = matrix.shape[1]
    parts, first = [], 0
    for rows in pieces:
        parts.append(np.pad(matrix[first : first + rows], ((0, -rows % 4), (0, -columns % COLUMNS))))
        first += rows
    whole = np.concatenate(parts)
    grouped = whole.reshape(len(whole) // 4, 4, whole.shape[1]).transpose(0, 2, 1)  # [groups, columns, 4]
    width = PANEL * COLUMNS
    panels = [grouped[:, start : start + width].reshape(-1) for start in range(0, whole.shape[1], width)]
    return np.concatenate(panels).astype(np.int8)
