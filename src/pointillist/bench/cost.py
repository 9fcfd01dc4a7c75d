"""What painting an image takes by the program alone: operations, and bytes of weights that must be read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from pointillist.bench.peaks import Peaks
from pointillist.engine import Program, record
from pointillist.engine.opcodes import OPCODES
from pointillist.engine.program import Instruction
from pointillist.networks import Stage
from pointillist.nn import Condition
from pointillist.passes import Pass
from pointillist.pixel_model import PixelModel


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


def cost_of(program: Program) -> Cost:
    """The operations of all sites of an image, and the weights of all rows and sites."""
    pixel = [*(i for step in program.steps for i in step), *program.after]
    return Cost(
        _flops(program, program.row) + _once(program),
        _flops(program, pixel),
        sum(_bytes(i) * _rows(program, i) for i in program.row) + sum(map(_bytes, program.once)),
        sum(_bytes(i) * _sites(program, i) for i in pixel),
    )


def record_stages(model: PixelModel, height: int, width: int, batch: int = 1) -> list[Program]:
    """The program of each stage of a model, recorded anew."""
    condition, coarse = model.condition(None, batch), None
    programs = []
    canvas = torch.zeros(batch, model.ports.canvas, height, width, device=model.device)
    with torch.no_grad():
        for stage in model.stages(height, width):
            grid = stage.grid(canvas)
            programs.append(_record(model, stage, stage.told(coarse, condition), grid))
            coarse = grid
    return programs


def _record(model: PixelModel, stage: Stage, told: Condition, grid: Tensor) -> Program:
    def forward(x: Tensor, ctx: Pass) -> Tensor:
        return stage.network(x, ctx, told)

    groups = model.ports.groups
    dtype = next(model.parameters()).dtype
    height, width = grid.shape[2:]
    return record(
        forward, sub_steps=groups, canvas_width=model.ports.canvas // groups, height=height, width=width, dtype=dtype
    )


def _rows(program: Program, instruction: Instruction) -> int:
    return -(-program.height // instruction.scale)


def _sites(program: Program, instruction: Instruction) -> int:
    return _rows(program, instruction) * -(-program.width // instruction.scale)


def _flops(program: Program, part: Iterable[Instruction]) -> float:
    return sum(OPCODES[i.opcode].flops(i) * _sites(program, i) for i in part)


def _once(program: Program) -> float:
    return sum(OPCODES[i.opcode].flops(i) for i in program.once)


def _bytes(instruction: Instruction) -> int:
    return 4 * sum(block.size for block in instruction.constants)
