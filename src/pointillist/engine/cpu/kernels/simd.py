"""SIMD operations, emitted as LLVM intermediate representation. The kernels are written with them.

numba leaves it to LLVM to vectorise a loop. LLVM does not vectorise a loop that calls `tanh`, and keeps no block of a
matrix product in registers. So the few inner loops use vectors explicitly. Every lane, also of the last, partly filled
vector of a row, goes through the same operations: a result does not depend on the position in a batch.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types

from pointillist.engine.cpu.jit import lanes

I8, I16, I32, I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))

# tanh(x) = x P(x^2) / Q(x^2), a minimax fit for |x| < 7.9 (Eigen's coefficients); beyond, tanh is 1 in float32
_TANH_LIMIT = 7.90531110763549805
_TANH_P = (
    -2.76076847742355e-16,
    2.00018790482477e-13,
    -8.60467152213735e-11,
    5.12229709037114e-08,
    1.48572235717979e-05,
    6.37261928875436e-04,
    4.89352455891786e-03,
)
_TANH_Q = (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)


class Vectors:
    """Emit operations on vectors of one type.

    Args:
        builder: the LLVM builder.
        number: numba's float32 or float64.
    """

    def __init__(self, builder: Any, number: types.Float) -> None:
        self.builder = builder
        self.double = number.bitwidth == 64
        self.lanes = lanes(number.bitwidth // 8)
        self.element = ir.DoubleType() if self.double else ir.FloatType()
        self.type = ir.VectorType(self.element, self.lanes)
        self.bits = ir.VectorType(I64 if self.double else I32, self.lanes)
        name = f"llvm.fmuladd.v{self.lanes}f{number.bitwidth}"
        self._fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(self.type, [self.type] * 3), name)

    def constant(self, value: float) -> Any:
        """Emit a constant in every lane."""
        if not self.double:
            value = struct.unpack("f", struct.pack("f", value))[0]
        return ir.Constant(self.type, [value] * self.lanes)

    def splat(self, value: Any) -> Any:
        """Emit one number in every lane."""
        nothing = ir.Constant(ir.VectorType(value.type, self.lanes), ir.Undefined)
        first = self.builder.insert_element(nothing, value, I32(0))
        return self.builder.shuffle_vector(
            first, nothing, ir.Constant(ir.VectorType(I32, self.lanes), [0] * self.lanes)
        )

    def load(self, pointer: Any) -> Any:
        """Emit a load from an address, aligned or not."""
        return self.builder.load(self.builder.bitcast(pointer, self.type.as_pointer()), align=self.element_size)

    def load_int8(self, pointer: Any) -> Any:
        """Emit a load of int8, converted to floats."""
        return self.builder.sitofp(self._small(pointer, I8), self.type)

    def load_bf16(self, pointer: Any) -> Any:
        """Emit a load of bf16, the upper halves of float32, converted to floats."""
        wide = ir.VectorType(I32, self.lanes)
        whole = self.builder.zext(self._small(pointer, I16), wide)
        whole = self.builder.shl(whole, ir.Constant(wide, [16] * self.lanes))
        single = self.builder.bitcast(whole, ir.VectorType(ir.FloatType(), self.lanes))
        return self.builder.fpext(single, self.type) if self.double else single

    def _small(self, pointer: Any, number: Any) -> Any:
        kind = ir.VectorType(number, self.lanes)
        return self.builder.load(self.builder.bitcast(pointer, kind.as_pointer()), align=number.width // 8)

    def store(self, value: Any, pointer: Any) -> None:
        """Emit a store of all lanes."""
        self.builder.store(value, self.builder.bitcast(pointer, self.type.as_pointer()), align=self.element_size)

    def store_first(self, value: Any, pointer: Any, count: Any) -> None:
        """Emit a store of the first `count` lanes; the others are written back unchanged."""
        self.store(self.builder.select(self.is_first(count), value, self.load(pointer)), pointer)

    def is_first(self, count: Any) -> Any:
        """Emit a mask of the first `count` lanes."""
        numbers = ir.Constant(ir.VectorType(I64, self.lanes), list(range(self.lanes)))
        return self.builder.icmp_signed("<", numbers, self.splat(count))

    def larger(self, a: Any, b: Any) -> Any:
        """Emit the maximum of numbers, or of vectors lane by lane."""
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)

    def across(self, x: Any, combine: Callable[[Any, Any], Any]) -> Any:
        """Emit a reduction of all lanes to one number, from the first to the last."""
        result = self.builder.extract_element(x, I32(0))
        for lane in range(1, self.lanes):
            result = combine(result, self.builder.extract_element(x, I32(lane)))
        return result

    @property
    def element_size(self) -> int:
        """Bytes of a number."""
        return 8 if self.double else 4

    def fma(self, a: Any, b: Any, c: Any) -> Any:
        """Emit a b + c, with one rounding where the processor has fused multiply-add."""
        return self.builder.call(self._fma, [a, b, c])

    def polynomial(self, x: Any, coefficients: tuple[float, ...]) -> Any:
        """Emit a polynomial by Horner's rule, the highest power first."""
        result = self.constant(coefficients[0])
        for coefficient in coefficients[1:]:
            result = self.fma(result, x, self.constant(coefficient))
        return result

    def clamp(self, x: Any, low: float, high: float) -> Any:
        """Emit x clamped to bounds; NaN stays NaN."""
        build, bottom, top = self.builder, self.constant(low), self.constant(high)
        x = build.select(build.fcmp_ordered("<", x, bottom), bottom, x)
        return build.select(build.fcmp_ordered(">", x, top), top, x)

    def exp(self, x: Any) -> Any:
        """Emit e^x = 2^n e^r, with n whole and |r| < ln(2) / 2, by Taylor's series; exact to rounding."""
        build = self.builder
        limit, digits, terms = (708.0, 52, 13) if self.double else (87.0, 23, 7)
        x = self.clamp(x, -limit, limit)
        magic = self.constant(1.5 * 2.0**digits)  # adding it rounds to whole numbers, in the last bits
        shifted = self.fma(x, self.constant(1 / math.log(2)), magic)
        n = build.fsub(shifted, magic)
        high = 0.693145751953125  # ln 2 in few bits, so that the first product is exact
        rest = self.fma(n, self.constant(-high), x)
        rest = self.fma(n, self.constant(high - math.log(2)), rest)
        series = self.polynomial(rest, tuple(1 / math.factorial(k) for k in range(terms, -1, -1)))
        exponent = build.shl(build.bitcast(shifted, self.bits), ir.Constant(self.bits, [digits] * self.lanes))
        power = build.bitcast(build.add(build.bitcast(series, self.bits), exponent), self.type)
        return build.select(build.fcmp_unordered("uno", x, x), x, power)

    def tanh_parts(self, x: Any) -> tuple[Any, Any]:
        """Emit tanh(x) as a numerator and a denominator, so that a product of two needs one division."""
        build, one = self.builder, self.constant(1.0)
        if self.double:
            x = self.clamp(x, -30.0, 30.0)
            power = self.exp(build.fadd(x, x))
            return build.fsub(power, one), build.fadd(power, one)
        x = self.clamp(x, -_TANH_LIMIT, _TANH_LIMIT)
        square = build.fmul(x, x)
        return build.fmul(self.polynomial(square, _TANH_P), x), self.polynomial(square, _TANH_Q)

    def tanh(self, x: Any) -> Any:
        """Emit the hyperbolic tangent."""
        return self.builder.fdiv(*self.tanh_parts(x))

    def sigmoid_parts(self, x: Any) -> tuple[Any, Any]:
        """Emit 1 / (1 + e^-x) = (1 + tanh(x / 2)) / 2, as a numerator and a denominator."""
        top, bottom = self.tanh_parts(self.builder.fmul(x, self.constant(0.5)))
        return self.builder.fmul(self.builder.fadd(top, bottom), self.constant(0.5)), bottom
