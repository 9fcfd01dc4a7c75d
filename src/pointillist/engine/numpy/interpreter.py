"""Run a program site by site in numpy: always available, and the readable meaning of what faster engines do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.memory_check import check_memory, program_memory_bytes
from pointillist.engine.numpy.arrays import InterpreterState
from pointillist.engine.opcodes import OPCODES, Call
from pointillist.engine.program import FloatArray, Instruction, Program
from pointillist.engine.stepper import ProgramStepper


class Interpreter(ProgramStepper):
    """The walk in numpy.

    Args:
        program: what `record` returned.
        batch: how many images are painted together.
        given: conditions by key, `[b d]` or `[b d 1 1]` or `[b d h w]`; the default is what was seen when recording.
    """

    def __init__(self, program: Program, batch: int, given: Mapping[str, NDArray[Any]] | None = None) -> None:
        super().__init__(program, batch)
        self._period = program.period
        check_memory(program_memory_bytes(program, batch), batch, program.height, program.width)
        self._arrays = InterpreterState(program, batch, given)
        self._row_calls = _bind_rows(program.row, self._arrays)
        self._step_calls = [_bind_columns(step, self._arrays) for step in program.steps]
        self._after_calls = _bind_columns(program.after, self._arrays)
        for instruction in program.once:
            for call in OPCODES[instruction.opcode].bind(instruction, self._arrays, None):
                call()

    def _run_row(self) -> None:
        row = self.site[0]
        first = len(self._row_calls) - self._period  # from here on rows repeat
        for call in self._row_calls[row if row < first else first + (row - first) % self._period]:
            call()

    def _run_step(self) -> None:
        row, column, sub_step = self.site
        for call in self._step_calls[sub_step][row % self._period][column]:
            call()

    def _run_after(self) -> None:
        row, column, _ = self.site
        for call in self._after_calls[row % self._period][column]:
            call()

    def _read_params(self) -> FloatArray:
        return np.array(self._arrays.read(self.program.params, self.site[1]))

    def _write(self, values: NDArray[Any], first: int) -> None:
        site = self._arrays.maps[self.program.canvas].site(self.site[1])
        site[:, first : first + self.program.canvas_width] = values

    def _end_row(self) -> None:
        row = self.site[0]
        for store in self._arrays.maps.values():
            store.finish(row)
        self._arrays.row = row + 1


def _bind_rows(part: tuple[Instruction, ...], arrays: InterpreterState) -> list[list[Call]]:
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


def _bind_columns(step: tuple[Instruction, ...], arrays: InterpreterState) -> list[list[list[Call]]]:
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
