"""Elementwise functions: y[i] = f(x[i], z[i]). A new one is an entry in `FUNCTIONS`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from pointillist.engine.cpu.kernels.simd import I64, Vectors

Function = Callable[[Vectors, Any, Any], Any]


def _sigmoid(vec: Vectors, x: Any, z: Any) -> Any:
    return vec.builder.fdiv(*vec.sigmoid_parts(x))


def _gate(vec: Vectors, x: Any, z: Any) -> Any:
    (top, bottom), (other_top, other_bottom) = vec.tanh_parts(x), vec.sigmoid_parts(z)
    return vec.builder.fdiv(vec.builder.fmul(top, other_top), vec.builder.fmul(bottom, other_bottom))


def _relu(vec: Vectors, x: Any, z: Any) -> Any:
    zero = vec.constant(0.0)
    return vec.builder.select(vec.builder.fcmp_ordered("<", x, zero), zero, x)


def _elu(vec: Vectors, x: Any, z: Any) -> Any:
    below = vec.builder.fsub(vec.exp(x), vec.constant(1.0))
    return vec.builder.select(vec.builder.fcmp_ordered("<", x, vec.constant(0.0)), below, x)


def _gelu(vec: Vectors, x: Any, z: Any) -> Any:
    build, half = vec.builder, vec.builder.fmul(x, vec.constant(0.5))
    inner = vec.fma(build.fmul(x, x), vec.constant(0.044715), vec.constant(1.0))
    inner = build.fmul(build.fmul(inner, x), vec.constant(math.sqrt(2 / math.pi)))
    return vec.fma(half, vec.tanh(inner), half)


FUNCTIONS: dict[str, Function] = {
    "COPY": lambda vec, x, z: x,
    "ADD": lambda vec, x, z: vec.builder.fadd(x, z),
    "MULTIPLY": lambda vec, x, z: vec.builder.fmul(x, z),
    "TANH": lambda vec, x, z: vec.tanh(x),
    "SIGMOID": _sigmoid,
    "GATE": _gate,
    "RELU": _relu,
    "ELU": _elu,
    "GELU": _gelu,
}
CODES = {name: code for code, name in enumerate(FUNCTIONS)}
TAKES_TWO = {"ADD", "MULTIPLY", "GATE"}


@intrinsic
def apply(typing: Any, code: Any, array: Any, y: Any, x: Any, z: Any, count: Any) -> Any:
    """Compute `array[y:y+count] = f(array[x:x+count], array[z:z+count])` with f = `FUNCTIONS[code]`.

    y may equal x or z; otherwise they do not overlap. A function of one argument does not read z.
    """
    size = types.intp
    signature = types.void(size, array, size, size, size, size)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[1])(context, builder, arguments[1]).data
        pointers = [builder.gep(data, [at]) for at in arguments[2:5]]
        vec = Vectors(builder, signature.args[1].dtype)
        end = builder.append_basic_block("done")
        choice = builder.switch(arguments[0], end)
        for name, number in CODES.items():
            block = builder.append_basic_block(name.lower())
            choice.add_case(ir.Constant(I64, number), block)
            builder.position_at_end(block)
            _loop(vec, name, pointers, arguments[5], end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, emit


def _loop(vec: Vectors, name: str, pointers: list[Any], count: Any, end: Any) -> None:
    """Emit a loop over vectors, with a masked store of the last one."""
    build = vec.builder
    before, loop = build.block, build.append_basic_block("vectors")
    whole, rest = build.append_basic_block("whole"), build.append_basic_block("rest")
    build.cbranch(build.icmp_signed("<", I64(0), count), loop, end)
    build.position_at_end(loop)
    i = build.phi(I64)
    i.add_incoming(I64(0), before)
    y, x, z = (build.gep(pointer, [i]) for pointer in pointers)
    result = FUNCTIONS[name](vec, vec.load(x), vec.load(z) if name in TAKES_TWO else None)
    following = build.add(i, I64(vec.lanes))
    build.cbranch(build.icmp_signed("<=", following, count), whole, rest)
    build.position_at_end(whole)
    vec.store(result, y)
    i.add_incoming(following, whole)
    build.cbranch(build.icmp_signed("<", following, count), loop, end)
    build.position_at_end(rest)
    vec.store_first(result, y, build.sub(count, i))
    build.branch(end)
