"""An LSTM along a row, in integers; see `nn/functional/recurrence.py`.

With h the hidden state in 8 bits, in steps of 2^-7, c the cell state in steps of 2^-14, and tables of 2^14 tanh and
2^14 sigmoid at steps of 2^-8,

    gates   = clamp(x + shift(h @ matrix, by))               o, f, i, g
    o, f, i = sigmoid[shift(gates, gate)],   g = tanh[shift(gates, gate)]
    c       = clamp(shift(f c, 14) + shift(i g, 14))
    out     = shift(o tanh[shift(c, 6)], 14),   h = clamp(shift(out, 7))
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pointillist.engine.integer.arithmetic import clamp, matmul, shift
from pointillist.engine.integer.numpy.frames import Frames, Region
from pointillist.engine.integer.opcodes.base import IntegerOpcode, integer_opcode, lookup
from pointillist.engine.program import LIMIT, Instruction, IntArray

STATE_BITS, HIDDEN_BITS, TABLE_BITS = 14, 7, 8


@integer_opcode
class Scan(IntegerOpcode):
    """Run an LSTM along the row, from the side of the tap; out = hidden state, in steps of 2^-14."""

    constants: ClassVar = {
        "matrix": "int8", "shift": "int8", "gate": "int8", "tanh": "int16", "sigmoid": "int16", "hidden": "int32",
        "cell": "int32",
    }  # fmt: skip

    def run(self, frames: Frames, i: Instruction, region: Region) -> None:
        x = frames.read(i.inputs[0], region).astype(np.int64)
        assert i.output is not None
        c, ((_, side),) = i.constants, i.taps
        result = np.zeros((*x.shape[:3], i.output.channels), np.int32)
        hidden = np.broadcast_to(c["hidden"], result[:, :, 0].shape)
        cell: IntArray = np.broadcast_to(c["cell"], result[:, :, 0].shape).astype(np.int64)
        columns = range(x.shape[2])
        for column in columns if side < 0 else columns[::-1]:
            gates = clamp(x[:, :, column] + shift(matmul(hidden, c["matrix"]), c["shift"]))
            out, cell = lstm_step(c, gates, cell)
            result[:, :, column] = out
            hidden = clamp(shift(out, np.array(STATE_BITS - HIDDEN_BITS)), -128, 127)
        frames.write(i.output, region, result)

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


def lstm_step(c: dict[str, IntArray], gates: IntArray, cell: IntArray) -> tuple[IntArray, IntArray]:
    """Return the output and the cell state after one step, from gates `[..., 4 d]`."""
    d = cell.shape[-1]
    squashed = lookup(c["sigmoid"], gates[..., : 3 * d], c["gate"][: 3 * d]).astype(np.int64)
    candidate = lookup(c["tanh"], gates[..., 3 * d :], c["gate"][3 * d :]).astype(np.int64)
    o, f, i = np.split(squashed, 3, axis=-1)
    by = np.array(STATE_BITS)
    cell = clamp(shift(f * cell, by) + shift(i * candidate, by)).astype(np.int64)
    out = shift(o * lookup(c["tanh"], cell, np.array(STATE_BITS - TABLE_BITS)), by)
    return out, cell
