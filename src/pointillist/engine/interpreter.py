"""Run a program site by site in numpy: always available, and the readable meaning of what faster engines do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.arrays import Arrays
from pointillist.engine.opcodes import OPCODES, Call
from pointillist.engine.program import FloatArray, Instruction, Program
from pointillist.engine.room import check_room, interpreter_bytes
from pointillist.errors import EngineError


class Interpreter:
    """Parameters at one site after the other, row by row, sub-pixel by sub-pixel.

    Ask for `params()`, choose a sub-pixel, tell its canvas values to `observe()`, until `done`. Asking twice changes
    nothing; a site may also be observed without asking (a pixel that is known already).

    Args:
        program: what `record` returned.
        batch: how many images are painted together.
        given: conditions by key, `[b d]` or `[b d 1 1]` or `[b d h w]`; the default is what was seen when recording.
    """

    def __init__(self, program: Program, batch: int, given: Mapping[str, NDArray[Any]] | None = None) -> None:
        self.program = program
        self._period = program.period
        self.site = (0, 0, 0)
        self.done = False
        check_room(interpreter_bytes(program, batch), batch, program.height, program.width)
        self._arrays = Arrays(program, batch, given)
        self._row_calls = _bind_rows(program.row, self._arrays)
        self._step_calls = [_bind_columns(step, self._arrays) for step in program.steps]
        self._after_calls = _bind_columns(program.after, self._arrays)
        self._stride = 1
        self._row_begun = False
        self._has_run = False
        for instruction in program.once:
            for call in OPCODES[instruction.opcode].bind(instruction, self._arrays, None):
                call()

    def params(self) -> FloatArray:
        """The parameters `[b, p]` at the current site; only the slice of the current sub-step is meaningful."""
        if self.done:
            raise EngineError("The image is complete: there is no site left to ask about.")
        self._run()
        return np.array(self._arrays.read(self.program.params, self.site[1]))

    def observe(self, values: NDArray[Any]) -> None:
        """Write the canvas values `[b, canvas_width]` of the sub-pixel just chosen, and move to the next one."""
        if self.done:
            raise EngineError("The image is complete: there is no site left to observe.")
        program, store = self.program, self._arrays.maps[self.program.canvas]
        if values.shape != (self._arrays.batch, program.canvas_width):
            raise EngineError(
                f"`values` has shape {list(values.shape)}, but a sub-pixel takes "
                f"[batch, canvas_width] = [{self._arrays.batch}, {program.canvas_width}]."
            )
        if not self._has_run:
            self._run()
        row, column, sub_step = self.site
        first = sub_step * program.canvas_width
        store.site(column)[:, first : first + program.canvas_width] = values
        if sub_step == program.sub_steps - 1:
            for call in self._after_calls[row % self._period][column]:
                call()
        self._advance()

    def _run(self) -> None:
        row, column, sub_step = self.site
        phase = row % self._period
        if not self._row_begun:
            first = len(self._row_calls) - self._period  # from here on rows repeat
            for call in self._row_calls[row if row < first else first + (row - first) % self._period]:
                call()
            self._row_begun = True
        for call in self._step_calls[sub_step][phase][column]:
            call()
        self._has_run = True

    def _advance(self) -> None:
        row, column, sub_step = self.site
        self._has_run = False
        sub_step += 1
        if sub_step == self.program.sub_steps:
            column, sub_step = column + self._stride, 0
        if not 0 <= column < self.program.width:
            for store in self._arrays.maps.values():
                store.finish(row)
            row += 1
            self._stride = -1 if self.program.snake and row % 2 else 1
            column = 0 if self._stride > 0 else self.program.width - 1
            self._arrays.row = row
            self._row_begun = False
        self.site = (row, column, sub_step)
        self.done = row == self.program.height


def _bind_rows(part: tuple[Instruction, ...], arrays: Arrays) -> list[list[Call]]:
    """The calls of the row part at row 0, 1, ...; the last ones, a period of coarse grids, are repeated in later rows.

    What lies on a coarse grid, or is for rows of one parity, runs in its rows only, and what belongs to a row above not
    before there is one.
    """
    first = max((i.first_row for i in part), default=0)
    rows: list[list[Call]] = [[] for _ in range(first + arrays.program.period)]
    for instruction in part:
        calls = OPCODES[instruction.opcode].bind(instruction, arrays, None)
        for row in range(instruction.first_row, len(rows)):
            if row % instruction.scale == 0 and instruction.turn in (None, row % 2):
                rows[row].extend(calls)
    return rows


def _bind_columns(step: tuple[Instruction, ...], arrays: Arrays) -> list[list[list[Call]]]:
    """The calls of a sub-step, or of the part after the draw, at each phase and column.

    Calls on the same arrays at every column are made once.
    """
    program = arrays.program
    phases: list[list[list[Call]]] = [[[] for _ in range(program.width)] for _ in range(program.period)]
    for instruction in step:
        opcode = OPCODES[instruction.opcode]
        same = instruction.map is None and not any(arrays.moves(view) for view in instruction.views)
        shared = opcode.bind(instruction, arrays, 0) if same else []
        for column in range(0, program.width, instruction.scale):
            calls = shared if same else opcode.bind(instruction, arrays, column)
            for phase in range(0, program.period, instruction.scale):
                if instruction.turn in (None, phase % 2):
                    phases[phase][column].extend(calls)
    return phases
