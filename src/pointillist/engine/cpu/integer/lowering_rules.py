"""Lowering rules of the integer machine, one small function for a group of opcodes."""

from __future__ import annotations

import numpy as np

from pointillist.engine.cpu.bytecode import Ring
from pointillist.engine.cpu.integer import bytecode as bc
from pointillist.engine.cpu.integer.attention import cache_size
from pointillist.engine.cpu.integer.bytecode import Code, Operand
from pointillist.engine.cpu.integer.elementwise import Kind
from pointillist.engine.cpu.integer.lower import Compiler, lowers
from pointillist.engine.opcodes.attention import MAX_SITES
from pointillist.engine.program import INT8, UINT8, Instruction, KeyValueCache, View
from pointillist.errors import EngineError


def _output(i: Instruction) -> View:
    assert i.output is not None
    return i.output


def _suffix(view: View) -> str:
    """Return how the narrow value of a view is stored."""
    return {INT8: "_S", UINT8: "_U"}.get(view.value.dtype, "")


def _elementwise(compiler: Compiler, i: Instruction, kind: Kind, constants: list[str], **fields: int) -> None:
    out = _output(i)
    operands = {bc.Y: compiler.plan.operand(out)}
    operands |= {field: compiler.plan.operand(view) for field, view in zip((bc.X, bc.Z), i.inputs, strict=False)}
    block = compiler.pool.block(i, constants)
    compiler.row(i, kind, operands, N=out.channels, K=block, **fields)


@lowers("NARROW")
def _narrow(compiler: Compiler, i: Instruction) -> None:
    _elementwise(compiler, i, Kind[f"NARROW{_suffix(_output(i))}"], ["shift"])


@lowers("RESCALE")
def _rescale(compiler: Compiler, i: Instruction) -> None:
    suffix = _suffix(i.inputs[0])
    _elementwise(compiler, i, Kind[f"WIDEN{suffix}"] if suffix else Kind.RESCALE, ["shift"])


@lowers("ADD")
def _add(compiler: Compiler, i: Instruction) -> None:
    _elementwise(compiler, i, Kind.ADD, ["left", "right"])


@lowers("OFFSET", "CONSTANT")
def _constant(compiler: Compiler, i: Instruction) -> None:
    _elementwise(compiler, i, Kind[i.opcode], ["constant"])


@lowers("SCALE")
def _scale(compiler: Compiler, i: Instruction) -> None:
    _elementwise(compiler, i, Kind.SCALE, ["factor", "shift"])


@lowers("MULTIPLY")
def _multiply(compiler: Compiler, i: Instruction) -> None:
    _elementwise(compiler, i, Kind.MULTIPLY, ["shift"])


@lowers("RELU")
def _relu(compiler: Compiler, i: Instruction) -> None:
    _elementwise(compiler, i, Kind.RELU, [])


@lowers("LOOKUP", "RECTIFIED_LOOKUP")
def _lookup(compiler: Compiler, i: Instruction) -> None:
    table = i.constants["table"]
    _elementwise(compiler, i, Kind[i.opcode], ["shift"], A=compiler.pool.table(table), C=len(table) // 2)


@lowers("GATE")
def _gate(compiler: Compiler, i: Instruction) -> None:
    tanh, sigmoid = i.constants["tanh"], i.constants["sigmoid"]
    if len(tanh) != len(sigmoid):
        raise EngineError("The tables of a gate must have one length: make the integer program again.")
    tables = {"A": compiler.pool.table(tanh), "B": compiler.pool.table(sigmoid), "C": len(tanh) // 2}
    _elementwise(compiler, i, Kind[f"GATE{_suffix(_output(i))}"], ["left", "right", "shift"], **tables)


@lowers("COPY")
def _copy(compiler: Compiler, i: Instruction) -> None:
    _move(compiler, i, compiler.plan.operand(_output(i)), compiler.plan.operand(i.inputs[0]), _output(i).channels)


def _move(compiler: Compiler, i: Instruction, out: Operand, x: Operand, channels: int) -> dict[int, int]:
    code = int(Code.COPY_BYTES) if out.narrow else int(Kind.COPY)
    return compiler.row(i, code, {bc.Y: out, bc.X: x}, N=channels)


@lowers("SHIFT_DOWN")
def _shift_down(compiler: Compiler, i: Instruction) -> None:
    """The row above of the first row was never computed: its value is 0, as the memory begins."""
    _copy(compiler, i)


@lowers("STORE")
def _store(compiler: Compiler, i: Instruction) -> None:
    assert i.map is not None
    target, x = compiler.plan.map_operand(i.map, 0, 0), compiler.plan.operand(i.inputs[0])
    if target != x:
        _move(compiler, i, target, x, i.map.channels)


@lowers("GATHER")
def _gather(compiler: Compiler, i: Instruction) -> None:
    if _output(i).value in compiler.plan.pieced:
        return
    out = compiler.plan.operand(_output(i))
    for operand, first, channels in compiler.plan.pieces(i):
        _move(compiler, i, out.move(first), operand, channels)


@lowers("INPUT")
def _input(compiler: Compiler, i: Instruction) -> None:
    """Copy the current row of a map."""
    plan, channels = compiler.plan, _output(i).channels
    line = plan.width * channels
    ring = Ring(1, -i.first_row, plan.height, line)
    source = Operand(plan.inputs[i.key], plan.height * line, channels, True, ring)
    _move(compiler, i, plan.operand(_output(i)), source, channels)


@lowers("MAP_CONSTANT")
def _map_constant(compiler: Compiler, i: Instruction) -> None:
    """Copy the current row of a map that all images share."""
    plan, numbers = compiler.plan, i.constants["numbers"]
    start = plan.reserve(numbers.size, narrow=False)
    plan.fills[False].append((start, numbers.reshape(-1)))
    channels = numbers.shape[2]
    ring = Ring(1, -i.first_row, plan.height, plan.width * channels)
    _move(compiler, i, plan.operand(_output(i)), Operand(start, 0, channels, False, ring), channels)


@lowers("UPSAMPLE")
def _upsample(compiler: Compiler, i: Instruction) -> None:
    """X is the first quarter at the coarse site; A is the distance to the quarters of the current row."""
    assert i.map is not None
    out = _output(i)
    operands = {bc.Y: compiler.plan.operand(out), bc.X: compiler.plan.map_operand(i.map, 0, 0)}
    compiler.patches.append([len(compiler.code), bc.A, 0, i.scale, 0, 2, 2 * out.channels])
    compiler.row(i, Code.UPSAMPLE, operands, N=out.channels)


@lowers("STORE_KV")
def _store_kv(compiler: Compiler, i: Instruction) -> None:
    assert isinstance(i.map, KeyValueCache)
    plan, cache = compiler.plan, i.map
    operands = {bc.X: plan.operand(i.inputs[0])}
    row = compiler.row(i, Code.STORE_KV, operands, N=cache.channels, K=cache.key_channels, B=plan.width)
    row |= {bc.Y: plan.caches[cache], bc.Y_OUTER: cache_size(plan.height * plan.width, cache.channels)}


@lowers("ATTEND")
def _attend(compiler: Compiler, i: Instruction) -> None:
    """See `attention.py` for the fields."""
    assert isinstance(i.map, KeyValueCache)
    plan, cache, exp = compiler.plan, i.map, i.constants["exp"]
    sites = plan.height * plan.width
    if sites > MAX_SITES:
        raise EngineError(
            f"Exact attention takes images of up to {MAX_SITES:,} pixels, not {sites:,}: use a smaller one."
        )
    row = compiler.row(
        i, Code.ATTEND, {bc.Y: plan.operand(_output(i)), bc.X: plan.operand(i.inputs[0])}, N=cache.value_width,
        K=cache.key_width, PIECES=cache.num_heads, PIECE=cache.channels, W=plan.reserve(sites, narrow=False),
        A=compiler.pool.numbers(exp), C=len(exp), D=int(i.constants["factor"][0]), B=plan.width,
    )  # fmt: skip
    row |= {bc.Z: plan.caches[cache], bc.Z_OUTER: cache_size(sites, cache.channels)}


@lowers("SCAN")
def _scan(compiler: Compiler, i: Instruction) -> None:
    """See `recurrence.py` for the fields; the hidden states of the images are one piece of the product."""
    c, pool, plan, d = i.constants, compiler.pool, compiler.plan, _output(i).channels
    ((_, side),) = i.taps
    matrix = pool.matrix(i, [(0, d)], signed=True)
    hidden = plan.reserve(compiler.batch * 4 * matrix.groups, narrow=True)
    compiler.pieces.append((hidden, matrix.groups))
    compiler.row(
        i, Code.SCAN, {bc.Y: plan.operand(_output(i)), bc.X: plan.operand(i.inputs[0])}, N=d, W=matrix.weights,
        K=matrix.constants, G=matrix.groups, PIECE=len(compiler.pieces) - 1, PIECES=int(side > 0),
        A=pool.table(c["tanh"]), B=pool.table(c["sigmoid"]), C=len(c["tanh"]) // 2,
        D=plan.reserve(compiler.batch * 5 * d, narrow=False), E=pool.numbers(c["hidden"], c["cell"]),
        F=pool.vectors(i, [("shift", gate) for gate in np.split(c["gate"], 4)]),
    )  # fmt: skip


@lowers("LINEAR")
def _linear(compiler: Compiler, i: Instruction) -> None:
    """Read the input in pieces, each padded to groups of four bytes by weights of 0."""
    plan, (view, *start) = compiler.plan, i.inputs
    value = view.value
    if value in plan.pieced:
        pieces = plan.pieces(compiler.gathers[value])
    else:
        pieces = [(plan.operand(view), 0, view.channels)]
    operands = {bc.Y: plan.operand(_output(i))}
    operands[bc.Z] = plan.operand(start[0]) if start else Operand(plan.zeros, 0, 0, False)
    first = len(compiler.pieces)
    for operand, _, channels in pieces:
        compiler.patch(-1 - len(compiler.pieces), 0, operand)
        compiler.pieces.append((operand.start, -(-channels // 4)))
    matrix = compiler.pool.matrix(i, [(begin, channels) for _, begin, channels in pieces], signed=value.dtype == INT8)
    strides = pieces[0][0]
    row = compiler.row(
        i, Code.PRODUCT, operands, N=_output(i).channels, W=matrix.weights, K=matrix.constants, A=matrix.groups,
        PIECE=first, PIECES=len(pieces),
    )  # fmt: skip
    row |= {bc.X: 0, bc.X_OUTER: strides.image_stride, bc.X_INNER: strides.column_stride}
    if not compiler.whole_row:
        row[bc.X_COLUMN] = strides.column_stride
    _flatten(row)


def _flatten(row: dict[int, int]) -> None:
    """Make images and columns the rows of one product, where the strides allow it."""
    outer, inner = row[bc.OUTER], row[bc.INNER]
    fields = (bc.Y, bc.X, bc.Z)
    if inner == 1:
        row |= {bc.OUTER: 1, bc.INNER: outer} | {field + 2: row[field + 1] for field in fields}
    elif all(row[field + 1] == inner * row[field + 2] for field in fields):
        row |= {bc.OUTER: 1, bc.INNER: outer * inner}
