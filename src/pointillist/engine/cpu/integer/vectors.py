"""Vectors of 32-bit integers, emitted as LLVM intermediate representation.

Every operation is defined for integers alone, so the width of the vectors and the instructions of the processor change
no bit. The product of bytes is one instruction where the processor has VNNI, and shifts, products and sums elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import cgutils

from pointillist.engine.cpu.jit import VECTOR_BYTES, features
from pointillist.engine.program import LIMIT

LANES = VECTOR_BYTES // 4
"""Numbers in a vector."""
I8, I32, I64 = ir.IntType(8), ir.IntType(32), ir.IntType(64)
VECTOR, WIDE, BYTES = ir.VectorType(I32, LANES), ir.VectorType(I64, LANES), ir.VectorType(I8, LANES)


def has_vnni() -> bool:
    """Return True if numba compiles for a processor with 8-bit dot products of this vector width."""
    return ("avx512vnni" in features() and LANES == 16) or ("avxvnni" in features() and LANES == 8)


class IntVectors:
    """Emit operations on vectors of `LANES` integers."""

    def __init__(self, builder: Any) -> None:
        self.builder = builder

    def constant(self, value: int, kind: Any = VECTOR) -> Any:
        """Emit a constant in every lane."""
        return ir.Constant(kind, [value] * LANES)

    def splat(self, value: Any) -> Any:
        """Emit one number in every lane."""
        nothing = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
        first = self.builder.insert_element(nothing, value, I32(0))
        return self.builder.shuffle_vector(first, nothing, ir.Constant(VECTOR, [0] * LANES))

    def load(self, pointer: Any) -> Any:
        """Emit a load of 32-bit integers."""
        return self.builder.load(self.builder.bitcast(pointer, VECTOR.as_pointer()), align=4)

    def load_bytes(self, pointer: Any) -> Any:
        """Emit a load of unsigned bytes, as 32-bit integers."""
        result = self.builder.load(self.builder.bitcast(pointer, BYTES.as_pointer()), align=1)
        return self.builder.zext(result, VECTOR)

    def store(self, value: Any, pointer: Any, count: Any) -> None:
        """Emit a store of the first `count` lanes of 32 bits; memory beyond them is written back unchanged."""
        target = self.builder.bitcast(pointer, VECTOR.as_pointer())
        value = self.builder.select(self.is_first(count), value, self.builder.load(target, align=4))
        self.builder.store(value, target, align=4)

    def store_bytes(self, value: Any, pointer: Any, count: Any) -> None:
        """Emit a store of the first `count` lanes as bytes."""
        target = self.builder.bitcast(pointer, BYTES.as_pointer())
        small = self.builder.trunc(value, BYTES)
        small = self.builder.select(self.is_first(count), small, self.builder.load(target, align=1))
        self.builder.store(small, target, align=1)

    def is_first(self, count: Any) -> Any:
        """Emit a mask of the first `count` lanes; `count` may exceed them."""
        numbers = ir.Constant(VECTOR, list(range(LANES)))
        return self.builder.icmp_signed("<", numbers, self.splat(self.builder.trunc(count, I32)))

    def clamp(self, x: Any, low: int, high: int, kind: Any = VECTOR) -> Any:
        """Emit x clamped to a range."""
        bottom, top = self.constant(low, kind), self.constant(high, kind)
        x = self.builder.select(self.builder.icmp_signed("<", x, bottom), bottom, x)
        return self.builder.select(self.builder.icmp_signed(">", x, top), top, x)

    def rectify(self, x: Any) -> Any:
        """Emit max(x, 0)."""
        zero = self.constant(0)
        return self.builder.select(self.builder.icmp_signed(">", x, zero), x, zero)

    def shift(self, x: Any, left: Any, right: Any) -> Any:
        """Emit `arithmetic.shift`, with its two directions apart; at most one of them is not 0."""
        build, one = self.builder, self.constant(1, x.type)
        half = build.lshr(build.shl(one, right), one)
        return build.ashr(build.add(build.shl(x, left), half), right)

    def widen(self, x: Any) -> Any:
        """Emit 64-bit integers."""
        return self.builder.sext(x, WIDE)

    def gather(self, table: Any, index: Any, width: int = 4) -> Any:
        """Emit the entries of a table at indices that lie inside; an entry has 2 or 4 bytes.

        Two more bytes follow the last one. A table of 16 bits takes half the first-level cache.
        """
        build = self.builder
        result = self.gather_words(table, build.shl(self.widen(index), self.constant(width // 2, WIDE)), width)
        if width == 4:
            return result
        return build.ashr(build.shl(result, self.constant(16)), self.constant(16))

    def gather_words(self, pointer: Any, offsets: Any, align: int = 1) -> Any:
        """Emit the four bytes at each of the offsets, 64-bit integers."""
        build, name = self.builder, f"llvm.masked.gather.v{LANES}i32.v{LANES}p0"
        address = self.splat(build.ptrtoint(pointer, I64))
        pointers = build.inttoptr(build.add(address, offsets), ir.VectorType(I32.as_pointer(), LANES))
        mask = ir.VectorType(ir.IntType(1), LANES)
        kinds = [pointers.type, I32, mask, VECTOR]
        function = cgutils.get_or_insert_function(build.module, ir.FunctionType(VECTOR, kinds), name)
        return build.call(function, [pointers, I32(align), ir.Constant(mask, [1] * LANES), self.constant(0)])

    def look_up(self, table: Any, middle: Any, x: Any, left: Any, right: Any, *, width: int = 4) -> Any:
        """Emit the entry of a table of 4 or 2 bytes at `shift(x)`, counted from its middle, and clamped."""
        build = self.builder
        most = self.splat(build.trunc(middle, I32))
        least = build.sub(self.constant(0), most)
        index = self.shift(x, left, right)
        index = build.select(build.icmp_signed("<", index, least), least, index)
        index = build.select(build.icmp_signed(">", index, most), most, index)
        return self.gather(table, build.add(index, most), width)

    def shift_long(self, x: Any, left: Any, right: Any) -> Any:
        """Emit the shift of 64-bit integers, clamped to the range of a wide value."""
        result = self.shift(x, self.widen(left), self.widen(right))
        return self.builder.trunc(self.clamp(result, -LIMIT, LIMIT, WIDE), VECTOR)

    def reduce(self, operation: str, x: Any) -> Any:
        """Emit the sum of all lanes (`add`), or the largest (`smax`)."""
        kind = x.type
        name = f"llvm.vector.reduce.{operation}.v{LANES}i{kind.element.width}"
        function = cgutils.get_or_insert_function(self.builder.module, ir.FunctionType(kind.element, [kind]), name)
        return self.builder.call(function, [x])

    def loop(self, count: Any, by: int, starts: list[Any], body: Callable[[Any, list[Any]], list[Any]]) -> list[Any]:
        """Emit a loop over 0, by, 2 by, ... below `count`, which runs at least once.

        Args:
            starts: first values of the variables.
            body: emits the next values of the variables, of the counter and the variables.

        Returns:
            The variables after the loop.
        """
        build = self.builder
        before, block, end = build.block, build.append_basic_block("loop"), build.append_basic_block("after")
        build.branch(block)
        build.position_at_end(block)
        phis = [build.phi(start.type) for start in (I64(0), *starts)]
        for phi, start in zip(phis, (I64(0), *starts), strict=True):
            phi.add_incoming(start, before)
        result = [build.add(phis[0], I64(by)), *body(phis[0], phis[1:])]
        for phi, value in zip(phis, result, strict=True):
            phi.add_incoming(value, build.block)
        build.cbranch(build.icmp_signed("<", result[0], count), block, end)
        build.position_at_end(end)
        return result[1:]

    def dot_bytes(self, sums: Any, x: Any, weights: Any) -> Any:
        """Emit sums + the products of four unsigned bytes of `x` with four signed bytes of `weights`, in each lane."""
        build = self.builder
        if has_vnni():
            name = f"llvm.x86.avx512.vpdpbusd.{LANES * 32}"
            kind = ir.FunctionType(VECTOR, [VECTOR] * 3)
            return build.call(cgutils.get_or_insert_function(build.module, kind, name), [sums, x, weights])
        for byte in range(4):
            weight = build.ashr(build.shl(weights, self.constant(24 - 8 * byte)), self.constant(24))
            number = build.and_(build.lshr(x, self.constant(8 * byte)), self.constant(255))
            sums = build.add(sums, build.mul(weight, number))
        return sums


def emitted_arguments(context: Any, builder: Any, signature: Any, arguments: Any, arrays: int) -> list[Any]:
    """Return the arguments of an intrinsic: the data of the arrays that come first, and the other ones."""
    first = zip(signature.args[:arrays], arguments[:arrays], strict=True)
    data = [context.make_array(kind)(context, builder, value).data for kind, value in first]
    return [*data, *arguments[arrays:]]
