"""How each opcode is lowered. One small function each; the meaning of an opcode is in `engine/opcodes`."""

from __future__ import annotations

from pointillist.engine.cpu import bytecode as bc
from pointillist.engine.cpu.bytecode import Code, Operand
from pointillist.engine.cpu.lower import BytecodeCompiler, lowers
from pointillist.engine.program import Instruction, View


def _output(instruction: Instruction) -> View:
    assert instruction.output is not None
    return instruction.output


@lowers("COPY", "ADD", "MULTIPLY", "TANH", "SIGMOID", "GATE", "RELU", "ELU", "GELU")
def _elementwise(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    operand, out = compiler.buffers.operand, _output(instruction)
    inputs = map(operand, instruction.inputs)
    compiler.elementwise(instruction, instruction.opcode, operand(out), *inputs, count=out.channels)


@lowers("SHIFT", "SCALE")
def _with_constant(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    constant = Operand(compiler.buffers.add_constant(compiler.program.constant(instruction.constants[0])), 0, 0)
    x, out = compiler.buffers.operand(instruction.inputs[0]), _output(instruction)
    name = {"SHIFT": "ADD", "SCALE": "MULTIPLY"}[instruction.opcode]
    compiler.elementwise(instruction, name, compiler.buffers.operand(out), x, constant, count=out.channels)


@lowers("LINEAR")
def _linear(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    """One product for each piece of the input; the first starts from what is added, the others from the one before."""
    view, *start = instruction.inputs
    matrix, *bias = instruction.constants
    out, n = compiler.buffers.operand(_output(instruction)), _output(instruction).channels
    begin = compiler.buffers.operand(start[0]) if start else compiler.buffers.zeros
    if bias:
        constant = Operand(compiler.buffers.add_constant(compiler.program.constant(bias[0])), 0, 0)
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
    """It is read where it lies."""


@lowers("GATHER")
def _gather(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    """Copied only where a reader cannot read it in pieces."""
    if _output(instruction).value not in compiler.buffers.copied:
        return
    out = compiler.buffers.operand(_output(instruction))
    for operand, channels in compiler.buffers.gather_operands(instruction):
        compiler.elementwise(instruction, "COPY", out, operand, count=channels)
        out = out.narrow(channels)


@lowers("STORE")
def _store(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    (view,), kept = instruction.inputs, instruction.map
    assert kept is not None
    operand, target = compiler.buffers.operand(view), compiler.buffers.map_operand(kept, 0, 0)
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
    """The input is the first quarter at the coarse site; A tells how far the quarter of the row is from it."""
    kept, out = instruction.map, _output(instruction)
    assert kept is not None
    operands = {bc.Y: compiler.buffers.operand(out), bc.X: compiler.buffers.map_operand(kept, 0, 0)}
    compiler.patches.append([len(compiler.rows), bc.A, 0, instruction.scale, 0, 2, 2 * out.channels])
    inner = compiler.buffers.columns(instruction.scale) if compiler.whole_row else 1
    compiler.row(instruction, Code.UPSAMPLE, operands, N=out.channels, OUTER=compiler.batch, INNER=inner)


@lowers("SCAN")
def _scan(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    """Scratch holds the gates of all images, then their memories."""
    matrix, hidden, memory = instruction.constants
    d = hidden.size
    ((_, side),) = instruction.taps
    operand, constant = compiler.buffers.operand, compiler.program.constant
    operands = {bc.Y: operand(_output(instruction)), bc.X: operand(instruction.inputs[0])}
    compiler.row(
        instruction, Code.SCAN, operands,
        OUTER=compiler.batch, INNER=compiler.buffers.columns(1), N=d, K=d, W=compiler.packing.place(matrix, 0, d).start,
        A=compiler.buffers.arena.allocate(compiler.batch * 5 * d),
        B=compiler.buffers.add_constant(constant(hidden)), C=compiler.buffers.add_constant(constant(memory)),
        Z=int(side > 0),
    )  # fmt: skip


@lowers("STORE_KV")
def _store_kv(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    cache = compiler.kv_cache(instruction)
    kept = compiler.buffers.kv_caches[cache]
    compiler.row(
        instruction, Code.STORE_KV, {bc.X: compiler.buffers.operand(instruction.inputs[0])},
        OUTER=compiler.batch, N=cache.channels - cache.key_channels, K=cache.key_channels,
        Y=kept.keys, Y_OUTER=cache.key_channels * kept.sites, Y_INNER=kept.sites,
        Z=kept.values, Z_OUTER=cache.length * (cache.channels - cache.key_channels),
    )  # fmt: skip


@lowers("ATTEND")
def _attend(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    cache = compiler.kv_cache(instruction)
    kept = compiler.buffers.kv_caches[cache]
    values = cache.channels - cache.key_channels
    operands = {
        bc.Y: compiler.buffers.operand(_output(instruction)),
        bc.X: compiler.buffers.operand(instruction.inputs[0]),
    }
    compiler.row(
        instruction, Code.ATTEND, operands,
        OUTER=compiler.batch, INNER=_output(instruction).channels // cache.value_width,
        N=cache.value_width, K=cache.key_width,
        Z=kept.keys + instruction.head * cache.key_width * kept.sites, Z_OUTER=cache.key_channels * kept.sites,
        Z_INNER=kept.sites, A=kept.values + instruction.head * cache.value_width, B=cache.length * values, C=values,
        W=compiler.buffers.arena.allocate(kept.sites), Z_COLUMN=compiler.buffers.zeros.start,
    )  # fmt: skip


@lowers("CROSS_ATTEND")
def _cross_attend(compiler: BytecodeCompiler, instruction: Instruction) -> None:
    """The tokens of an image lie together: biases, keys feature by feature, values token by token."""
    cache, (query, tokens) = compiler.kv_cache(instruction), instruction.inputs
    base, count = compiler.buffers.operand(tokens), cache.length
    values = base.start + count * (1 + cache.key_channels)
    operands = {bc.Y: compiler.buffers.operand(_output(instruction)), bc.X: compiler.buffers.operand(query)}
    compiler.row(
        instruction, Code.CROSS_ATTEND, operands,
        OUTER=compiler.batch, INNER=compiler.buffers.columns(instruction.scale) if compiler.whole_row else 1,
        N=cache.value_width, K=cache.key_width, W=compiler.buffers.arena.allocate(count),
        Z=base.start + count * (1 + instruction.head * cache.key_width), Z_OUTER=base.image_stride, Z_INNER=count,
        Z_COLUMN=base.start, A=values + instruction.head * cache.value_width,
        B=query.channels // cache.key_width, C=cache.channels - cache.key_channels, D=compiler.buffers.zeros.start,
    )  # fmt: skip
