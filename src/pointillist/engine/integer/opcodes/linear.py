"""Opcodes that mix channels."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pointillist.engine.integer.arithmetic import clamp, matmul, shift
from pointillist.engine.integer.numpy.frames import Frames, Region
from pointillist.engine.integer.opcodes.base import IntegerOpcode, integer_opcode, output_range
from pointillist.engine.program import LIMIT, RANGES, Instruction, IntArray, Phase


@integer_opcode
class Linear(IntegerOpcode):
    """Matrix product of a narrow value: out = clamp(shift(x @ matrix + bias, by) [+ start])."""

    constants: ClassVar = {"matrix": "int8", "bias": "int32", "shift": "int8"}

    def run(self, frames: Frames, i: Instruction, region: Region) -> None:
        x, *start = (frames.read(view, region) for view in i.inputs)
        sums = shift(matmul(x, i.constants["matrix"]) + i.constants["bias"], i.constants["shift"])
        for term in start:
            sums = sums + term
        assert i.output is not None
        frames.write(i.output, region, clamp(sums, *output_range(i)))

    def largest(self, i: Instruction) -> int:
        """Bound each sum by its weights, and what is added to it by the shift and the start."""
        low, high = RANGES[i.inputs[0].value.dtype]
        matrix, by = i.constants["matrix"].astype(np.int64), i.constants["shift"].astype(np.int64)
        products = np.maximum(np.abs(matrix * low), np.abs(matrix * high)).sum(axis=0)
        # a machine may hold narrow values as unsigned numbers, x + 128, and take 128 times the weights off the bias
        unsigned = (np.abs(matrix) * 255).sum(axis=0) + 128 * np.abs(matrix.sum(axis=0))
        sums = np.maximum(products, unsigned) + np.abs(i.constants["bias"].astype(np.int64))
        before = (sums << np.maximum(-by, 0)) + ((1 << np.maximum(by, 0)) >> 1)
        after = (sums >> np.maximum(by, 0)) + 1 + (LIMIT if len(i.inputs) > 1 else 0)
        return int(np.maximum(before, after).max(initial=0))

    def problem(self, i: Instruction) -> str | None:
        if i.output is None or not 1 <= len(i.inputs) <= 2 or not i.inputs[0].is_narrow or i.output.is_narrow:
            return "it needs a narrow value, and makes a wide one"
        if len(i.inputs) == 2 and (i.inputs[1].channels != i.output.channels or i.inputs[1].is_narrow):
            return "it starts from another number of channels"
        return None


@integer_opcode
class Project(IntegerOpcode):
    """Matrix product of a wide vector, once an image and in 64 bits: out = clamp(shift(x @ matrix + bias, by))."""

    constants: ClassVar = {"matrix": "int16", "bias": "int64", "shift": "int8"}

    def run(self, frames: Frames, i: Instruction, region: Region) -> None:
        x: IntArray = frames.read(i.inputs[0], region)
        sums = matmul(x, i.constants["matrix"]) + i.constants["bias"]
        assert i.output is not None
        frames.write(i.output, region, clamp(shift(sums, i.constants["shift"])))

    def problem(self, i: Instruction) -> str | None:
        if i.output is None or len(i.inputs) != 1 or i.phase != Phase.IMAGE or i.output.is_narrow:
            return "it makes one wide vector of another"
        return None
