"""What painting an image takes by the program alone: operations, and bytes of weights that must be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pointillist.bench.roofline import Peaks
from pointillist.engine import Program
from pointillist.engine.opcodes import OPCODES
from pointillist.engine.program import Instruction


@dataclass(frozen=True)
class Cost:
    """Of one batch of images.

    Attributes:
        row_flops, pixel_flops: operations an image, in what is done a row at a time and site by site.
        row_bytes, pixel_bytes: weights that are read, once for all images of the batch, in float32 whatever they are
            stored in.
    """

    row_flops: float
    pixel_flops: float
    row_bytes: float
    pixel_bytes: float

    def floor(self, peaks: Peaks, batch: int) -> float:
        """Seconds an image of a batch, at the machine's best."""
        return peaks.floor(self.row_flops + self.pixel_flops, (self.row_bytes + self.pixel_bytes) / batch)

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.row_flops + other.row_flops,
            self.pixel_flops + other.pixel_flops,
            self.row_bytes + other.row_bytes,
            self.pixel_bytes + other.pixel_bytes,
        )


def program_cost(program: Program) -> Cost:
    """The operations of all sites of an image, and the weights of all rows and sites."""
    pixel = [*(i for step in program.steps for i in step), *program.after]
    return Cost(
        _flops(program, program.row) + _once(program),
        _flops(program, pixel),
        sum(_bytes(i) * _rows(program, i) for i in program.row) + sum(map(_bytes, program.once)),
        sum(_bytes(i) * _sites(program, i) for i in pixel),
    )


def _rows(program: Program, instruction: Instruction) -> int:
    """How many rows it runs in: those of its grid, or along an S-curve those of one parity."""
    if instruction.turn is not None:
        return (program.height + 1 - instruction.turn) // 2
    return -(-program.height // instruction.scale)


def _sites(program: Program, instruction: Instruction) -> int:
    return _rows(program, instruction) * -(-program.width // instruction.scale)


def _flops(program: Program, part: Iterable[Instruction]) -> float:
    return sum(OPCODES[i.opcode].flops(i) * _sites(program, i) for i in part)


def _once(program: Program) -> float:
    return sum(OPCODES[i.opcode].flops(i) for i in program.once)


def _bytes(instruction: Instruction) -> int:
    return 4 * sum(block.size for block in instruction.constants)
