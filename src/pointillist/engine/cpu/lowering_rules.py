"""Lowering rules, one small function per opcode. The meaning of an opcode is in `engine/opcodes`."""

from __future__ import annotations

import numpy as np

from pointillist.engine.cpu import bytecode as bc
from pointillist.engine.cpu.bytecode import Code, Operand
from pointillist.engine.cpu.lower import BytecodeCompiler, lowers
from pointillist.engine.opcodes.local_gain import Levels
from pointillist.engine.program import Instruction, View


def _output(instruction: Instruction) -> View:
    assert instruction.output is not None
    return instruction.output


@lowers("COPY", "ADD", "MULTIPLY", "TANH", "SIGMOID", "GATE", "RELU", "ELU", "GELU")
def _elementwise(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    operand, out = compiler.buffers.operand, _output(instruction)
    inputs = map(operand, instruction.inputs)
    compiler.elementwise(instruction, instruction.opcode, operand(out), *inputs, count=out.channels)


@lowers("OFFSET", "SCALE")
def _with_constant(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    (constant,) = (Operand(compiler.buffers.add_constant(c), 0, 0) for c in instruction.constants.values())
    x, out = compiler.buffers.operand(instruction.inputs[0]), _output(instruction)
    name = {"OFFSET": "ADD", "SCALE": "MULTIPLY"}[instruction.opcode]
    compiler.elementwise(instruction, name, compiler.buffers.operand(out), x, constant, count=out.channels)


@lowers("LINEAR")
def _linear(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    """Emit a product per piece of the input; each starts from the one before, the first from the start."""
    view, *start = instruction.inputs
    matrix, *bias = instruction.constants.values()
    out, n = compiler.buffers.operand(_output(instruction)), _output(instruction).channels
    begin = compiler.buffers.operand(start[0]) if start else compiler.buffers.zeros
    if bias:
        constant = Operand(compiler.buffers.add_constant(bias[0]), 0, 0)
        if start:
            compiler.elementwise(instruction, "ADD", out, begin, constant, count=n)
        begin = out if start else constant
    first = 0
    for operand, channels in compiler.buffers.operands(view):
        w = compiler.packing.place(matrix, first, channels)
        compiler.product(instruction, out, operand, begin, w, channels, n)
        first, begin = first + channels, out


@lowers("INPUT", "CONSTANT")
def _aliased(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    """Emit nothing: the value is read where it is."""


@lowers("GATHER")
def _gather(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    """Copy only where a reader needs the value in one piece."""
    if _output(instruction).value not in compiler.buffers.copied:
        return
    out = compiler.buffers.operand(_output(instruction))
    for operand, channels in compiler.buffers.gather_operands(instruction):
        compiler.elementwise(instruction, "COPY", out, operand, count=channels)
        out = out.narrow(channels)


@lowers("STORE")
def _store(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    (view,), feature_map = instruction.inputs, instruction.map
    assert feature_map is not None
    operand, target = compiler.buffers.operand(view), compiler.buffers.map_operand(feature_map, 0, 0)
    if operand != target:
        compiler.elementwise(instruction, "COPY", target, operand, count=view.channels)


@lowers("SHIFT_DOWN")
def _shift_down(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    x, out, count = compiler.buffers.operand(instruction.inputs[0]), _output(instruction), _output(instruction).channels
    first = instruction.first_row
    row = compiler.elementwise(instruction, "COPY", compiler.buffers.operand(out), compiler.buffers.zeros, count=count)
    row[bc.LAST] = first
    row = compiler.elementwise(instruction, "COPY", compiler.buffers.operand(out), x, count=count)
    row[bc.FIRST] = first + 1


@lowers("UPSAMPLE")
def _upsample(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    """X is the first quarter at the coarse site; A is the distance to the quarters of the current row."""
    feature_map, out = instruction.map, _output(instruction)
    assert feature_map is not None
    operands = {bc.Y: compiler.buffers.operand(out), bc.X: compiler.buffers.map_operand(feature_map, 0, 0)}
    compiler.patches.append([len(compiler.rows), bc.A, 0, instruction.scale, 0, 2, 2 * out.channels])
    inner = compiler.buffers.columns(instruction.scale) if compiler.whole_row else 1
    compiler.row(instruction, Code.UPSAMPLE, operands, N=out.channels, OUTER=compiler.batch, INNER=inner)


@lowers("SCAN")
def _scan(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    """Scratch memory holds the gates of all images, then their cell states."""
    matrix, hidden, cell_state = instruction.constants.values()
    d = hidden.size
    ((_, side),) = instruction.taps
    operand = compiler.buffers.operand
    operands = {bc.Y: operand(_output(instruction)), bc.X: operand(instruction.inputs[0])}
    compiler.row(
        instruction,
        Code.SCAN,
        operands,
        OUTER=compiler.batch,
        INNER=compiler.buffers.columns(1),
        N=d,
        K=d,
        W=compiler.packing.place(matrix, 0, d).start,
        A=compiler.buffers.arena.allocate(compiler.batch * 5 * d),
        B=compiler.buffers.add_constant(hidden),
        C=compiler.buffers.add_constant(cell_state),
        Z=int(side > 0),
    )


@lowers("PREDICT", "NORMALISE", "PLACE")
def _local_gain(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    """The last input has one channel more than the image; see `local_gain`."""
    views = (_output(instruction), *instruction.inputs)
    operands = {
        field: compiler.buffers.operand(view) for field, view in zip((bc.Y, bc.X, bc.Z, bc.P), views, strict=False)
    }
    code, (x, *_, last) = Code[instruction.opcode], instruction.inputs
    channels = (_output(instruction) if code == Code.PREDICT else last).channels - 1
    levels = Levels(int(instruction.constants["levels"][0]))
    components = x.channels // (1 + 2 * channels + channels * (channels - 1) // 2)
    count = {Code.PREDICT: levels.wide, Code.NORMALISE: x.channels // channels, Code.PLACE: components}[code]
    columns = compiler.buffers.columns(instruction.scale) if compiler.whole_row else 1
    row = compiler.row(instruction, code, operands, OUTER=compiler.batch, INNER=columns, N=channels, K=count)
    row[bc.A] = compiler.buffers.add_constant(np.array([levels.step]))


@lowers("STORE_KV")
def _store_kv(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    cache = compiler.kv_cache(instruction)
    layout = compiler.buffers.kv_caches[cache]
    compiler.row(
        instruction,
        Code.STORE_KV,
        {bc.X: compiler.buffers.operand(instruction.inputs[0])},
        OUTER=compiler.batch,
        N=cache.channels - cache.key_channels,
        K=cache.key_channels,
        Y=layout.keys,
        Y_OUTER=cache.key_channels * layout.sites,
        Y_INNER=layout.sites,
        Z=layout.values,
        Z_OUTER=cache.length * (cache.channels - cache.key_channels),
    )


@lowers("ATTEND")
def _attend(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    cache = compiler.kv_cache(instruction)
    layout = compiler.buffers.kv_caches[cache]
    values = cache.channels - cache.key_channels
    operands = {
        bc.Y: compiler.buffers.operand(_output(instruction)),
        bc.X: compiler.buffers.operand(instruction.inputs[0]),
    }
    compiler.row(
        instruction,
        Code.ATTEND,
        operands,
        OUTER=compiler.batch,
        INNER=_output(instruction).channels // cache.value_width,
        N=cache.value_width,
        K=cache.key_width,
        Z=layout.keys + instruction.head * cache.key_width * layout.sites,
        Z_OUTER=cache.key_channels * layout.sites,
        Z_INNER=layout.sites,
        A=layout.values + instruction.head * cache.value_width,
        B=cache.length * values,
        C=values,
        W=compiler.buffers.arena.allocate(layout.sites),
        Z_COLUMN=compiler.buffers.zeros.start,
    )


@lowers("CROSS_ATTEND")
def _cross_attend(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    """The tokens of an image are packed as biases, keys feature by feature, values token by token."""
    cache, (query, tokens) = compiler.kv_cache(instruction), instruction.inputs
    base, count = compiler.buffers.operand(tokens), cache.length
    values = base.start + count * (1 + cache.key_channels)
    operands = {bc.Y: compiler.buffers.operand(_output(instruction)), bc.X: compiler.buffers.operand(query)}
    compiler.row(
        instruction,
        Code.CROSS_ATTEND,
        operands,
        OUTER=compiler.batch,
        INNER=compiler.buffers.columns(instruction.scale) if compiler.whole_row else 1,
        N=cache.value_width,
        K=cache.key_width,
        W=compiler.buffers.arena.allocate(count),
        Z=base.start + count * (1 + instruction.head * cache.key_width),
        Z_OUTER=base.image_stride,
        Z_INNER=count,
        Z_COLUMN=base.start,
        A=values + instruction.head * cache.value_width,
        B=query.channels // cache.key_width,
        C=cache.channels - cache.key_channels,
        D=compiler.buffers.zeros.start,
    )
