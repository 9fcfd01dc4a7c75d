"""An LSTM along a row, in floating point and in integers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pointillist.engine.integer.numpy.frames import Region
from pointillist.engine.integer.opcodes.recurrence import HIDDEN_BITS, STATE_BITS, TABLE_BITS
from pointillist.engine.torch.arithmetic import clamp, lookup, matmul, shift, shift_bits
from pointillist.engine.torch.frames import TorchFrames


def scan(frames: TorchFrames, i: Any, region: Region) -> None:
    """Run an LSTM along the row, from the side of the tap; see `nn/functional/recurrence.py`."""
    x, (matrix, hidden, cell) = frames.read(i.inputs[0], region), frames.constants.of(i)
    result, d = x.new_zeros(*x.shape[:3], i.output.channels), len(hidden)
    for column in columns_from(i, x):
        pre = x[:, :, column] + hidden @ matrix
        gates = torch.sigmoid(pre[..., : 3 * d])
        cell = gates[..., d : 2 * d] * cell + gates[..., 2 * d :] * torch.tanh(pre[..., 3 * d :])
        result[:, :, column] = hidden = gates[..., :d] * torch.tanh(cell)
    frames.write(i.output, region, result)


def integer_scan(frames: TorchFrames, i: Any, region: Region) -> None:
    """Run an LSTM in integers; see `engine/integer/opcodes/recurrence.py`."""
    x, c = frames.read(i.inputs[0], region).long(), frames.constants.of(i)
    result = x.new_zeros(*x.shape[:3], i.output.channels)
    hidden, cell = c["hidden"], c["cell"]
    for column in columns_from(i, x):
        gates = clamp(x[:, :, column] + shift(matmul(hidden, c["matrix"]), c["shift"]))
        result[:, :, column], cell = lstm_step(c, gates, cell)
        hidden = clamp(shift_bits(result[:, :, column], STATE_BITS - HIDDEN_BITS), -128, 127)
    frames.write(i.output, region, result)


def columns_from(i: Any, x: Tensor) -> range:
    """Return the columns of a value in the order of a recurrence."""
    ((_, side),) = i.taps
    return range(x.shape[2])[:: 1 if side < 0 else -1]


def lstm_step(c: dict[str, Any], gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Return the output and the cell state after one step, from gates `[..., 4 d]`."""
    d = cell.shape[-1]
    arguments = shift(gates, c["gate"])
    o, f, i = lookup(c["sigmoid"], arguments[..., : 3 * d]).chunk(3, -1)
    candidate = lookup(c["tanh"], arguments[..., 3 * d :])
    cell = clamp(shift_bits(f * cell, STATE_BITS) + shift_bits(i * candidate, STATE_BITS))
    return shift_bits(o * lookup(c["tanh"], shift_bits(cell, STATE_BITS - TABLE_BITS)), STATE_BITS), cell


FLOAT = {"SCAN": scan}
INTEGER = {"SCAN": integer_scan}
