"""Run the parts of a program row by row, on buffers whose addresses never change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.batch import check_batch_memory, prepare_inputs
from pointillist.engine.numpy.buffers import Region, bytes_of_image
from pointillist.engine.numpy.schedule import RowCalls, kind_of_row, run_part
from pointillist.engine.program import Program
from pointillist.engine.torch.buffers import TorchBuffers
from pointillist.engine.torch.operations import operations_of

OF_THE_IMAGE = ("INPUT", "MAP_CONSTANT")
"""Opcodes that read a row of the image by its number. They run when a row begins, and are not captured."""


class ProgramRows:
    """A program at the current row of images.

    `begin` a row, then `run_row`, and at its sites `run_sub_step`, after which there are `params`, `write` and
    `run_post_draw`; or all of them over the whole row, where the column is None. What follows `begin` is the same work
    for all rows of one kind.

    Args:
        program: in floating point or in integers.
        batch, height, width: number and size of the images.
        inputs: conditions by name; None for those seen while recording.
        device: the device of all tensors.
        more: bytes that the device must hold besides.

    Raises:
        EngineError: if the memory of the device does not suffice, or an input does not fit.
    """

    def __init__(
        self,
        program: Program,
        batch: int,
        height: int,
        width: int,
        inputs: Mapping[str, NDArray[Any]] | None,
        device: torch.device,
        more: int = 0,
    ) -> None:
        self.program = program
        needed = batch * bytes_of_image(program, height, width, "row") + more
        check_batch_memory(needed, batch, height, width, device)
        inputs = prepare_inputs(program, batch, inputs or {}, (height, width))
        self.buffers = TorchBuffers(program, batch, height, width, inputs, device, "row")
        operations = operations_of(program)
        self._calls = RowCalls(self.buffers, operations)
        self._begin = [i for part in (program.per_row, program.per_site) for i in part if i.opcode in OF_THE_IMAGE]
        self._row, self._site, self._post_draw = map(
            _without_reads_of_the_image, (program.per_row, program.per_site, program.post_draw)
        )
        self._sub_steps = [*map(_without_reads_of_the_image, program.sub_steps)]
        run_part(self.buffers, operations, program.per_image, 0, height)

    def kind(self, row: int) -> int:
        """Return the kind of a row; rows of one kind are the same work."""
        return kind_of_row(self.program, row)

    def columns(self, row: int) -> range:
        """Return the columns of a row, in generation order."""
        return range(self.buffers.width)[:: -1 if self.program.s_curve and row % 2 else 1]

    def begin(self, row: int) -> None:
        """Set what differs from row to row."""
        self.buffers.begin(row)
        self._calls.run(self._begin, row, None)

    def run_row(self, row: int) -> None:
        """Finish the row above, and run the part of the row."""
        self.buffers.shift(row)
        self._calls.run(self._row, row, None)

    def run_site(self, row: int) -> None:
        """Run the part of a site, with all sub-steps, over the row."""
        self._calls.run(self._site, row, None)

    def run_sub_step(self, row: int, column: int, number: int) -> None:
        """Run a sub-step at a site."""
        self._calls.run(self._sub_steps[number], row, column)

    def run_post_draw(self, row: int, column: int | None) -> None:
        """Run the part after the draw."""
        self._calls.run(self._post_draw, row, column)

    def params(self, row: int, column: int | None) -> Tensor:
        """Return the parameters at a site or in the row, `[b, columns, p]`; one column if all are the same."""
        result: Tensor = self.buffers.read(self.program.params, self._region(row, column))[:, 0]
        return result

    def write(self, row: int, column: int | None, values: Tensor, first: int) -> None:
        """Write values `[b, columns, c]` to the canvas, from its channel `first` on."""
        canvas = self.buffers.sites(self.program.canvas, self._region(row, column))[:, 0]
        canvas[..., first : first + values.shape[-1]] = values

    def _region(self, row: int, column: int | None) -> Region:
        return Region.of_rows(row, row + 1, self.buffers.width) if column is None else Region.of_site(row, column)


def _without_reads_of_the_image(part: tuple[Any, ...]) -> list[Any]:
    return [i for i in part if i.opcode not in OF_THE_IMAGE]
