"""Elementwise kernels: one loop over vectors for each kind. Their meaning is in `engine/opcodes`.

Constants of a kind lie in blocks, one for each vector of outputs, of `CONSTANTS[kind]` vectors. A shift has two of
them: to the left and to the right.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from pointillist.engine.cpu.integer.vectors import I64, LANES, IntVectors
from pointillist.engine.program import LIMIT


class Kind(IntEnum):
    """Kinds of kernels. Suffixes tell how a narrow value is stored: S signed, as x + 128; U unsigned."""

    NARROW_S = 0
    NARROW_U = 1
    RESCALE = 2
    WIDEN_S = 3
    WIDEN_U = 4
    ADD = 5
    OFFSET = 6
    SCALE = 7
    MULTIPLY = 8
    RELU = 9
    LOOKUP = 10
    RECTIFIED_LOOKUP = 11
    GATE_S = 12
    GATE_U = 13
    GATE = 14
    COPY = 15
    CONSTANT = 16


CONSTANTS = {
    Kind.NARROW_S: 2, Kind.NARROW_U: 2, Kind.RESCALE: 2, Kind.WIDEN_S: 2, Kind.WIDEN_U: 2, Kind.ADD: 4, Kind.OFFSET: 1,
    Kind.SCALE: 3, Kind.MULTIPLY: 2, Kind.RELU: 0, Kind.LOOKUP: 2, Kind.RECTIFIED_LOOKUP: 2, Kind.GATE_S: 6,
    Kind.GATE_U: 6, Kind.GATE: 6, Kind.COPY: 0, Kind.CONSTANT: 1,
}  # fmt: skip
"""Vectors of constants for each vector of outputs."""


class Kernel:
    """The body of a loop: one vector of inputs, constants and outputs."""

    def __init__(self, vec: IntVectors, at: dict[str, Any], kind: Kind, j: Any) -> None:
        self.vec, self.at, self.kind, self.j = vec, at, kind, j

    def _at(self, array: str, offset: str) -> Any:
        return self.vec.builder.gep(self.at[array], [self.vec.builder.add(self.at[offset], self.j)])

    def x(self) -> Any:
        """Emit the first input."""
        return self.vec.load(self._at("s", "x"))

    def z(self) -> Any:
        """Emit the second input."""
        return self.vec.load(self._at("s", "z"))

    def constants(self) -> list[Any]:
        """Emit the constants of this vector."""
        count, build = CONSTANTS[self.kind], self.vec.builder
        block = build.add(self.at["k"], build.mul(self.j, I64(count)))
        return [self.vec.load(build.gep(self.at["c"], [build.add(block, I64(i * LANES))])) for i in range(count)]

    def left(self) -> Any:
        """Emit how many outputs are left."""
        return self.vec.builder.sub(self.at["n"], self.j)

    def store(self, value: Any) -> None:
        """Emit the store of a wide output, clamped."""
        self.vec.store(self.vec.clamp(value, -LIMIT, LIMIT), self._at("s", "y"), self.left())

    def store_narrow(self, value: Any, *, signed: bool) -> None:
        """Emit the store of a narrow output, clamped."""
        value = self.vec.clamp(value, -128, 127) if signed else self.vec.clamp(value, 0, 255)
        if signed:
            value = self.vec.builder.add(value, self.vec.constant(128))
        self.vec.store_bytes(value, self._at("a", "y"), self.left())

    def load_narrow(self, *, signed: bool) -> Any:
        """Emit a narrow input."""
        result = self.vec.load_bytes(self._at("a", "x"))
        return self.vec.builder.sub(result, self.vec.constant(128)) if signed else result

    def look_up(self, table: str, x: Any, left: Any, right: Any, *, width: int = 4) -> Any:
        """Emit the entry of a table of 4 or 2 bytes, whose middle is that of the argument 0."""
        pointer = self.vec.builder.gep(self.at["c"], [self.at[table]])
        return self.vec.look_up(pointer, self.at["m"], x, left, right, width=width)


def _shifted(k: Kernel) -> Any:
    return k.vec.shift(k.x(), *k.constants())


def _add(k: Kernel) -> None:
    c = k.constants()
    k.store(k.vec.builder.add(k.vec.shift(k.x(), *c[:2]), k.vec.shift(k.z(), *c[2:])))


def _scale(k: Kernel) -> None:
    factor, left, right = k.constants()
    k.store(k.vec.shift_long(k.vec.builder.mul(k.vec.widen(k.x()), k.vec.widen(factor)), left, right))


def _multiply(k: Kernel) -> None:
    k.store(k.vec.shift_long(k.vec.builder.mul(k.vec.widen(k.x()), k.vec.widen(k.z())), *k.constants()))


def _gated(k: Kernel) -> Any:
    c = k.constants()
    tanh, sigmoid = k.look_up("t", k.x(), *c[:2], width=2), k.look_up("u", k.z(), *c[2:4], width=2)
    return k.vec.shift(k.vec.builder.mul(tanh, sigmoid), *c[4:])


def _rectified(k: Kernel) -> None:
    x = k.x()
    k.store(k.vec.builder.add(k.vec.rectify(x), k.look_up("t", x, *k.constants())))


BODIES: dict[Kind, Callable[[Kernel], None]] = {
    Kind.NARROW_S: lambda k: k.store_narrow(_shifted(k), signed=True),
    Kind.NARROW_U: lambda k: k.store_narrow(_shifted(k), signed=False),
    Kind.RESCALE: lambda k: k.store(_shifted(k)),
    Kind.WIDEN_S: lambda k: k.store(k.vec.shift(k.load_narrow(signed=True), *k.constants())),
    Kind.WIDEN_U: lambda k: k.store(k.vec.shift(k.load_narrow(signed=False), *k.constants())),
    Kind.ADD: _add,
    Kind.OFFSET: lambda k: k.store(k.vec.builder.add(k.x(), *k.constants())),
    Kind.SCALE: _scale,
    Kind.MULTIPLY: _multiply,
    Kind.RELU: lambda k: k.store(k.vec.rectify(k.x())),
    Kind.LOOKUP: lambda k: k.store(k.look_up("t", k.x(), *k.constants())),
    Kind.RECTIFIED_LOOKUP: _rectified,
    Kind.GATE_S: lambda k: k.store_narrow(_gated(k), signed=True),
    Kind.GATE_U: lambda k: k.store_narrow(_gated(k), signed=False),
    Kind.GATE: lambda k: k.store(_gated(k)),
    Kind.COPY: lambda k: k.vec.store(k.x(), k._at("s", "y"), k.left()),
    Kind.CONSTANT: lambda k: k.store(k.constants()[0]),
}
_NAMES = ("kind", "y", "x", "z", "k", "n", "t", "u", "m")


@intrinsic
def apply(
    typing: Any, a: Any, s: Any, c: Any, kind: Any, y: Any, x: Any, z: Any, k: Any, n: Any, t: Any, u: Any, m: Any
) -> Any:
    """Apply a kernel to `n` numbers: offsets of y, x, z in `a` or `s`, of constants and tables in `c`.

    `m` is the index of the middle of the tables `t` and `u`.
    """
    size = types.intp
    signature = types.void(a, s, c, *[size] * len(_NAMES))

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = {
            name: context.make_array(kind)(context, builder, value).data
            for name, kind, value in zip(("a", "s", "c"), signature.args, arguments, strict=False)
        }
        at |= dict(zip(_NAMES, arguments[3:], strict=True))
        vec = IntVectors(builder)
        end = builder.append_basic_block("done")
        before, choice = builder.block, builder.switch(at["kind"], end)
        for number, body in BODIES.items():
            block = builder.append_basic_block(number.name.lower())
            choice.add_case(ir.Constant(I64, int(number)), block)
            builder.position_at_end(block)
            j = builder.phi(I64)
            j.add_incoming(I64(0), before)
            body(Kernel(vec, at, number, j))
            following = builder.add(j, I64(LANES))
            j.add_incoming(following, builder.block)
            builder.cbranch(builder.icmp_signed("<", following, at["n"]), block, end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, code
