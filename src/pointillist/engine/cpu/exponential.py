"""The heart of every softmax: e^(x - shift), for many x."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from pointillist.engine.cpu.vectors import I64, Vectors


@intrinsic
def exponentials(typing: Any, out: Any, y: Any, source: Any, x: Any, count: Any, shift: Any) -> Any:
    """`out[y:y+count] = exp(source[x:x+count] - shift)`, in the precision of `out`, which is that of `source` or finer.

    Up to a vector more is written behind the last.
    """
    size = types.intp
    signature = types.void(out, size, source, size, size, out.dtype)

    def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        target, origin = (context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 2))
        to, start, count = builder.gep(target, [arguments[1]]), builder.gep(origin, [arguments[3]]), arguments[4]
        vec, read = Vectors(builder, signature.args[0].dtype), Vectors(builder, signature.args[2].dtype)
        narrow = ir.VectorType(read.element, vec.lanes)
        shift = vec.splat(arguments[5])
        before, loop = builder.block, builder.append_basic_block("vectors")
        end = builder.append_basic_block("done")
        builder.cbranch(builder.icmp_signed("<", I64(0), count), loop, end)
        builder.position_at_end(loop)
        i = builder.phi(I64)
        i.add_incoming(I64(0), before)
        pointer = builder.bitcast(builder.gep(start, [i]), narrow.as_pointer())
        x = builder.load(pointer, align=read.element_size)
        wide = x if narrow == vec.type else builder.fpext(x, vec.type)
        vec.store(vec.exp(builder.fsub(wide, shift)), builder.gep(to, [i]))
        following = builder.add(i, I64(vec.lanes))
        i.add_incoming(following, loop)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, emit
