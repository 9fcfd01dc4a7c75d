"""Kernels of softmax: the maximum of many numbers, and their exponentials with the sum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from pointillist.engine.cpu.kernels.simd import I64, Vectors


@intrinsic
def largest(typing: Any, source: Any, x: Any, count: Any) -> Any:
    """Return the maximum of `source[x:x+count]`, which has at least one number."""
    signature = source.dtype(source, types.intp, types.intp)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        vec = Vectors(builder, signature.args[0].dtype)
        start = builder.gep(data, [arguments[1]])
        first = vec.splat(builder.load(start))

        def step(i: Any, best: Any) -> Any:
            here = vec.load(builder.gep(start, [i]))
            here = builder.select(vec.is_first(builder.sub(arguments[2], i)), here, first)
            return vec.larger(here, best)

        return vec.across(_over(vec, arguments[2], first, step), vec.larger)

    return signature, emit


@intrinsic
def exp_and_sum(typing: Any, out: Any, y: Any, source: Any, x: Any, count: Any, shift: Any, scale: Any) -> Any:
    """Compute `out[y:y+count] = exp((source[x:x+count] - shift) * scale)`; return their sum.

    The precision is that of `out`, which is that of `source` or higher. Up to a vector more is written behind the last
    number.
    """
    size, number = types.intp, out.dtype
    signature = number(out, size, source, size, size, number, number)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, origin = (context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 2))
        to, start, count = builder.gep(target, [arguments[1]]), builder.gep(origin, [arguments[3]]), arguments[4]
        vec, read = Vectors(builder, signature.args[0].dtype), Vectors(builder, signature.args[2].dtype)
        narrow = ir.VectorType(read.element, vec.lanes)
        shift, scale, zero = vec.splat(arguments[5]), vec.splat(arguments[6]), vec.constant(0.0)

        def step(i: Any, total: Any) -> Any:
            pointer = builder.bitcast(builder.gep(start, [i]), narrow.as_pointer())
            here = builder.load(pointer, align=read.element_size)
            wide = here if narrow == vec.type else builder.fpext(here, vec.type)
            power = vec.exp(builder.fmul(builder.fsub(wide, shift), scale))
            vec.store(power, builder.gep(to, [i]))
            return builder.fadd(total, builder.select(vec.is_first(builder.sub(count, i)), power, zero))

        return vec.across(_over(vec, count, zero, step), builder.fadd)

    return signature, emit


def _over(vec: Vectors, count: Any, begin: Any, step: Callable[[Any, Any], Any]) -> Any:
    """Emit a loop over `count` numbers, at least one, a vector at a time, with a carried vector."""
    build = vec.builder
    before, loop, end = build.block, build.append_basic_block("vectors"), build.append_basic_block("done")
    build.branch(loop)
    build.position_at_end(loop)
    i, carried = build.phi(I64), build.phi(vec.type)
    i.add_incoming(I64(0), before)
    carried.add_incoming(begin, before)
    result = step(i, carried)
    following = build.add(i, I64(vec.lanes))
    i.add_incoming(following, loop)
    carried.add_incoming(result, loop)
    build.cbranch(build.icmp_signed("<", following, count), loop, end)
    build.position_at_end(end)
    return result
