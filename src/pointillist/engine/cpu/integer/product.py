"""Matrix product of bytes: a tile of a few rows and up to four vectors, kept in registers, with its shift and start.

    sums[r] = sum over pieces and k of x[r, k] w[k]        (x unsigned, w signed bytes)
    y[r]    = clamp(shift(sums[r] + bias, by) + z[r])

A row of x may lie in several pieces, such as the rows of a map that a kernel reads. Weights are packed as the tile
reads them: panels of up to four vectors, one after the other; in each, groups of four k, and the vectors of a group.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from pointillist.engine.cpu.integer.vectors import I32, I64, LANES, IntVectors
from pointillist.engine.cpu.jit import PANEL, TILE_ROWS, inner
from pointillist.engine.program import LIMIT

Array = Any  # numba finds the types

BLOCK = 3 * LANES
"""Constants of a vector of outputs: bias, shifts to the left, shifts to the right."""
MOST_ROWS = TILE_ROWS[0]
FEWER_ROWS = tuple(max(n for n in TILE_ROWS if n <= max(left, 1)) for left in range(MOST_ROWS))
"""Rows of the next tile, by the number of rows left."""
NONE: Any = np.int64(0)  # numba would compile again for a Python number


class Tile:
    """The addresses and strides of one call, as values of the emitted code."""

    def __init__(self, at: dict[str, Any]) -> None:
        self.at = at

    def emit(self, vec: IntVectors, rows: int, vectors: int) -> None:
        """Emit the loops for this many rows and vectors."""
        build, at, count = vec.builder, self.at, rows * vectors
        zero = [vec.constant(0)] * count
        before, outer = build.block, build.append_basic_block("piece")
        build.branch(outer)
        build.position_at_end(outer)
        piece, weights, sums = self._phis(build, before, [at["w0"]], zero)
        entry = build.gep(at["pieces"], [build.mul(build.add(at["first"], piece), I64(2))])
        x, groups = build.load(entry), build.load(build.gep(entry, [I64(1)]))
        inputs = [
            build.bitcast(build.gep(at["a"], [build.add(build.add(x, at["x"]), build.mul(at["x_row"], I64(r)))]),
                          I32.as_pointer())
            for r in range(rows)
        ]  # fmt: skip
        inner = build.append_basic_block("group")
        build.branch(inner)
        build.position_at_end(inner)
        group, offset, running = self._phis(build, outer, [weights], sums)
        loaded = [vec.load(build.gep(at["w"], [build.add(offset, I64(4 * LANES * v))])) for v in range(vectors)]
        result = []
        for r in range(rows):
            number = vec.splat(build.load(build.gep(inputs[r], [group]), align=1))
            result += [vec.dot_bytes(running[r * vectors + v], number, loaded[v]) for v in range(vectors)]
        following = build.add(group, I64(1))
        moved = build.add(offset, I64(4 * LANES * vectors))
        self._close(build, [group, offset, *running], [following, moved, *result])
        next_piece = build.append_basic_block("next")
        build.cbranch(build.icmp_signed("<", following, groups), inner, next_piece)
        build.position_at_end(next_piece)
        after = build.add(piece, I64(1))
        self._close(build, [piece, weights, *sums], [after, moved, *result])
        end = build.append_basic_block("end")
        build.cbranch(build.icmp_signed("<", after, at["count"]), outer, end)
        build.position_at_end(end)
        for r in range(rows):
            for v in range(vectors):
                self._finish(vec, result[r * vectors + v], r, v, last=v == vectors - 1)

    @staticmethod
    def _phis(build: Any, before: Any, offsets: list[Any], sums: list[Any]) -> tuple[Any, Any, list[Any]]:
        """Emit the variables of a loop: its counter, the offset of the weights, and the sums."""
        result = []
        for start in (I64(0), *offsets, *sums):
            phi = build.phi(start.type)
            phi.add_incoming(start, before)
            result.append(phi)
        return result[0], result[1], result[2:]

    @staticmethod
    def _close(build: Any, phis: list[Any], values: list[Any]) -> None:
        for phi, value in zip(phis, values, strict=True):
            phi.add_incoming(value, build.block)

    def _finish(self, vec: IntVectors, sums: Any, r: int, v: int, *, last: bool) -> None:
        """Emit the bias, the shift, the start and the store of a vector."""
        build, at = vec.builder, self.at
        bias, left, right = (
            vec.load(build.gep(at["c"], [build.add(at["k"], I64(BLOCK * v + LANES * i))])) for i in range(3)
        )
        result = vec.shift(build.add(sums, bias), left, right)
        column = I64(LANES * v)
        start = build.gep(at["s"], [build.add(build.add(at["z"], build.mul(at["z_row"], I64(r))), column)])
        result = vec.clamp(build.add(result, vec.load(start)), -LIMIT, LIMIT)
        target = build.gep(at["s"], [build.add(build.add(at["y"], build.mul(at["y_row"], I64(r))), column)])
        vec.store(result, target, at["last"] if last else I64(LANES))


_NAMES = ("first", "count", "x", "x_row", "w0", "y", "y_row", "z", "z_row", "k", "rows", "vectors", "last")


@intrinsic
def tile(
    typing: Any, a: Any, s: Any, c: Any, w: Any, pieces: Any, first: Any, count: Any, x: Any, x_row: Any, w0: Any,
    y: Any, y_row: Any, z: Any, z_row: Any, k: Any, rows: Any, vectors: Any, last: Any,
) -> Any:  # fmt: skip
    """Compute one tile: `rows` is one of `TILE_ROWS`, `vectors` 1 to `PANEL`, `last` the lanes of the last vector."""
    size = types.intp
    signature = types.void(a, s, c, w, pieces, *[size] * len(_NAMES))

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        at = {
            name: context.make_array(kind)(context, builder, value).data
            for name, kind, value in zip(("a", "s", "c", "w", "pieces"), signature.args, arguments, strict=False)
        }
        at |= dict(zip(_NAMES, arguments[5:], strict=True))
        vec = IntVectors(builder)
        end = builder.append_basic_block("done")
        choice = builder.switch(builder.add(builder.mul(at["rows"], I64(PANEL)), at["vectors"]), end)
        for row_count in TILE_ROWS:
            for vector_count in range(1, PANEL + 1):
                block = builder.append_basic_block("tile")
                choice.add_case(ir.Constant(I64, row_count * PANEL + vector_count), block)
                builder.position_at_end(block)
                Tile(at).emit(vec, row_count, vector_count)
                builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, code


@inner
def multiply(
    a: Array, s: Array, c: Array, w: Array, pieces: Array, first: int, count: int, groups: int, n: int, rows: int,
    weights: int, constants: int, x: int, x_row: int, y: int, y_row: int, z: int, z_row: int,
) -> None:  # fmt: skip
    """Compute y = clamp(shift(x @ matrix + bias) + z) for so many rows and `n` outputs, tile by tile."""
    j = NONE
    while j < n:
        left = n - j
        vectors = min(PANEL, (left + LANES - 1) // LANES)
        last = min(LANES, left - (vectors - 1) * LANES)
        m = NONE
        while m < rows:
            together = MOST_ROWS if rows - m >= MOST_ROWS else FEWER_ROWS[rows - m]
            tile(
                a, s, c, w, pieces, first, count, x + m * x_row, x_row, weights, y + m * y_row + j, y_row,
                z + m * z_row + j, z_row, constants, together, vectors, last,
            )  # fmt: skip
            m += together
        weights += groups * vectors * LANES * 4
        constants += vectors * BLOCK
        j += vectors * LANES
