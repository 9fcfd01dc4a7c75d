"""Dequantize a strip of a packed matrix, which stays in the first-level cache while it is multiplied."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.types.containers import UniTuple
from numba.extending import intrinsic

from pointillist.engine.cpu.jit import PANEL
from pointillist.engine.cpu.kernels.simd import I64, Vectors
from pointillist.engine.cpu.kernels.weight_packing import WeightFormat

STRIP = 64
"""Rows of a panel that are dequantized at once."""


@intrinsic
def unpack(typing: Any, weight_format: Any, s: Any, y: Any, weights: Any, w: Any, shape: Any, scales: Any) -> Any:
    """Dequantize rows of a panel: `s[y:]` = rows, as floats.

    `w` is the offset in `weights` at which the panel begins, and how many small numbers come before the first row to
    read; `shape` is rows and vectors; `scales` is the offset in `s` of the scales of its columns.
    """
    size, pair = types.intp, UniTuple(types.intp, 2)
    signature = types.void(size, s, size, weights, pair, pair, size)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        weight_format, _, y, _, w, shape, scales = arguments
        (w0, w_first), (rows, vectors) = (cgutils.unpack_tuple(builder, pair, 2) for pair in (w, shape))
        target, matrix = (context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in (1, 3))
        vec = Vectors(builder, signature.args[1].dtype)
        panel = builder.gep(matrix, [w0])
        to, scale = builder.gep(target, [y]), builder.gep(target, [scales])
        end = builder.append_basic_block("done")
        choice = builder.switch(builder.add(builder.mul(weight_format, I64(PANEL)), vectors), end)
        for kind in (WeightFormat.BF16, WeightFormat.INT8):
            for count in range(1, PANEL + 1):
                block = builder.append_basic_block("unpack")
                choice.add_case(ir.Constant(I64, kind * PANEL + count), block)
                builder.position_at_end(block)
                _rows(vec, kind, count, to, panel, w_first, rows, scale)
                builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, code


def _rows(
    vec: Vectors, kind: WeightFormat, vectors: int, to: Any, panel: Any, first: Any, rows: Any, scale: Any
) -> None:
    """Emit the loop for a weight format and a number of vectors a row."""
    build, bits = vec.builder, 8 if kind == WeightFormat.INT8 else 16
    small = build.gep(build.bitcast(panel, ir.IntType(bits).as_pointer()), [first])
    scales = [vec.load(build.gep(scale, [I64(v * vec.lanes)])) for v in range(vectors)] if bits == 8 else []
    before, loop, after = build.block, build.append_basic_block("rows"), build.append_basic_block("end")
    build.branch(loop)
    build.position_at_end(loop)
    row = build.phi(I64)
    row.add_incoming(I64(0), before)
    for v in range(vectors):
        at = build.add(build.mul(row, I64(vectors * vec.lanes)), I64(v * vec.lanes))
        source = build.gep(small, [at])
        value = build.fmul(vec.load_int8(source), scales[v]) if scales else vec.load_bf16(source)
        vec.store(value, build.gep(to, [at]))
    following = build.add(row, I64(1))
    row.add_incoming(following, loop)
    build.cbranch(build.icmp_signed("<", following, rows), loop, after)
    build.position_at_end(after)
