"""The CPU engine as Python sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.arrays import conditions
from pointillist.engine.cpu import lowerings  # noqa: F401  (registers how opcodes are lowered)
from pointillist.engine.cpu import table as t
from pointillist.engine.cpu.lower import Lower
from pointillist.engine.cpu.packing import Packing
from pointillist.engine.cpu.paint import run_part
from pointillist.engine.program import FloatArray, Program
from pointillist.engine.room import check_room
from pointillist.errors import EngineError


class CpuEngine:
    """Compiled, and stopping at each sub-pixel: the calls of `Interpreter`, with the bits of a whole painted image."""

    def __init__(self, program: Program, batch: int, given: Mapping[str, NDArray[Any]] | None = None) -> None:
        self.program, self.batch = program, batch
        packing = Packing(program)
        self.table = Lower(program, batch, packing).table()
        check_room(self.table.numbers * program.dtype.itemsize, batch, program.height, program.width)
        self._code = self.table.code.copy()
        self._weights = packing.array
        self._memory = self.table.memory(program.dtype, conditions(program, batch, given or {}))
        self.site = (0, 0, 0)
        self.done = False
        self._row_begun = False
        self._has_run = False
        self._run(0, begin=True)

    def params(self) -> FloatArray:
        """The parameters `[b, p]` at the current site; only the slice of the current sub-step is meaningful."""
        if self.done:
            raise EngineError("The image is complete: there is no site left to ask about.")
        self._step()
        line = self._code[self.table.draw].tolist()
        return self._sites(
            line[t.X] + self.site[1] * line[t.X_COLUMN], line[t.X_OUTER], self.program.params.channels
        ).copy()

    def observe(self, values: NDArray[Any]) -> None:
        """Write the canvas values `[b, canvas_width]` of the sub-pixel just chosen, and move to the next one."""
        program = self.program
        if self.done:
            raise EngineError("The image is complete: there is no site left to observe.")
        if values.shape != (self.batch, program.canvas_width):
            raise EngineError(
                f"`values` has shape {list(values.shape)}, but a sub-pixel takes "
                f"[batch, canvas_width] = [{self.batch}, {program.canvas_width}]."
            )
        if not self._has_run:
            self._step()
        _, column, sub_step = self.site
        line = self._code[self.table.draw].tolist()
        start = line[t.Y] + column * line[t.Y_COLUMN] + sub_step * program.canvas_width
        self._sites(start, line[t.Y_OUTER], program.canvas_width)[...] = values
        if sub_step == program.sub_steps - 1:
            self._run(len(self.table.parts) - 1)
        self._advance()

    def _sites(self, start: int, image: int, channels: int) -> FloatArray:
        """A view of the channels of a site, `[b, channels]`."""
        size = self._memory.itemsize
        return np.lib.stride_tricks.as_strided(self._memory[start:], (self.batch, channels), (image * size, size))

    def _step(self) -> None:
        if not self._row_begun:
            self._run(1, begin=True)
            self._row_begun = True
        self._run(2 + self.site[2], column=self.site[1])
        self._has_run = True

    def _run(self, part: int, column: int | None = None, *, begin: bool = False) -> None:
        first, last = self.table.parts[part].tolist()
        row = self.site[0]
        column = (0 if begin else self.site[1]) if column is None else column
        run_part(
            self._code, self.table.patches, first, last, self._memory, self._weights, row, column, self.program.width,
            begin,
        )  # fmt: skip

    def _advance(self) -> None:
        row, column, sub_step = self.site
        self._has_run = False
        sub_step += 1
        backwards = self.program.snake and row % 2
        if sub_step == self.program.sub_steps:
            column, sub_step = column + (-1 if backwards else 1), 0
        if not 0 <= column < self.program.width:
            row += 1
            column = self.program.width - 1 if self.program.snake and row % 2 else 0
            self._row_begun = False
        self.site = (row, column, sub_step)
        self.done = row == self.program.height
