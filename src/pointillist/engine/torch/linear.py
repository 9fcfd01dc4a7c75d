"""Opcodes that mix channels, in floating point and in integers."""

from __future__ import annotations

from typing import Any

import torch

from pointillist.engine.integer.numpy.frames import Region
from pointillist.engine.integer.opcodes.base import output_range
from pointillist.engine.torch.arithmetic import clamp, matmul, matmul_wide, shift
from pointillist.engine.torch.frames import TorchFrames


def linear(frames: TorchFrames, i: Any, region: Region) -> None:
    """Multiply by a matrix: x @ matrix [+ bias] [+ start]."""
    x, *start = (frames.read(view, region) for view in i.inputs)
    matrix, *bias = frames.constants.of(i)
    rows = x.reshape(-1, x.shape[-1])
    result = torch.addmm(bias[0], rows, matrix) if bias else rows @ matrix
    result = result.view(*x.shape[:-1], -1)
    for term in start:
        result = result + term
    frames.write(i.output, region, result)


def integer_linear(frames: TorchFrames, i: Any, region: Region) -> None:
    """Multiply a narrow value by a matrix: clamp(shift(x @ matrix + bias, by) [+ start])."""
    x, *start = (frames.read(view, region) for view in i.inputs)
    c = frames.constants.of(i)
    sums = shift(matmul(x, c["matrix"]) + c["bias"], c["shift"])
    for term in start:
        sums = sums + term
    frames.write(i.output, region, clamp(sums, *output_range(i)))


def project(frames: TorchFrames, i: Any, region: Region) -> None:
    """Multiply a wide vector by a matrix, once an image: clamp(shift(x @ matrix + bias, by))."""
    c = frames.constants.of(i)
    sums = matmul_wide(frames.read(i.inputs[0], region).long(), c["matrix"]) + c["bias"]
    frames.write(i.output, region, clamp(shift(sums, c["shift"])))


FLOAT = {"LINEAR": linear}
INTEGER = {"LINEAR": integer_linear, "PROJECT": project}
