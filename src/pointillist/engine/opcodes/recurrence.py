"""Opcodes of recurrent layers that run over finished rows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.opcodes.base import Call, opcode
from pointillist.engine.opcodes.sites import SiteOpcode
from pointillist.engine.program import FloatArray, Instruction

if TYPE_CHECKING:
    from pointillist.engine.numpy.arrays import InterpreterState


@opcode
class ShiftDown(SiteOpcode):
    """out = x, which belongs to the row above; zero at the first row, above which there is none"""

    def bind(self, instruction: Instruction, state: InterpreterState, column: int | None) -> list[Call]:
        x, out = state.read(instruction.inputs[0], column), state.write(instruction, column)
        return [partial(_shift_down, state, instruction.first_row, x, out)]


@opcode
class Scan(SiteOpcode):
    """An LSTM along the row: pre = x + hidden of the site beside @ matrix; out = hidden (recurrence.py).

    The constants are the matrix and the initial hidden and memory; the tap says on which side the site before lies.
    """

    def bind(self, instruction: Instruction, state: InterpreterState, column: int | None) -> list[Call]:
        x, out = state.read(instruction.inputs[0], None), state.write(instruction, None)
        matrix, hidden, memory = (state.program.constant(block) for block in instruction.constants)
        ((_, side),) = instruction.taps
        columns = range(x.shape[1])
        return [partial(_scan, x, matrix, hidden, memory, columns if side < 0 else columns[::-1], out)]

    def flops(self, instruction: Instruction) -> int:
        matrix = instruction.constants[0]
        return 2 * matrix.size + 4 * matrix.shape[1]


def _shift_down(state: InterpreterState, depth: int, x: FloatArray, out: FloatArray) -> None:
    if state.row == depth:
        out.fill(0)
    else:
        np.copyto(out, x)


def _scan(
    x: FloatArray, matrix: FloatArray, hidden: FloatArray, memory: NDArray[Any], columns: range, out: FloatArray
) -> None:
    half, one, d = x.dtype.type(0.5), x.dtype.type(1), len(hidden)
    state = np.broadcast_to(hidden, out[:, 0].shape)
    for column in columns:
        pre = x[:, column] + state @ matrix
        gates = (np.tanh(pre[:, : 3 * d] * half) + one) * half  # sigmoid, as in the opcode of that name
        memory = gates[:, d : 2 * d] * memory + gates[:, 2 * d :] * np.tanh(pre[:, 3 * d :])
        state = gates[:, :d] * np.tanh(memory)
        out[:, column] = state
