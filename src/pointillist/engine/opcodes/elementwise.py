"""Opcodes that treat each channel of each site alone."""

from __future__ import annotations

from functools import partial

import numpy as np

from pointillist.engine.opcodes.base import Call, Opcode, copy_of, number, opcode
from pointillist.engine.program import FloatArray, Instruction


@opcode
class Copy(Opcode):
    """Copy: out = x."""

    def calls(self, out: FloatArray, *inputs: FloatArray) -> list[Call]:
        return [copy_of(inputs[0], out)]


@opcode
class Add(Opcode):
    """Add two values: out = x + y."""

    def calls(self, out: FloatArray, *inputs: FloatArray) -> list[Call]:
        return [partial(np.add, *inputs, out)]


@opcode
class Multiply(Opcode):
    """Multiply two values: out = x * y."""

    def calls(self, out: FloatArray, *inputs: FloatArray) -> list[Call]:
        return [partial(np.multiply, *inputs, out)]


@opcode
class Offset(Add):
    """Add a constant per channel: out = x + constant."""


@opcode
class Scale(Multiply):
    """Multiply by a constant per channel: out = x * factor."""


@opcode
class Tanh(Opcode):
    """Hyperbolic tangent: out = tanh(x)."""

    def calls(self, out: FloatArray, *inputs: FloatArray) -> list[Call]:
        return [partial(np.tanh, inputs[0], out)]


@opcode
class Sigmoid(Opcode):
    """Sigmoid: out = 1 / (1 + exp(-x)), as (1 + tanh(x / 2)) / 2, which cannot overflow."""

    def calls(self, out: FloatArray, *inputs: FloatArray) -> list[Call]:
        half, one = number(0.5, out), number(1, out)
        return [
            partial(np.multiply, inputs[0], half, out),
            partial(np.tanh, out, out),
            partial(np.add, out, one, out),
            partial(np.multiply, out, half, out),
        ]


@opcode
class Gate(Opcode):
    """Gate of van den Oord et al. 2016b, eq. 2: out = tanh(x) * sigmoid(y)."""

    def calls(self, out: FloatArray, *inputs: FloatArray) -> list[Call]:
        half, one, gate = number(0.5, out), number(1, out), np.empty_like(out)
        return [
            partial(np.tanh, inputs[0], out),
            partial(np.multiply, inputs[1], half, gate),
            partial(np.tanh, gate, gate),
            partial(np.add, gate, one, gate),
            partial(np.multiply, out, gate, out),
            partial(np.multiply, out, half, out),
        ]

    def flops(self, instruction: Instruction) -> int:
        return 3 * super().flops(instruction)


@opcode
class Relu(Opcode):
    """Rectifier: out = max(x, 0)."""

    def calls(self, out: FloatArray, *inputs: FloatArray) -> list[Call]:
        return [partial(np.maximum, inputs[0], number(0, out), out=out)]


@opcode
class Elu(Opcode):
    """ELU: out = x where x > 0, else exp(x) - 1."""

    def calls(self, out: FloatArray, *inputs: FloatArray) -> list[Call]:
        zero, low = number(0, out), np.empty_like(out)
        return [
            partial(np.minimum, inputs[0], zero, out=low),
            partial(np.expm1, low, low),
            partial(np.maximum, inputs[0], zero, out=out),
            partial(np.add, out, low, out),
        ]


@opcode
class Gelu(Opcode):
    """GELU in its tanh form (Hendrycks and Gimpel 2016).

    out = x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)))
    """

    def calls(self, out: FloatArray, *inputs: FloatArray) -> list[Call]:
        x, inner = inputs[0], np.empty_like(out)
        root, one, half = number(np.sqrt(2 / np.pi), out), number(1, out), number(0.5, out)
        return [
            partial(np.multiply, x, x, inner),
            partial(np.multiply, inner, number(0.044715, out), inner),
            partial(np.add, inner, one, inner),
            partial(np.multiply, inner, x, inner),
            partial(np.multiply, inner, root, inner),
            partial(np.tanh, inner, inner),
            partial(np.add, inner, one, inner),
            partial(np.multiply, inner, x, out),
            partial(np.multiply, out, half, out),
        ]
