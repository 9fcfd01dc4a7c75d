"""Opcodes that mix channels, or bring values from other sites and from outside."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from pointillist.engine.arrays import Arrays
from pointillist.engine.opcodes import Call, Opcode, opcode
from pointillist.engine.program import FloatArray, Instruction, IntArray, Level, Map
from pointillist.engine.substeps import Needs
from pointillist.engine.weights import Weights


@opcode
class Linear(Opcode):
    """out = x @ matrix [+ bias] [+ start]: constants are the matrix and perhaps a bias, inputs x and perhaps a start.

    Over a whole row it is one matrix product.
    """

    def bind(self, instruction: Instruction, arrays: Arrays, column: int | None) -> list[Call]:
        x, *start = (arrays.read(view, column) for view in instruction.inputs)
        matrix, *bias = (arrays.program.constant(block) for block in instruction.constants)
        out = arrays.write(instruction, column)
        calls: list[Call] = [_product(_as_matrix(x), matrix, _as_matrix(out))]
        return calls + [partial(np.add, out, term, out) for term in (*bias, *start)]

    def needs(self, instruction: Instruction, needs: Needs, weights: Weights) -> IntArray:
        x, *start = instruction.inputs
        matrix = weights.read(instruction.constants[0])
        found: IntArray = ((matrix != 0) * needs.of(x)[:, None]).max(axis=0)
        return np.maximum(found, needs.of(start[0])) if start else found

    def narrow(self, instruction: Instruction, start: int, channels: int, weights: Weights) -> Instruction:
        matrix, *bias = (weights.read(block)[..., start : start + channels] for block in instruction.constants)
        used = np.flatnonzero(matrix.any(axis=1))
        first, last = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 1)
        x, *begin = instruction.inputs
        return replace(
            instruction,
            output=None if instruction.output is None else instruction.output.narrow(start, channels),
            inputs=(x.narrow(first, last - first), *(view.narrow(start, channels) for view in begin)),
            constants=tuple(weights.pack(array) for array in (matrix[first:last], *bias)),
        )

    def flops(self, instruction: Instruction) -> int:
        return 2 * instruction.constants[0].size + super().flops(instruction)


@opcode
class Gather(Opcode):
    """out = the channels of a map at each of the taps, one tap after the other.

    In the pixel part all taps lie on the current row; a run of neighbouring taps is read where it lies.
    """

    can_narrow = False

    def bind(self, instruction: Instruction, arrays: Arrays, column: int | None) -> list[Call]:
        assert instruction.map is not None
        assert instruction.output is not None
        columns = [dx for _, dx in instruction.taps]
        if column is None:
            return [partial(_gather_row, arrays, instruction.map, instruction.taps, arrays.write(instruction, None))]
        if columns == list(range(columns[0], columns[0] + len(columns))):
            arrays.lie_in(instruction.output.value, instruction.map, columns[0])
            return []
        store, size = arrays.maps[instruction.map], instruction.map.channels
        out = arrays.write(instruction, column)
        return [
            partial(np.copyto, out[:, i * size : (i + 1) * size], store.line[:, store.left + column + dx])
            for i, dx in enumerate(columns)
        ]

    def needs(self, instruction: Instruction, needs: Needs, weights: Weights) -> IntArray:
        assert instruction.map is not None
        nothing = np.zeros(instruction.map.channels, np.int64)
        here = needs.maps.get(instruction.map, nothing)
        return np.concatenate([here if tap == (0, 0) else nothing for tap in instruction.taps])

    def flops(self, instruction: Instruction) -> int:
        return 0


@opcode
class Store(Opcode):
    """map[site] = x"""

    def bind(self, instruction: Instruction, arrays: Arrays, column: int | None) -> list[Call]:
        view, kept = instruction.inputs[0], instruction.map
        assert kept is not None
        store = arrays.maps[kept]
        if column is None:
            return [partial(np.copyto, store.at(0, 0, 0), arrays.read(view, None))]
        if arrays.is_home(view, kept):
            return []
        return [partial(np.copyto, store.line[:, store.left + column], arrays.read(view, column))]

    def needs(self, instruction: Instruction, needs: Needs, weights: Weights) -> IntArray:
        assert instruction.map is not None
        needs.maps[instruction.map] = needs.of(instruction.inputs[0])
        return needs.maps[instruction.map]
    # a store is narrowed as the whole: see can_narrow

    can_narrow = False


@opcode
class Given(Opcode):
    """out = a condition: the vector of the image, or the current row of the map"""

    def bind(self, instruction: Instruction, arrays: Arrays, column: int | None) -> list[Call]:
        condition, out = arrays.given[instruction.key], arrays.write(instruction, column)
        if instruction.level == Level.GIVEN:
            return [partial(np.copyto, out, condition)]
        return [partial(_copy_row, arrays, condition, out)]

    def flops(self, instruction: Instruction) -> int:
        return 0


@opcode
class Constant(Opcode):
    """out = one constant per channel, at every site"""

    def bind(self, instruction: Instruction, arrays: Arrays, column: int | None) -> list[Call]:
        constant = arrays.program.constant(instruction.constants[0])
        return [partial(np.copyto, arrays.write(instruction, column), constant)]


def _as_matrix(x: FloatArray) -> FloatArray:
    """`[b, width, c]` as `[b * width, c]`, never a copy."""
    if x.ndim == 2:
        return x
    flat = x.reshape(-1, x.shape[-1])
    assert np.shares_memory(flat, x)
    return flat


def _product(x: FloatArray, matrix: FloatArray, out: FloatArray) -> Call:
    """np.dot is the quicker call, but only writes to whole arrays."""
    if out.flags.c_contiguous:
        return partial(np.dot, x, matrix, out)
    return partial(np.matmul, x, matrix, out)


def _gather_row(arrays: Arrays, kept: Map, taps: tuple[tuple[int, int], ...], out: FloatArray) -> None:
    store, size = arrays.maps[kept], kept.channels
    for i, (dy, dx) in enumerate(taps):
        np.copyto(out[..., i * size : (i + 1) * size], store.at(arrays.row, dy, dx))


def _copy_row(arrays: Arrays, condition: FloatArray, out: FloatArray) -> None:
    np.copyto(out, condition[:, arrays.row])
