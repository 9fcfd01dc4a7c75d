"""GEMM micro-kernel: a tile of a few rows and up to four vectors, kept in registers.

    y[r] = z[r] + sum over k of x[r, k] w[k],   k upwards, one multiply-add after the other

The order of the sum is the same for every tile, so a result does not depend on the number of rows computed together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.core.types.containers import UniTuple
from numba.extending import intrinsic

from pointillist.engine.cpu.jit import PANEL, TILE_ROWS
from pointillist.engine.cpu.kernels.simd import I64, Vectors


@dataclass
class Tile:
    """The addresses and strides of one call, as values of the emitted code."""

    x: Any
    x_row: Any
    w: Any
    w_row: Any
    y: Any
    y_row: Any
    z: Any
    z_row: Any
    depth: Any
    """Terms of the sum, at least one."""
    last: Any
    """Lanes of the last vector that are stored."""

    def emit(self, vec: Vectors, rows: int, vectors: int) -> None:
        """Emit the loop for this many rows and vectors."""
        build, block = vec.builder, range(rows)
        sums = [[vec.load(at) for at in _across(vec, self.z, self.z_row, r, vectors)] for r in block]
        inputs = [build.gep(self.x, [build.mul(self.x_row, I64(r))]) for r in block]
        before, loop = build.block, build.append_basic_block("terms")
        build.branch(loop)
        build.position_at_end(loop)
        k = build.phi(I64)
        k.add_incoming(I64(0), before)
        running = [[_phi(vec, value, before) for value in row] for row in sums]
        weights = [vec.load(at) for at in _across(vec, self.w, self.w_row, k, vectors)]
        for r in block:
            factor = vec.splat(build.load(build.gep(inputs[r], [k])))
            for v in range(vectors):
                sums[r][v] = vec.fma(factor, weights[v], running[r][v])
                running[r][v].add_incoming(sums[r][v], loop)
        following = build.add(k, I64(1))
        k.add_incoming(following, loop)
        after = build.append_basic_block("sum")
        build.cbranch(build.icmp_signed("<", following, self.depth), loop, after)
        build.position_at_end(after)
        for r in block:
            *whole, rest = zip(sums[r], _across(vec, self.y, self.y_row, r, vectors), strict=True)
            for value, at in whole:
                vec.store(value, at)
            vec.store_first(*rest, self.last)


def _across(vec: Vectors, start: Any, stride: Any, row: Any, vectors: int) -> list[Any]:
    """Return the addresses of the vectors of a row."""
    build = vec.builder
    first = build.gep(start, [build.mul(stride, I64(row) if isinstance(row, int) else row)])
    return [build.gep(first, [I64(v * vec.lanes)]) for v in range(vectors)]


def _phi(vec: Vectors, value: Any, before: Any) -> Any:
    phi = vec.builder.phi(vec.type)
    phi.add_incoming(value, before)
    return phi


@intrinsic
def tile(typing: Any, s: Any, x: Any, weights: Any, w: Any, y: Any, z: Any, shape: Any) -> Any:
    """Compute one tile; `x`, `y` and `z` are an offset in `s` and a distance between rows, `w` the same in `weights`.

    `shape` is the terms of a sum; rows, one of `TILE_ROWS`; vectors, 1 to `PANEL`; lanes of the last vector that are
    stored.
    """
    pair, four = UniTuple(types.intp, 2), UniTuple(types.intp, 4)
    signature = types.void(s, pair, weights, pair, pair, pair, four)

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, matrix = (context.make_array(signature.args[i])(context, builder, arguments[i]).data for i in (0, 2))
        (x, x_row), (w, w_row), (y, y_row), (z, z_row) = (
            cgutils.unpack_tuple(builder, arguments[i], 2) for i in (1, 3, 4, 5)
        )
        depth, rows, vectors, last = cgutils.unpack_tuple(builder, arguments[6], 4)
        at = [builder.gep(base, [offset]) for base, offset in ((source, x), (matrix, w), (source, y), (source, z))]
        call = Tile(at[0], x_row, at[1], w_row, at[2], y_row, at[3], z_row, depth, last)
        vec = Vectors(builder, signature.args[0].dtype)
        end = builder.append_basic_block("done")
        choice = builder.switch(builder.add(builder.mul(rows, I64(PANEL)), vectors), end)
        for row_count in TILE_ROWS:
            for vector_count in range(1, PANEL + 1):
                block = builder.append_basic_block("tile")
                choice.add_case(ir.Constant(I64, row_count * PANEL + vector_count), block)
                builder.position_at_end(block)
                call.emit(vec, row_count, vector_count)
                builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, code
