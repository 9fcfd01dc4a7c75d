"""Opcodes that treat each channel of each site alone. In integers, all but NARROW and GATE make wide values."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np

from pointillist.engine.arithmetic import Array, lookup, shift
from pointillist.engine.opcodes.base import WIDE, Constants, ConstantType, Opcode, opcode, shifts, table
from pointillist.engine.program import LIMIT, Instruction, IntArray


def sigmoid(x: Array) -> Array:
    """Compute 1 / (1 + exp(-x)), as (1 + tanh(x / 2)) / 2, which cannot overflow."""
    return (np.tanh(x / 2) + 1) / 2


def elu(x: Array) -> Array:
    """Compute x where x > 0, else exp(x) - 1."""
    return np.maximum(x, 0) + np.expm1(np.minimum(x, 0))


def gelu(x: Array) -> Array:
    """Compute GELU in its tanh form (Hendrycks and Gimpel 2016)."""
    return x / 2 * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def shifted_limit(by: IntArray) -> int:
    """Return the largest magnitude of a wide value after shifts."""
    return LIMIT << max(0, -int(by.min(initial=0)))


def largest_of(array: IntArray) -> int:
    """Return the largest magnitude of constants."""
    return int(np.abs(array.astype(np.int64)).max(initial=0))


class Elementwise(Opcode):
    """Base class."""

    takes: ClassVar[str | None] = "wide"
    makes: ClassVar[str | None] = "wide"
    each_channel = True

    def problem(self, i: Instruction) -> str | None:
        count = self.inputs[1]
        if len(i.inputs) != count or (self.takes == "wide" and any(view.is_narrow for view in i.inputs)):
            return f"it takes {count} wide values"
        if i.output is not None and self.makes not in (None, "narrow" if i.output.is_narrow else "wide"):
            return "it makes a value of the other width"
        return super().problem(i)


@opcode
class Add(Elementwise):
    """Add two values: out = x + y; in integers shift(x, left) + shift(y, right), with shifts to the right only.

    In the format: shift(x, left) + shift(y, right)
    """

    inputs = (2, 2)
    constants: ClassVar = {"left": shifts(3), "right": shifts(3)}

    def floats(self, c: Constants, *x: Array) -> Array:
        return x[0] + x[1]

    def integers(self, c: Constants, *x: Array) -> Array:
        return shift(x[0], c["left"]) + shift(x[1], c["right"])

    def max_int32(self, i: Instruction) -> int:
        """Reject shifts to the left, which could overflow."""
        return max(2 * shifted_limit(by) for by in i.constants.values())


@opcode
class Multiply(Elementwise):
    """Multiply two values: out = x * y; in integers shift(x * y, by), in 64 bits.

    In the format: shift(x y, shift)
    """

    inputs = (2, 2)
    constants: ClassVar = {"shift": shifts(10, bits=64)}

    def floats(self, c: Constants, *x: Array) -> Array:
        return x[0] * x[1]

    def integers(self, c: Constants, *x: Array) -> Array:
        return shift(x[0] * x[1], c["shift"])

    def max_int64(self, i: Instruction) -> int:
        return LIMIT * shifted_limit(i.constants["shift"])


@opcode
class Offset(Elementwise):
    """Add a constant per channel: out = x + constant.

    In the format: x + constant
    """

    constants: ClassVar = {"constant": WIDE}

    def floats(self, c: Constants, *x: Array) -> Array:
        return x[0] + c["constant"]

    def integers(self, c: Constants, *x: Array) -> Array:
        return x[0] + c["constant"]

    def max_int32(self, i: Instruction) -> int:
        return LIMIT + largest_of(i.constants["constant"])


@opcode
class Scale(Elementwise):
    """Multiply by a constant per channel: out = x * factor; in integers shift(x * factor, by), in 64 bits.

    In the format: shift(x factor, shift)
    """

    constants: ClassVar = {"factor": ConstantType("int16"), "shift": shifts(10, bits=64)}

    def floats(self, c: Constants, *x: Array) -> Array:
        return x[0] * c["factor"]

    def integers(self, c: Constants, *x: Array) -> Array:
        return shift(x[0] * c["factor"], c["shift"])

    def max_int64(self, i: Instruction) -> int:
        return LIMIT * shifted_limit(i.constants["shift"])


@opcode
class Tanh(Elementwise):
    """Hyperbolic tangent: out = tanh(x). In integers it is a LOOKUP."""

    has_integers = False

    def floats(self, c: Constants, *x: Array) -> Array:
        return np.tanh(x[0])


@opcode
class Sigmoid(Elementwise):
    """Sigmoid: out = 1 / (1 + exp(-x)). In integers it is a LOOKUP."""

    has_integers = False

    def floats(self, c: Constants, *x: Array) -> Array:
        return sigmoid(x[0])


@opcode
class Gate(Elementwise):
    """Gate of van den Oord et al. 2016b, eq. 2: out = tanh(x) * sigmoid(y).

    In integers by two tables, to a narrow or a wide value:
    out = shift(tanh[shift(x, left)] * sigmoid[shift(y, right)], by).

    In the format: shift(lookup(tanh, shift(x, left)) lookup(sigmoid, shift(y, right)), shift)
    """

    inputs = (2, 2)
    makes = None
    constants: ClassVar = {
        "tanh": ConstantType("int16", ("odd",)),
        "sigmoid": ConstantType("int16", ("odd",)),
        "left": shifts(4),
        "right": shifts(4),
        "shift": shifts(30),
    }

    def floats(self, c: Constants, *x: Array) -> Array:
        return np.tanh(x[0]) * sigmoid(x[1])

    def integers(self, c: Constants, *x: Array) -> Array:
        tanh, sigmoids = lookup(c["tanh"], shift(x[0], c["left"])), lookup(c["sigmoid"], shift(x[1], c["right"]))
        return shift(tanh * sigmoids, c["shift"])

    def flops(self, instruction: Instruction) -> int:
        return 3 * super().flops(instruction)

    def max_int32(self, i: Instruction) -> int:
        product = largest_of(i.constants["tanh"]) * largest_of(i.constants["sigmoid"])
        by = i.constants["shift"].astype(np.int64)
        shifted = (product << max(0, -int(by.min()))) + (1 << max(0, int(by.max()) - 1))
        return max(shifted, shifted_limit(i.constants["left"]), shifted_limit(i.constants["right"]))


@opcode
class Relu(Elementwise):
    """Rectifier: out = max(x, 0).

    In the format: max(x, 0)
    """

    def floats(self, c: Constants, *x: Array) -> Array:
        return x[0].clip(min=0)

    def integers(self, c: Constants, *x: Array) -> Array:
        return x[0].clip(min=0)


@opcode
class Elu(Elementwise):
    """ELU: out = x where x > 0, else exp(x) - 1. In integers it is a RECTIFIED_LOOKUP."""

    has_integers = False

    def floats(self, c: Constants, *x: Array) -> Array:
        return elu(x[0])


@opcode
class Gelu(Elementwise):
    """GELU in its tanh form (Hendrycks and Gimpel 2016). In integers it is a RECTIFIED_LOOKUP.

    out = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))
    """

    has_integers = False

    def floats(self, c: Constants, *x: Array) -> Array:
        return gelu(x[0])


@opcode
class Narrow(Elementwise):
    """Narrow integers to 8 bits: out = shift(x, by).

    In the format: shift(x, shift)
    """

    makes = "narrow"
    constants: ClassVar = {"shift": shifts(4)}
    has_floats = False

    def integers(self, c: Constants, *x: Array) -> Array:
        return shift(x[0], c["shift"])

    def max_int32(self, i: Instruction) -> int:
        return shifted_limit(i.constants["shift"])


@opcode
class Rescale(Narrow):
    """Change the unit of integers, wide or narrow: out = shift(x, by).

    In the format: shift(x, shift)
    """

    takes = None
    makes = "wide"
    constants: ClassVar = {"shift": shifts(22)}

    def max_int32(self, i: Instruction) -> int:
        return 0 if i.inputs[0].is_narrow else super().max_int32(i)


@opcode
class Lookup(Elementwise):
    """Read a function of integers in its table: out = table[shift(x, by)]. Beyond its ends the table stays constant.

    In the format: lookup(table, shift(x, shift))
    """

    constants: ClassVar = {"table": table("int32", -(2**30), 2**30), "shift": shifts(4)}
    has_floats = False

    def integers(self, c: Constants, *x: Array) -> Array:
        return lookup(c["table"], shift(x[0], c["shift"]))

    def max_int32(self, i: Instruction) -> int:
        return shifted_limit(i.constants["shift"])


@opcode
class RectifiedLookup(Lookup):
    """A function that is the identity far above 0, such as ELU: out = max(x, 0) + table[shift(x, by)].

    In the format: max(x, 0) + lookup(table, shift(x, shift))
    """

    def integers(self, c: Constants, *x: Array) -> Array:
        return x[0].clip(min=0) + super().integers(c, *x)

    def max_int32(self, i: Instruction) -> int:
        return max(super().max_int32(i), LIMIT + largest_of(i.constants["table"]))
