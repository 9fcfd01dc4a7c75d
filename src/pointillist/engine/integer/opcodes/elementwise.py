"""Opcodes that treat each channel of each site alone. All but NARROW and GATE make wide values."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from pointillist.engine.integer.arithmetic import clamp, shift
from pointillist.engine.integer.numpy.frames import Frames, Region
from pointillist.engine.integer.opcodes.base import IntegerOpcode, integer_opcode, lookup, output_range
from pointillist.engine.program import LIMIT, Instruction, IntArray


def shifted_limit(by: IntArray) -> int:
    """Return the largest magnitude of a wide value after shifts."""
    return LIMIT << max(0, -int(by.min(initial=0)))


class Elementwise(IntegerOpcode):
    """Base class: a formula for the channels of a region, in 64 bits, clamped to the range of the output."""

    def run(self, frames: Frames, i: Instruction, region: Region) -> None:
        inputs = [frames.read(view, region).astype(np.int64) for view in i.inputs]
        assert i.output is not None
        frames.write(i.output, region, clamp(self.formula(i.constants, *inputs), *output_range(i)))

    def formula(self, c: dict[str, IntArray], *x: IntArray) -> IntArray:
        """Compute the output before it is clamped."""
        raise NotImplementedError

    arity = 1
    """Number of inputs."""
    to_narrow: bool | None = False
    """Whether the output is narrow; None for either."""

    def problem(self, i: Instruction) -> str | None:
        if len(i.inputs) != self.arity or (self.arity > 1 and any(view.is_narrow for view in i.inputs)):
            return f"it takes {self.arity} wide values"
        if i.output is not None and self.to_narrow not in (None, i.output.is_narrow):
            return "it makes a value of the other width"
        return super().problem(i)


@integer_opcode
class Narrow(Elementwise):
    """To 8 bits: out = clamp(shift(x, by))."""

    constants: ClassVar = {"shift": "int8"}
    to_narrow = True

    def largest(self, i: Instruction) -> int:
        return shifted_limit(i.constants["shift"])

    def formula(self, c: dict[str, IntArray], *x: IntArray) -> IntArray:
        return shift(x[0], c["shift"])


@integer_opcode
class Rescale(Narrow):
    """To another unit: out = clamp(shift(x, by)), of a wide or a narrow value."""

    to_narrow = False

    def largest(self, i: Instruction) -> int:
        return 0 if i.inputs[0].is_narrow else super().largest(i)


@integer_opcode
class Add(Elementwise):
    """Sum of two values: out = clamp(shift(x, left) + shift(y, right)), with shifts to the right only."""

    constants: ClassVar = {"left": "int8", "right": "int8"}
    arity = 2

    def formula(self, c: dict[str, IntArray], *x: IntArray) -> IntArray:
        return shift(x[0], c["left"]) + shift(x[1], c["right"])

    def largest(self, i: Instruction) -> int:
        """Reject shifts to the left, which could overflow."""
        return max(2 * shifted_limit(by) for by in i.constants.values())


@integer_opcode
class Offset(Elementwise):
    """Add a constant: out = clamp(x + constant)."""

    constants: ClassVar = {"constant": "int32"}

    def formula(self, c: dict[str, IntArray], *x: IntArray) -> IntArray:
        return x[0] + c["constant"]

    def largest(self, i: Instruction) -> int:
        return LIMIT + int(np.abs(i.constants["constant"].astype(np.int64)).max(initial=0))


@integer_opcode
class Scale(Elementwise):
    """Multiply by a constant, in 64 bits: out = clamp(shift(x * factor, by))."""

    constants: ClassVar = {"factor": "int16", "shift": "int8"}

    def formula(self, c: dict[str, IntArray], *x: IntArray) -> IntArray:
        return shift(x[0] * c["factor"], c["shift"])


@integer_opcode
class Multiply(Elementwise):
    """Product of two values, in 64 bits: out = clamp(shift(x * y, by))."""

    constants: ClassVar = {"shift": "int8"}
    arity = 2

    def formula(self, c: dict[str, IntArray], *x: IntArray) -> IntArray:
        return shift(x[0] * x[1], c["shift"])


@integer_opcode
class Relu(Elementwise):
    """Rectifier: out = max(x, 0)."""

    def formula(self, c: dict[str, IntArray], *x: IntArray) -> IntArray:
        return np.maximum(x[0], 0)


@integer_opcode
class Lookup(Elementwise):
    """A function by its table: out = table[shift(x, by)]. Beyond its ends the table stays constant."""

    constants: ClassVar = {"table": "int32", "shift": "int8"}

    def largest(self, i: Instruction) -> int:
        return shifted_limit(i.constants["shift"])

    def formula(self, c: dict[str, IntArray], *x: IntArray) -> IntArray:
        return lookup(c["table"], x[0], c["shift"])


@integer_opcode
class RectifiedLookup(Lookup):
    """A function that is the identity far above 0, such as ELU: out = max(x, 0) + table[shift(x, by)]."""

    def formula(self, c: dict[str, IntArray], *x: IntArray) -> IntArray:
        return np.maximum(x[0], 0) + super().formula(c, *x)

    def largest(self, i: Instruction) -> int:
        return max(super().largest(i), LIMIT + int(np.abs(i.constants["table"].astype(np.int64)).max(initial=0)))


@integer_opcode
class Gate(Elementwise):
    """Gate of van den Oord et al. 2016b, eq. 2, by two tables, to a narrow or a wide value.

    out = clamp(shift(tanh[shift(x, left)] * sigmoid[shift(y, right)], by))
    """

    constants: ClassVar = {"tanh": "int16", "sigmoid": "int16", "left": "int8", "right": "int8", "shift": "int8"}
    arity = 2
    to_narrow = None

    def formula(self, c: dict[str, IntArray], *x: IntArray) -> IntArray:
        tanh = lookup(c["tanh"], x[0], c["left"]).astype(np.int64)
        return shift(tanh * lookup(c["sigmoid"], x[1], c["right"]), c["shift"])

    def largest(self, i: Instruction) -> int:
        product = int(np.abs(i.constants["tanh"].astype(np.int64)).max()) * int(
            np.abs(i.constants["sigmoid"].astype(np.int64)).max()
        )
        by = i.constants["shift"].astype(np.int64)
        shifted = (product << max(0, -int(by.min()))) + (1 << max(0, int(by.max()) - 1))
        return max(shifted, shifted_limit(i.constants["left"]), shifted_limit(i.constants["right"]))
