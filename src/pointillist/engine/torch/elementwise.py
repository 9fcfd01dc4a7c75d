"""Opcodes that treat each channel of each site alone, in floating point and in integers.

The meaning of an opcode is in `engine/opcodes` and `engine/integer/opcodes`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from pointillist.engine.integer.numpy.frames import Region
from pointillist.engine.integer.opcodes.base import output_range
from pointillist.engine.torch.arithmetic import clamp, lookup, shift
from pointillist.engine.torch.frames import TorchFrames

Constants = dict[str, Any]

FORMULAS: dict[str, Callable[..., Tensor]] = {
    "ADD": torch.add,
    "MULTIPLY": torch.mul,
    "OFFSET": torch.add,
    "SCALE": torch.mul,
    "TANH": torch.tanh,
    "SIGMOID": torch.sigmoid,
    "GATE": lambda x, y: torch.tanh(x) * torch.sigmoid(y),
    "RELU": torch.relu,
    "ELU": F.elu,
    "GELU": lambda x: F.gelu(x, approximate="tanh"),
}


def narrow(c: Constants, x: Tensor) -> Tensor:
    """Change the unit: shift(x, by)."""
    return shift(x, c["shift"])


def add(c: Constants, x: Tensor, y: Tensor) -> Tensor:
    """Add two values: shift(x, left) + shift(y, right)."""
    return shift(x, c["left"]) + shift(y, c["right"])


def offset(c: Constants, x: Tensor) -> Tensor:
    """Add a constant."""
    result: Tensor = x + c["constant"]
    return result


def scale(c: Constants, x: Tensor) -> Tensor:
    """Multiply by a constant: shift(x * factor, by)."""
    return shift(x * c["factor"], c["shift"])


def multiply(c: Constants, x: Tensor, y: Tensor) -> Tensor:
    """Multiply two values: shift(x * y, by)."""
    return shift(x * y, c["shift"])


def relu(c: Constants, x: Tensor) -> Tensor:
    """Rectify: max(x, 0)."""
    return x.clamp(min=0)


def table(c: Constants, x: Tensor) -> Tensor:
    """Read a table: table[shift(x, by)]."""
    return lookup(c["table"], shift(x, c["shift"]))


def rectified_table(c: Constants, x: Tensor) -> Tensor:
    """Read a table and add the rectifier: max(x, 0) + table[shift(x, by)]."""
    return x.clamp(min=0) + table(c, x)


def gate(c: Constants, x: Tensor, y: Tensor) -> Tensor:
    """Gate by two tables: shift(tanh[shift(x, left)] * sigmoid[shift(y, right)], by)."""
    tanh, sigmoid = lookup(c["tanh"], shift(x, c["left"])), lookup(c["sigmoid"], shift(y, c["right"]))
    return shift(tanh * sigmoid, c["shift"])


INTEGER_FORMULAS: dict[str, Callable[..., Tensor]] = {
    "NARROW": narrow,
    "RESCALE": narrow,
    "ADD": add,
    "OFFSET": offset,
    "SCALE": scale,
    "MULTIPLY": multiply,
    "RELU": relu,
    "LOOKUP": table,
    "RECTIFIED_LOOKUP": rectified_table,
    "GATE": gate,
}


def elementwise(frames: TorchFrames, i: Any, region: Region) -> None:
    """Compute a formula of the inputs and the constants."""
    inputs = [frames.read(view, region) for view in i.inputs]
    frames.write(i.output, region, FORMULAS[i.opcode](*inputs, *frames.constants.of(i)))


def integer_elementwise(frames: TorchFrames, i: Any, region: Region) -> None:
    """Compute a formula of the inputs in 64 bits, clamped to the range of the output."""
    inputs = [frames.read(view, region).long() for view in i.inputs]
    result = INTEGER_FORMULAS[i.opcode](frames.constants.of(i), *inputs)
    frames.write(i.output, region, clamp(result, *output_range(i)))


FLOAT = dict.fromkeys(FORMULAS, elementwise)
INTEGER = dict.fromkeys(INTEGER_FORMULAS, integer_elementwise)
