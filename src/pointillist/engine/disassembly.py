"""Print a program as text, with the cost of each part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pointillist.engine.opcodes import OPCODES
from pointillist.engine.program import Instruction, Program


@dataclass(frozen=True)
class PartCost:
    """The cost of one part of a program.

    Attributes:
        name: when the part runs.
        unit: `image`, `row` or `site`: what the part runs once for.
        times: runs per image.
        instructions: number of instructions.
        operations: floating-point operations per unit. An instruction on a coarse grid counts by its share of the
            sites.
        bytes: bytes of weights read per unit, once for all images of a batch.
    """

    name: str
    unit: str
    times: int
    instructions: int
    operations: int
    bytes: int


def costs(program: Program) -> list[PartCost]:
    """Compute the cost of every part, in the order in which the parts run."""
    result = []
    for name, part in _parts(program):
        unit = "image" if part is program.per_image else "row" if part is program.per_row else "site"
        times = {"image": 1, "row": program.height, "site": program.height * program.width}[unit]
        wide = program.width if unit == "row" else 1
        result.append(PartCost(name, unit, times, len(part), flops(part) * wide, weight_bytes(program, part)))
    return result


def _parts(program: Program) -> Iterator[tuple[str, tuple[Instruction, ...]]]:
    """Yield the name and the instructions of each part: the site is cut into its sub-steps."""
    yield "once per image", program.per_image
    yield "once per row", program.per_row
    for sub_step, step in enumerate(program.sub_steps):
        yield f"sub-step {sub_step} of each site", step
    if program.post_draw:
        yield "after the draw of each site", program.post_draw


def describe(program: Program) -> str:
    """Disassemble a program: one instruction a line, with floating-point operations and weight bytes of each part.

    print(describe(record(network, num_sub_steps=1, canvas_width=1, height=8, width=8)))
    """
    direction = ", odd rows from right to left," if program.s_curve else ""
    lines = [
        f"{program.height}x{program.width} sites{direction} of {program.num_sub_steps} sub-steps, {program.dtype}, "
        f"{program.params.channels} parameters in {program.params}, {program.weight_bytes:,} bytes of weights"
    ]
    for feature_map in program.maps:
        reach = f"{feature_map.up} up, {feature_map.left} left, {feature_map.right} right"
        lines.append(f"map {feature_map.name}: {feature_map.channels} channels, reach {reach}")
    for cache in program.kv_caches:
        lines.append(f"KV cache {cache.name}: {cache.channels} channels of {cache.num_heads} heads, at every site")
    for key, condition in program.inputs.items():
        lines.append(f"input `{key}`: a {condition.kind} of {condition.channels} channels")
    for part, (_, code) in zip(costs(program), _parts(program), strict=True):
        lines.append(
            f"{part.name}: {part.instructions} instructions, {part.operations:,} operations and {part.bytes:,} bytes "
            f"of weights {'an' if part.unit == 'image' else 'a'} {part.unit}"
        )
        lines.extend(f"  {_line(instruction)}" for instruction in code)
    lines.append(f"an image: {image_operations(program):,} operations")
    return "\n".join(lines)


def image_operations(program: Program) -> int:
    """Count the floating-point operations of an image."""
    return sum(part.operations * part.times for part in costs(program))


def flops(part: Iterable[Instruction]) -> int:
    """Count the floating-point operations of a part: per site, or per image for the part that runs once per image.

    An instruction on a coarse grid counts by its share of the sites, one that runs in every other row by half.
    """
    return round(sum(OPCODES[i.opcode].flops(i) * _share_of_rows(i) / i.scale for i in part))


def weight_bytes(program: Program, part: Iterable[Instruction]) -> int:
    """Count the bytes of weights that a part reads: per row for the row part, per site on average elsewhere."""
    numbers = 0.0
    for instruction in part:
        share = _share_of_rows(instruction) / (1 if part is program.per_row else instruction.scale)
        numbers += share * sum(array.size for array in instruction.constants.values())
    return program.dtype.itemsize * round(numbers)


def _share_of_rows(instruction: Instruction) -> float:
    """Return the share of the rows in which an instruction runs: rows of its grid, or of one parity."""
    return 1 / instruction.scale if instruction.row_parity is None else 1 / 2


def _line(instruction: Instruction) -> str:
    words = [instruction.opcode.lower(), *map(str, instruction.inputs)]
    words.extend("x".join(map(str, array.shape)) for array in instruction.constants.values())
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
