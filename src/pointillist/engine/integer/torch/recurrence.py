"""An LSTM along a row, in torch; see `engine/integer/opcodes/recurrence.py`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pointillist.engine.integer.numpy.frames import Region
from pointillist.engine.integer.opcodes.recurrence import HIDDEN_BITS, STATE_BITS, TABLE_BITS
from pointillist.engine.integer.program import IntegerInstruction
from pointillist.engine.integer.torch.arithmetic import clamp, lookup, matmul, shift, shift_bits
from pointillist.engine.integer.torch.frames import TorchFrames


def scan(frames: TorchFrames, i: IntegerInstruction, region: Region) -> None:
    """Run an LSTM along the row, from the side of the tap."""
    assert i.output is not None
    x = frames.read(i.inputs[0], region).long()
    c, ((_, side),) = frames.constants.of(i), i.taps
    result = torch.zeros((*x.shape[:3], i.output.channels), dtype=torch.int64, device=x.device)
    hidden, cell = c["hidden"].expand(result[:, :, 0].shape), c["cell"].expand(result[:, :, 0].shape)
    columns = range(x.shape[2])
    for column in columns if side < 0 else columns[::-1]:
        gates = clamp(x[:, :, column] + shift(matmul(hidden, c["matrix"]), c["shift"]))
        result[:, :, column], cell = lstm_step(c, gates, cell)
        hidden = clamp(shift_bits(result[:, :, column], STATE_BITS - HIDDEN_BITS), -128, 127)
    frames.write(i.output, region, result)


def lstm_step(c: dict[str, Any], gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Return the output and the cell state after one step, from gates `[..., 4 d]`."""
    d = cell.shape[-1]
    arguments = shift(gates, c["gate"])
    o, f, i = lookup(c["sigmoid"], arguments[..., : 3 * d]).chunk(3, -1)
    candidate = lookup(c["tanh"], arguments[..., 3 * d :])
    cell = clamp(shift_bits(f * cell, STATE_BITS) + shift_bits(i * candidate, STATE_BITS))
    return shift_bits(o * lookup(c["tanh"], shift_bits(cell, STATE_BITS - TABLE_BITS)), STATE_BITS), cell
