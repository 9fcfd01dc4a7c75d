"""Cost of sampling by a program: arithmetic operations, and bytes of weights read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pointillist.engine import Program
from pointillist.engine.opcodes import OPCODES
from pointillist.engine.program import Instruction
from speed.roofline import Peaks


@dataclass(frozen=True)
class Cost:
    """Cost of one batch of images.

    Attributes:
        row_flops, pixel_flops: operations an image, in the row phase and in the pixel phase.
        row_bytes, pixel_bytes: bytes of weights read, once for all images of the batch, counted as float32 whatever
            their storage type.
    """

    row_flops: float
    pixel_flops: float
    row_bytes: float
    pixel_bytes: float

    def roofline_seconds(self, peaks: Peaks, batch: int, *, integer: bool = False) -> float:
        """Return the roofline bound: seconds an image of a batch of size `batch`, at peak performance.

        Args:
            integer: whether the operations are those of bytes, and a weight is one.
        """
        weights = (self.row_bytes + self.pixel_bytes) / 4 / batch
        return peaks.roofline_seconds(self.row_flops + self.pixel_flops, weights, integer=integer)

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.row_flops + other.row_flops,
            self.pixel_flops + other.pixel_flops,
            self.row_bytes + other.row_bytes,
            self.pixel_bytes + other.pixel_bytes,
        )


def program_cost(program: Program) -> Cost:
    """Sum the operations of all sites of an image, and the weights of all rows and sites.

    program_cost(program).roofline_seconds(measure_peaks(), batch=16)
    """
    pixel = [*(i for step in program.sub_steps for i in step), *program.post_draw]
    return Cost(
        _flops(program, program.per_row) + _once(program),
        _flops(program, pixel),
        sum(_bytes(i) * _rows(program, i) for i in program.per_row) + sum(map(_bytes, program.per_image)),
        sum(_bytes(i) * _sites(program, i) for i in pixel),
    )


def _rows(program: Program, instruction: Instruction) -> int:
    """Count the rows in which an instruction runs: those of its grid, or along an S-curve those of one parity."""
    if instruction.row_parity is not None:
        return (program.height + 1 - instruction.row_parity) // 2
    return -(-program.height // instruction.scale)


def _sites(program: Program, instruction: Instruction) -> int:
    return _rows(program, instruction) * -(-program.width // instruction.scale)


def _flops(program: Program, part: Iterable[Instruction]) -> float:
    return sum(OPCODES[i.opcode].flops(i) * _sites(program, i) for i in part)


def _once(program: Program) -> float:
    return sum(OPCODES[i.opcode].flops(i) for i in program.per_image)


def _bytes(instruction: Instruction) -> int:
    return 4 * sum(array.size for array in instruction.constants.values())
