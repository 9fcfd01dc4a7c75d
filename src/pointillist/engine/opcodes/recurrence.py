"""Opcodes of recurrent layers over finished rows."""

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
    """Shift down by one row: out = x of the row above; zero at the first row."""

    def bind(self, instruction: Instruction, state: InterpreterState, column: int | None) -> list[Call]:
        x, out = state.read(instruction.inputs[0], column), state.write(instruction, column)
        return [partial(_shift_down, state, instruction.first_row, x, out)]


@opcode
class Scan(SiteOpcode):
    """Run an LSTM along the row: gates from x + hidden state of the site beside @ matrix; out = hidden state.

    The constants are the matrix and the initial hidden and cell states. The tap tells the side of the previous site.
    See `nn/functional/recurrence.py`.
    """

    def bind(self, instruction: Instruction, state: InterpreterState, column: int | None) -> list[Call]:
        x, out = state.read(instruction.inputs[0], None), state.write(instruction, None)
        matrix, hidden, cell_state = instruction.constants.values()
        ((_, side),) = instruction.taps
        columns = range(x.shape[1])
        return [partial(_scan, x, matrix, hidden, cell_state, columns if side < 0 else columns[::-1], out)]

    def flops(self, instruction: Instruction) -> int:
        matrix = instruction.constants["matrix"]
        return 2 * matrix.size + 4 * int(matrix.shape[1])


def _shift_down(state: InterpreterState, depth: int, x: FloatArray, out: FloatArray) -> None:
    if state.row == depth:
        out.fill(0)
    else:
        np.copyto(out, x)


def _scan(
    x: FloatArray, matrix: FloatArray, hidden: FloatArray, cell_state: NDArray[Any], columns: range, out: FloatArray
) -> None:
    half, one, d = x.dtype.type(0.5), x.dtype.type(1), len(hidden)
    state = np.broadcast_to(hidden, out[:, 0].shape)
    for column in columns:
        pre = x[:, column] + state @ matrix
        gates = (np.tanh(pre[:, : 3 * d] * half) + one) * half  # sigmoid, as in SIGMOID
        cell_state = gates[:, d : 2 * d] * cell_state + gates[:, 2 * d :] * np.tanh(pre[:, 3 * d :])
        state = gates[:, :d] * np.tanh(cell_state)
        out[:, column] = state
