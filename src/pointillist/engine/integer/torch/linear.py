"""Opcodes that mix channels, in torch; see `engine/integer/opcodes/linear.py`."""

from __future__ import annotations

from pointillist.engine.integer.numpy.frames import Region
from pointillist.engine.integer.opcodes.base import output_range
from pointillist.engine.integer.program import IntegerInstruction
from pointillist.engine.integer.torch.arithmetic import clamp, matmul, matmul_wide, shift
from pointillist.engine.integer.torch.frames import TorchFrames


def linear(frames: TorchFrames, i: IntegerInstruction, region: Region) -> None:
    """Multiply a narrow value by a matrix: clamp(shift(x @ matrix + bias, by) [+ start])."""
    assert i.output is not None
    x, *start = (frames.read(view, region) for view in i.inputs)
    c = frames.constants.of(i)
    sums = shift(matmul(x, c["matrix"]) + c["bias"], c["shift"])
    for term in start:
        sums = sums + term
    frames.write(i.output, region, clamp(sums, *output_range(i)))


def project(frames: TorchFrames, i: IntegerInstruction, region: Region) -> None:
    """Multiply a wide vector by a matrix, once an image: clamp(shift(x @ matrix + bias, by))."""
    assert i.output is not None
    c = frames.constants.of(i)
    sums = matmul_wide(frames.read(i.inputs[0], region).long(), c["matrix"]) + c["bias"]
    frames.write(i.output, region, clamp(shift(sums, c["shift"])))
