"""Virtual machine: run bytecode over the flat arrays. One compiled loop for every program, image and batch size."""

from __future__ import annotations

from typing import Any

from pointillist.engine.cpu.integer import bytecode as bc
from pointillist.engine.cpu.integer.attention import attend, store_kv
from pointillist.engine.cpu.integer.elementwise import apply
from pointillist.engine.cpu.integer.product import multiply
from pointillist.engine.cpu.integer.recurrence import scan
from pointillist.engine.cpu.jit import inner

Array = Any  # numba finds the types

PRODUCT, COPY_BYTES, UPSAMPLE = (int(c) for c in (bc.Code.PRODUCT, bc.Code.COPY_BYTES, bc.Code.UPSAMPLE))
STORE_KV, ATTEND, SCAN = (int(c) for c in (bc.Code.STORE_KV, bc.Code.ATTEND, bc.Code.SCAN))


@inner
def begin_row(code: Array, pieces: Array, patches: Array, row: int) -> None:
    """Patch the addresses that change from row to row, and mark the instructions that run."""
    for i in range(code.shape[0]):
        line = code[i]
        runs = line[bc.PARITY] < 0 or line[bc.PARITY] == row & 1
        line[bc.ACTIVE] = runs and line[bc.FIRST] <= row and (row & line[bc.MASK]) == 0
    for i in range(patches.shape[0]):
        at, field, start, scale, offset, slots, size = patches[i]
        result = start + (row // scale + offset) % slots * size
        if at >= 0:
            code[at, field] = result
        else:
            pieces[-1 - at, 0] = result


@inner
def upsample(s: Array, line: Array, y: int, x: int, column: int) -> None:
    """Copy the quarter that belongs to each site."""
    n = line[bc.N]
    for b in range(line[bc.OUTER]):
        for i in range(line[bc.INNER]):
            site = column + i
            source = x + b * line[bc.X_OUTER] + (site >> 1) * line[bc.X_INNER] + line[bc.A] + (site & 1) * n
            target = y + b * line[bc.Y_OUTER] + i * line[bc.Y_INNER]
            for j in range(n):
                s[target + j] = s[source + j]


@inner
def elementwise(a: Array, s: Array, c: Array, kind: int, line: Array, y: int, x: int, z: int) -> None:
    """Apply a kernel at every image and column."""
    for b in range(line[bc.OUTER]):
        to, of, by = y + b * line[bc.Y_OUTER], x + b * line[bc.X_OUTER], z + b * line[bc.Z_OUTER]
        for _ in range(line[bc.INNER]):
            apply(a, s, c, kind, to, of, by, line[bc.K], line[bc.N], line[bc.A], line[bc.B], line[bc.C])
            to, of, by = to + line[bc.Y_INNER], of + line[bc.X_INNER], by + line[bc.Z_INNER]


@inner
def copy_bytes(a: Array, line: Array, y: int, x: int) -> None:
    """Copy narrow values."""
    for b in range(line[bc.OUTER]):
        to, of = y + b * line[bc.Y_OUTER], x + b * line[bc.X_OUTER]
        for _ in range(line[bc.INNER]):
            for j in range(line[bc.N]):
                a[to + j] = a[of + j]
            to, of = to + line[bc.Y_INNER], of + line[bc.X_INNER]


@inner
def execute(
    code: Array, pieces: Array, first: int, last: int, a: Array, s: Array, c: Array, w: Array, row: int, column: int
) -> None:
    """Run rows `first` to `last` of the code at a site, or, with column 0, over a whole row."""
    for i in range(first, last):
        line = code[i]
        if line[bc.ACTIVE] == 0 or column & line[bc.MASK]:
            continue
        at = column >> line[bc.SHIFT]
        y, x, z = (
            line[bc.Y] + at * line[bc.Y_COLUMN],
            line[bc.X] + at * line[bc.X_COLUMN],
            line[bc.Z] + at * line[bc.Z_COLUMN],
        )
        kind = line[bc.CODE]
        if kind == PRODUCT:
            for b in range(line[bc.OUTER]):
                multiply(
                    a, s, c, w, pieces, line[bc.PIECE], line[bc.PIECES], line[bc.A], line[bc.N], line[bc.INNER],
                    line[bc.W], line[bc.K], x + b * line[bc.X_OUTER], line[bc.X_INNER], y + b * line[bc.Y_OUTER],
                    line[bc.Y_INNER], z + b * line[bc.Z_OUTER], line[bc.Z_INNER],
                )  # fmt: skip
        elif kind < PRODUCT:
            elementwise(a, s, c, kind, line, y, x, z)
        elif kind == COPY_BYTES:
            copy_bytes(a, line, y, x)
        elif kind == UPSAMPLE:
            upsample(s, line, y, line[bc.X], at)
        elif kind == STORE_KV:
            store_kv(a, line, x, row * line[bc.B] + column)
        elif kind == ATTEND:
            attend(a, s, c, line, y, x, row * line[bc.B] + column)
        elif kind == SCAN:
            scan(a, s, c, w, pieces, line, y, x)
