"""The opcode that mixes channels."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pointillist.engine.opcodes.base import Call, ChannelDependencies, Opcode, opcode
from pointillist.engine.program import FloatArray, Instruction, IntArray, View

if TYPE_CHECKING:
    from pointillist.engine.numpy.arrays import InterpreterState


@opcode
class Linear(Opcode):
    """Matrix product: out = x @ matrix [+ bias] [+ start].

    The constants are the matrix and, optionally, a bias; the inputs are x and, optionally, a start. In the row part it
    is one product over the whole row.
    """

    def bind(self, instruction: Instruction, state: InterpreterState, column: int | None) -> list[Call]:
        x, *start = (state.read(view, column) for view in instruction.inputs)
        matrix, *bias = instruction.constants.values()
        out = state.write(instruction, column)
        return [_product(_flat(x), matrix, _flat(out)), *(partial(np.add, out, term, out) for term in (*bias, *start))]

    def needs(self, instruction: Instruction, needs: ChannelDependencies) -> IntArray:
        x, *start = instruction.inputs
        matrix = instruction.constants["matrix"]
        result: IntArray = ((matrix != 0) * needs.of(x)[:, None]).max(axis=0)
        return np.maximum(result, needs.of(start[0])) if start else result

    def sources(self, instruction: Instruction, channel: int) -> list[View]:
        x, *start = instruction.inputs
        used = np.flatnonzero(instruction.constants["matrix"][:, channel]).tolist()
        return [x.narrow(row, 1) for row in used] + [view.narrow(channel, 1) for view in start]

    def narrow(self, instruction: Instruction, start: int, channels: int) -> Instruction:
        constants = {name: array[..., start : start + channels] for name, array in instruction.constants.items()}
        matrix = constants["matrix"]
        used = np.flatnonzero(matrix.any(axis=1))  # masks leave rows of zeros at the ends
        first, last = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 1)
        x, *begin = instruction.inputs
        return replace(
            instruction,
            output=None if instruction.output is None else instruction.output.narrow(start, channels),
            inputs=(x.narrow(first, last - first), *(view.narrow(start, channels) for view in begin)),
            constants=constants | {"matrix": np.ascontiguousarray(matrix[first:last])},
        )

    def flops(self, instruction: Instruction) -> int:
        return 2 * instruction.constants["matrix"].size + super().flops(instruction)


def _flat(x: FloatArray) -> FloatArray:
    """Reshape `[b, width, c]` to `[b * width, c]`; never a copy, because rows are contiguous."""
    return x.reshape(-1, x.shape[-1])


def _product(x: FloatArray, matrix: FloatArray, out: FloatArray) -> Call:
    """Return the fastest call: the method `dot`, which needs contiguous outputs, else `np.matmul`."""
    return partial(x.dot, matrix, out) if out.flags.c_contiguous else partial(np.matmul, x, matrix, out)
