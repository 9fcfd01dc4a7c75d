"""A program as text, with what it costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pointillist.engine.opcodes import OPCODES
from pointillist.engine.program import Instruction, Program


@dataclass(frozen=True)
class PartCost:
    """What a part of a program costs.

    Attributes:
        name: when it runs.
        unit: `image`, `row` or `site`: what it runs once for.
        times: how often that is, in an image.
        instructions: how many.
        operations: floating-point operations of one unit; what lies on a coarse grid counts by its share of the sites.
        bytes: of weights that are read for one unit of all images of a batch.
    """

    name: str
    unit: str
    times: int
    instructions: int
    operations: int
    bytes: int


def costs(program: Program) -> list[PartCost]:
    """Every part, in the order in which they run."""
    found = []
    for name, part in program.parts():
        unit = "image" if part is program.per_image else "row" if part is program.per_row else "site"
        times = {"image": 1, "row": program.height, "site": program.height * program.width}[unit]
        wide = program.width if unit == "row" else 1
        found.append(PartCost(name, unit, times, len(part), flops(part) * wide, weight_bytes(program, part)))
    return found


def describe(program: Program) -> str:
    """All instructions, one a line, with floating-point operations and weight bytes of each part."""
    direction = ", odd rows from right to left," if program.s_curve else ""
    lines = [
        f"{program.height}x{program.width} sites{direction} of {program.num_sub_steps} sub-steps, {program.dtype}, "
        f"{program.params.channels} parameters in {program.params}, {program.weights.nbytes:,} bytes of weights"
    ]
    for kept in program.maps:
        reach = f"{kept.up} up, {kept.left} left, {kept.right} right"
        lines.append(f"map {kept.name}: {kept.channels} channels, reach {reach}")
    for cache in program.kv_caches:
        lines.append(f"KV cache {cache.name}: {cache.channels} channels of {cache.num_heads} heads, at every site")
    for key, condition in program.inputs.items():
        lines.append(f"input `{key}`: a {condition.kind} of {condition.channels} channels")
    for part, (_, code) in zip(costs(program), program.parts(), strict=True):
        lines.append(
            f"{part.name}: {part.instructions} instructions, {part.operations:,} operations and {part.bytes:,} bytes "
            f"of weights {'an' if part.unit == 'image' else 'a'} {part.unit}"
        )
        lines.extend(f"  {_line(instruction)}" for instruction in code)
    lines.append(f"an image: {image_operations(program):,} operations")
    return "\n".join(lines)


def image_operations(program: Program) -> int:
    """Floating-point operations of an image."""
    return sum(part.operations * part.times for part in costs(program))


def flops(part: Iterable[Instruction]) -> int:
    """Floating-point operations of a part: per site, or per image for the part that runs once.

    What lies on a coarse grid counts by its share of the sites, and what runs in every other row by half.
    """
    return round(sum(OPCODES[i.opcode].flops(i) * _share_of_rows(i) / i.scale for i in part))


def weight_bytes(program: Program, part: Iterable[Instruction]) -> int:
    """Bytes of weights read by a part: per row for the row part, per site for the pixel part, on average."""
    numbers = 0.0
    for instruction in part:
        share = _share_of_rows(instruction) / (1 if part is program.per_row else instruction.scale)
        numbers += share * sum(block.size for block in instruction.constants)
    return program.dtype.itemsize * round(numbers)


def _share_of_rows(instruction: Instruction) -> float:
    """Those of a coarse grid, or of one parity."""
    return 1 / instruction.scale if instruction.row_parity is None else 1 / 2


def _line(instruction: Instruction) -> str:
    words = [instruction.opcode.lower(), *map(str, instruction.inputs)]
    words.extend("x".join(map(str, block.shape)) for block in instruction.constants)
    if instruction.map is not None:
        words.append(f"map {instruction.map.name}")
    if instruction.taps:
        words.append("taps " + " ".join(f"({dy},{dx})" for dy, dx in instruction.taps))
    if instruction.row_parity is not None:
        words.append(f"in {('even', 'odd')[instruction.row_parity]} rows")
    if instruction.opcode == "INPUT":
        words.append(f"`{instruction.key}`")
    target = "" if instruction.output is None else f"{instruction.output} = "
    return target + " ".join(words)
