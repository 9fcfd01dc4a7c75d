"""How each opcode is lowered. One small function each; the meaning of an opcode is in `engine/opcodes`."""

from __future__ import annotations

from pointillist.engine.cpu import bytecode as t
from pointillist.engine.cpu.bytecode import Code, Operand
from pointillist.engine.cpu.lower import BytecodeCompiler, lowers
from pointillist.engine.program import Instruction, View


def _output(instruction: Instruction) -> View:
    assert instruction.output is not None
    return instruction.output


@lowers("COPY", "ADD", "MULTIPLY", "TANH", "SIGMOID", "GATE", "RELU", "ELU", "GELU")
def _elementwise(lower: BytecodeCompiler, instruction: Instruction) -> None:
    place, out = lower.places.place, _output(instruction)
    inputs = map(place, instruction.inputs)
    lower.elementwise(instruction, instruction.opcode, place(out), *inputs, count=out.channels)


@lowers("SHIFT", "SCALE")
def _with_constant(lower: BytecodeCompiler, instruction: Instruction) -> None:
    constant = Operand(lower.places.constant(lower.program.constant(instruction.constants[0])), 0, 0)
    x, out = lower.places.place(instruction.inputs[0]), _output(instruction)
    name = {"SHIFT": "ADD", "SCALE": "MULTIPLY"}[instruction.opcode]
    lower.elementwise(instruction, name, lower.places.place(out), x, constant, count=out.channels)


@lowers("LINEAR")
def _linear(lower: BytecodeCompiler, instruction: Instruction) -> None:
    """One product for each piece of the input; the first starts from what is added, the others from the one before."""
    view, *start = instruction.inputs
    matrix, *bias = instruction.constants
    out, n = lower.places.place(_output(instruction)), _output(instruction).channels
    begin = lower.places.place(start[0]) if start else lower.places.zeros
    if bias:
        constant = Operand(lower.places.constant(lower.program.constant(bias[0])), 0, 0)
        if start:
            lower.elementwise(instruction, "ADD", out, begin, constant, count=n)
        begin = out if start else constant
    first = 0
    for place, channels in lower.places.pieces(view):
        w = lower.packing.place(matrix, first, channels)
        lower.product(instruction, out, place, begin, w, channels, n)
        first, begin = first + channels, out


@lowers("GIVEN", "CONSTANT")
def _nothing(lower: BytecodeCompiler, instruction: Instruction) -> None:
    """It is read where it lies."""


@lowers("GATHER")
def _gather(lower: BytecodeCompiler, instruction: Instruction) -> None:
    """Copied only where a reader cannot read it in pieces."""
    if _output(instruction).value not in lower.places.copied:
        return
    out = lower.places.place(_output(instruction))
    for place, channels in lower.places.gathered(instruction):
        lower.elementwise(instruction, "COPY", out, place, count=channels)
        out = out.narrow(channels)


@lowers("STORE")
def _store(lower: BytecodeCompiler, instruction: Instruction) -> None:
    (view,), kept = instruction.inputs, instruction.map
    assert kept is not None
    place, home = lower.places.place(view), lower.places.at(kept, 0, 0)
    if place != home:
        lower.elementwise(instruction, "COPY", home, place, count=view.channels)


@lowers("BELOW")
def _below(lower: BytecodeCompiler, instruction: Instruction) -> None:
    x, out, count = lower.places.place(instruction.inputs[0]), _output(instruction), _output(instruction).channels
    first = instruction.first_row
    row = lower.elementwise(instruction, "COPY", lower.places.place(out), lower.places.zeros, count=count)
    row[t.LAST] = first
    row = lower.elementwise(instruction, "COPY", lower.places.place(out), x, count=count)
    row[t.FIRST] = first + 1


@lowers("FINER")
def _finer(lower: BytecodeCompiler, instruction: Instruction) -> None:
    """The input is the first quarter at the coarse site; A tells how far the quarter of the row is from it."""
    kept, out = instruction.map, _output(instruction)
    assert kept is not None
    operands = {t.Y: lower.places.place(out), t.X: lower.places.at(kept, 0, 0)}
    lower.patches.append([len(lower.rows), t.A, 0, instruction.scale, 0, 2, 2 * out.channels])
    inner = lower.places.columns(instruction.scale) if lower.whole_row else 1
    lower.row(instruction, Code.FINER, operands, N=out.channels, OUTER=lower.batch, INNER=inner)


@lowers("SCAN")
def _scan(lower: BytecodeCompiler, instruction: Instruction) -> None:
    """Scratch holds the gates of all images, then their memories."""
    matrix, hidden, memory = instruction.constants
    d = hidden.size
    ((_, side),) = instruction.taps
    place, constant = lower.places.place, lower.program.constant
    operands = {t.Y: place(_output(instruction)), t.X: place(instruction.inputs[0])}
    lower.row(
        instruction, Code.SCAN, operands,
        OUTER=lower.batch, INNER=lower.places.columns(1), N=d, K=d, W=lower.packing.place(matrix, 0, d).start,
        A=lower.places.arena.take(lower.batch * 5 * d),
        B=lower.places.constant(constant(hidden)), C=lower.places.constant(constant(memory)),
        Z=int(side > 0),
    )  # fmt: skip


@lowers("REMEMBER")
def _remember(lower: BytecodeCompiler, instruction: Instruction) -> None:
    memory = lower.memory(instruction)
    kept = lower.places.memories[memory]
    lower.row(
        instruction, Code.REMEMBER, {t.X: lower.places.place(instruction.inputs[0])},
        OUTER=lower.batch, N=memory.channels - memory.keys, K=memory.keys,
        Y=kept.keys, Y_OUTER=memory.keys * kept.sites, Y_INNER=kept.sites,
        Z=kept.values, Z_OUTER=memory.sites * (memory.channels - memory.keys),
    )  # fmt: skip


@lowers("ATTEND")
def _attend(lower: BytecodeCompiler, instruction: Instruction) -> None:
    memory = lower.memory(instruction)
    kept = lower.places.memories[memory]
    values = memory.channels - memory.keys
    operands = {t.Y: lower.places.place(_output(instruction)), t.X: lower.places.place(instruction.inputs[0])}
    lower.row(
        instruction, Code.ATTEND, operands,
        OUTER=lower.batch, INNER=_output(instruction).channels // memory.value_width,
        N=memory.value_width, K=memory.key_width,
        Z=kept.keys + instruction.head * memory.key_width * kept.sites, Z_OUTER=memory.keys * kept.sites,
        Z_INNER=kept.sites, A=kept.values + instruction.head * memory.value_width, B=memory.sites * values, C=values,
        W=lower.places.arena.take(kept.sites), Z_COLUMN=lower.places.zeros.start,
    )  # fmt: skip


@lowers("CROSSATTEND")
def _cross_attend(lower: BytecodeCompiler, instruction: Instruction) -> None:
    """The tokens of an image lie together: biases, keys feature by feature, values token by token."""
    memory, (query, tokens) = lower.memory(instruction), instruction.inputs
    told, count = lower.places.place(tokens), memory.sites
    values = told.start + count * (1 + memory.keys)
    operands = {t.Y: lower.places.place(_output(instruction)), t.X: lower.places.place(query)}
    lower.row(
        instruction, Code.CROSSATTEND, operands,
        OUTER=lower.batch, INNER=lower.places.columns(instruction.scale) if lower.whole_row else 1,
        N=memory.value_width, K=memory.key_width, W=lower.places.arena.take(count),
        Z=told.start + count * (1 + instruction.head * memory.key_width), Z_OUTER=told.image, Z_INNER=count,
        Z_COLUMN=told.start, A=values + instruction.head * memory.value_width,
        B=query.channels // memory.key_width, C=memory.channels - memory.keys, D=lower.places.zeros.start,
    )  # fmt: skip
