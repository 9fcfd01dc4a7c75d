"""Opcodes of recurrent layers over finished rows.

An LSTM in integers has its hidden state h in 8 bits, in steps of 2^-7, its cell state c in steps of 2^-14, and tables
of 2^14 tanh and 2^14 sigmoid at steps of 2^-8:

    gates   = clamp(x + shift(h @ matrix, by))               o, f, i, g
    o, f, i = sigmoid[shift(gates, gate)],   g = tanh[shift(gates, gate)]
    c       = clamp(shift(f c, 14) + shift(i g, 14))
    out     = shift(o tanh[shift(c, 6)], 14),   h = clamp(shift(out, 7))
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import ClassVar

import numpy as np

from pointillist.engine.arithmetic import Array, int64, lookup, matmul, shift, shift_bits
from pointillist.engine.buffers import Buffers, Call, Region
from pointillist.engine.opcodes.base import Constants, Opcode, opcode
from pointillist.engine.opcodes.elementwise import sigmoid
from pointillist.engine.program import INT8, LIMIT, RANGES, Instruction

STATE_BITS, HIDDEN_BITS, TABLE_BITS = 14, 7, 8
State = tuple[Array, Array]
"""Hidden state and cell state."""


@opcode
class Scan(Opcode):
    """Run an LSTM along the row: gates from x + hidden state of the neighbour @ matrix; out = hidden state.

    The constants are the matrix and the initial hidden and cell states. The tap tells the side of the previous site.
    See `nn/functional/recurrence.py`.
    """

    constants: ClassVar = {
        "matrix": "int8",
        "shift": "int8",
        "gate": "int8",
        "tanh": "int16",
        "sigmoid": "int16",
        "hidden": "int32",
        "cell": "int32",
    }
    can_narrow = False

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        step = _step_integers if buffers.program.is_integer else _step
        x, out, c = buffers.read(i.inputs[0], region), buffers.output(i, region), buffers.constants(i)
        return partial(_scan, step, c, columns_from(i, x), x, out)

    def flops(self, instruction: Instruction) -> int:
        matrix = instruction.constants["matrix"]
        return 2 * matrix.size + 4 * int(matrix.shape[1])

    def largest(self, i: Instruction) -> int:
        matrix, by = i.constants["matrix"].astype(np.int64), i.constants["shift"].astype(np.int64)
        sums = (np.abs(matrix) * 255).sum(axis=0) + 128 * np.abs(matrix.sum(axis=0))
        return int(np.maximum(sums << np.maximum(-by, 0), LIMIT + 1 + (sums >> np.maximum(by, 0))).max(initial=0))

    def problem(self, i: Instruction) -> str | None:
        if i.output is None or len(i.inputs) != 1 or i.inputs[0].is_narrow or i.output.is_narrow:
            return "it makes a wide value of another"
        d = i.output.channels
        if i.inputs[0].channels != 4 * d or i.constants["matrix"].shape != (d, 4 * d) or len(i.taps) != 1:
            return "its channels do not fit"
        return None


def columns_from(i: Instruction, x: Array) -> range:
    """Return the columns of a value in the order of a recurrence."""
    ((_, side),) = i.taps
    return range(x.shape[2])[:: 1 if side < 0 else -1]


def _scan(
    step: Callable[[Constants, Array, State], tuple[Array, State]], c: Constants, columns: range, x: Array, out: Array
) -> None:
    state = c["hidden"], c["cell"]
    for column in columns:
        out[:, :, column], state = step(c, x[:, :, column], state)


def _step(c: Constants, x: Array, state: State) -> tuple[Array, State]:
    """Return the output and the state after one cell."""
    hidden, cell = state
    d = hidden.shape[-1]
    pre = x + hidden @ c["matrix"]
    gates = sigmoid(pre[..., : 3 * d])
    cell = gates[..., d : 2 * d] * cell + gates[..., 2 * d :] * np.tanh(pre[..., 3 * d :])
    hidden = gates[..., :d] * np.tanh(cell)
    return hidden, (hidden, cell)


def _step_integers(c: Constants, x: Array, state: State) -> tuple[Array, State]:
    """Return the output and the state after one cell, in integers; see the head of this file."""
    hidden, cell = state
    d = hidden.shape[-1]
    gates = (int64(x) + shift(matmul(hidden, c["matrix"]), c["shift"])).clip(-LIMIT, LIMIT)
    arguments = shift(gates, c["gate"])
    squashed, candidate = lookup(c["sigmoid"], arguments[..., : 3 * d]), lookup(c["tanh"], arguments[..., 3 * d :])
    o, f, i = (squashed[..., part * d : (part + 1) * d] for part in range(3))
    cell = (shift_bits(f * cell, STATE_BITS) + shift_bits(i * candidate, STATE_BITS)).clip(-LIMIT, LIMIT)
    out = shift_bits(o * lookup(c["tanh"], shift_bits(cell, STATE_BITS - TABLE_BITS)), STATE_BITS)
    return out, (shift_bits(out, STATE_BITS - HIDDEN_BITS).clip(*RANGES[INT8]), cell)
