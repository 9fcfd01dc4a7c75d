"""A program as text, with what it costs."""

from __future__ import annotations

from collections.abc import Iterable

from pointillist.engine.opcodes import OPCODES
from pointillist.engine.program import Instruction, Program


def describe(program: Program) -> str:
    """All instructions, one a line, with floating-point operations and weight bytes of each part."""
    walk = ", odd rows from right to left," if program.snake else ""
    lines = [
        f"{program.height}x{program.width} sites{walk} of {program.sub_steps} sub-steps, {program.dtype}, "
        f"{program.params.channels} parameters in {program.params}, {program.weights.nbytes:,} bytes of weights"
    ]
    for kept in program.maps:
        reach = f"{kept.up} up, {kept.left} left, {kept.right} right"
        lines.append(f"map {kept.name}: {kept.channels} channels, reach {reach}")
    for memory in program.memories:
        lines.append(f"memory {memory.name}: {memory.channels} channels of {memory.heads} heads, at every site")
    for key, given in program.givens.items():
        lines.append(f"given `{key}`: a {given.kind} of {given.channels} channels")
    for name, part in program.parts():
        per = "image" if part is program.once else "site"
        lines.append(f"{name}: {flops(part):,} operations a {per}, {weight_bytes(program, part):,} bytes of weights")
        lines.extend(f"  {_line(instruction)}" for instruction in part)
    return "\n".join(lines)


def flops(part: Iterable[Instruction]) -> int:
    """Floating-point operations of a part: per site, or per image for the part that runs once.

    What lies on a coarse grid counts by its share of the sites.
    """
    return round(sum(OPCODES[instruction.opcode].flops(instruction) / instruction.scale**2 for instruction in part))


def weight_bytes(program: Program, part: Iterable[Instruction]) -> int:
    """Bytes of weights read by a part: per row for the row part, per site for the pixel part."""
    return program.dtype.itemsize * sum(block.size for instruction in part for block in instruction.constants)


def _line(instruction: Instruction) -> str:
    words = [instruction.opcode.lower(), *map(str, instruction.inputs)]
    words.extend("x".join(map(str, block.shape)) for block in instruction.constants)
    if instruction.map is not None:
        words.append(f"map {instruction.map.name}")
    if instruction.taps:
        words.append("taps " + " ".join(f"({dy},{dx})" for dy, dx in instruction.taps))
    if instruction.turn is not None:
        words.append(f"in {('even', 'odd')[instruction.turn]} rows")
    if instruction.opcode == "GIVEN":
        words.append(f"`{instruction.key}`")
    target = "" if instruction.output is None else f"{instruction.output} = "
    return target + " ".join(words)
