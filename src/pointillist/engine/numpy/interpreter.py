"""Run a program site by site in numpy: available everywhere, and the reference for the faster engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.batch import check_memory, program_memory_bytes
from pointillist.engine.numpy.arrays import InterpreterState
from pointillist.engine.opcodes import OPCODES, Call
from pointillist.engine.program import FloatArray, Instruction, IntArray, Program
from pointillist.engine.stepper import ProgramStepper


class Interpreter(ProgramStepper):
    """Step through an image in numpy.

        stepper = Interpreter(program, batch=2, inputs={"label": vectors})  # vectors: [2, d]

    Args:
        program: the program, from `record`.
        batch: number of images that are sampled together.
        inputs: conditions by key, `[b d]`, `[b d 1 1]` or `[b d h w]`; the default is the tensor seen while recording.

    Raises:
        EngineError: if the memory does not suffice, or an input does not fit.
    """

    def __init__(self, program: Program, batch: int, inputs: Mapping[str, NDArray[Any]] | None = None) -> None:
        super().__init__(program, batch)
        self._period = program.period
        check_memory(program_memory_bytes(program, batch), batch, program.height, program.width)
        self._state = InterpreterState(program, batch, inputs)
        self._row_calls = _bind_rows(program.per_row, self._state)
        self._sub_step_calls = [_bind_columns(step, self._state) for step in program.sub_steps]
        self._post_draw_calls = _bind_columns(program.post_draw, self._state)
        for instruction in program.per_image:
            for call in OPCODES[instruction.opcode].bind(instruction, self._state, None):
                call()

    def _run_row(self) -> None:
        row = self.site[0]
        first = len(self._row_calls) - self._period  # rows repeat from here on
        for call in self._row_calls[row if row < first else first + (row - first) % self._period]:
            call()

    def _run_sub_step(self) -> None:
        row, column, sub_step = self.site
        for call in self._sub_step_calls[sub_step][row % self._period][column]:
            call()

    def _run_post_draw(self) -> None:
        row, column, _ = self.site
        for call in self._post_draw_calls[row % self._period][column]:
            call()

    def _read_params(self) -> FloatArray:
        return np.array(self._state.read(self.program.params, self.site[1]))

    def _write(self, values: NDArray[Any], first: int) -> None:
        site = self._state.maps[self.program.canvas].site(self.site[1])
        site[:, first : first + self.program.canvas_width] = values

    def _select(self, indices: IntArray) -> None:
        self._state.select(indices)

    def _save(self) -> list[FloatArray]:
        return [array.copy() for array in self._state.between_rows()]

    def _restore(self, arrays: list[FloatArray]) -> None:
        for array, saved in zip(self._state.between_rows(), arrays, strict=True):
            array[...] = saved
        self._state.row = self.site[0]

    def _end_row(self) -> None:
        row = self.site[0]
        for store in self._state.maps.values():
            store.finish(row)
        self._state.row = row + 1


def _bind_rows(part: tuple[Instruction, ...], state: InterpreterState) -> list[list[Call]]:
    """Bind the calls of the row part at row 0, 1, ...; the last ones, a period of coarse grids, repeat in later rows.

    Instructions on a coarse grid, or for one row parity, run in their rows only. Instructions on a row above do not run
    before there is one.
    """
    first = max((i.first_row for i in part), default=0)
    rows: list[list[Call]] = [[] for _ in range(first + state.program.period)]
    for instruction in part:
        calls = OPCODES[instruction.opcode].bind(instruction, state, None)
        for row in range(instruction.first_row, len(rows)):
            if row % instruction.scale == 0 and instruction.row_parity in (None, row % 2):
                rows[row].extend(calls)
    return rows


def _bind_columns(step: tuple[Instruction, ...], state: InterpreterState) -> list[list[list[Call]]]:
    """Bind the calls of a sub-step, or of the part after the draw, at each row of a period and each column.

    Calls on the same arrays at every column are bound once.
    """
    program = state.program
    by_row: list[list[list[Call]]] = [[[] for _ in range(program.width)] for _ in range(program.period)]
    for instruction in step:
        opcode = OPCODES[instruction.opcode]
        same = instruction.map is None and not any(state.varies_by_column(view) for view in instruction.views)
        shared = opcode.bind(instruction, state, 0) if same else []
        for column in range(0, program.width, instruction.scale):
            calls = shared if same else opcode.bind(instruction, state, column)
            for row in range(0, program.period, instruction.scale):
                if instruction.row_parity in (None, row % 2):
                    by_row[row][column].extend(calls)
    return by_row
