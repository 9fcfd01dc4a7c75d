"""Step through an image in compiled code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.batch import check_batch_memory, prepare_inputs
from pointillist.engine.cpu import bytecode as bc
from pointillist.engine.cpu.lowered import LoweredProgram
from pointillist.engine.cpu.sample_loop import run_part
from pointillist.engine.program import FloatArray, IntArray, Program
from pointillist.engine.stepper import ProgramStepper


class CpuStepper(ProgramStepper):
    """Step through an image in compiled code, with the bits of `CpuSampler`.

    Args:
        program: the program, from `record`.
        batch: number of images that are sampled together.
        inputs: conditions by key; the default is the tensor seen while recording.

    Raises:
        EngineError: if the memory does not suffice, or an input does not fit.
    """

    def __init__(self, program: Program, batch: int, inputs: Mapping[str, NDArray[Any]] | None = None) -> None:
        super().__init__(program, batch)
        lowered = LoweredProgram.of(program)
        self.bytecode = lowered.bytecode(batch)
        check_batch_memory(self.bytecode.size * program.dtype.itemsize, batch, program.height, program.width)
        self._instructions = self.bytecode.instructions(lowered.weights)
        self._memory = self.bytecode.initial_memory(program.dtype, prepare_inputs(program, batch, inputs or {}))
        self._run_part(0, column=0, begin=True)

    def _run_row(self) -> None:
        self._run_part(1, column=0, begin=True)

    def _run_sub_step(self) -> None:
        self._run_part(2 + self.sub_step)

    def _run_post_draw(self) -> None:
        self._run_part(len(self.bytecode.parts) - 1)

    def _read_params(self) -> FloatArray:
        line = self._instructions.code[self.bytecode.draw_row].tolist()
        start = line[bc.X] + self.site[1] * line[bc.X_COLUMN]
        return self._sites(start, line[bc.X_OUTER], self.program.params.channels).copy()

    def _write(self, values: NDArray[Any], first: int) -> None:
        line = self._instructions.code[self.bytecode.draw_row].tolist()
        start = line[bc.Y] + self.site[1] * line[bc.Y_COLUMN] + first
        self._sites(start, line[bc.Y_OUTER], self.program.canvas_width)[...] = values

    def _select(self, indices: IntArray) -> None:
        for start, slots, size in self.bytecode.states:
            block = self._memory[start : start + slots * self.batch * size].reshape(slots, self.batch, size)
            block[...] = block[:, indices]

    def _save(self) -> list[FloatArray]:
        return self.bytecode.save(self._memory)

    def _restore(self, arrays: list[FloatArray]) -> None:
        self.bytecode.restore(self._memory, arrays)

    def _sites(self, start: int, image_stride: int, channels: int) -> FloatArray:
        """Return a view of the channels of a site, `[b, channels]`."""
        size = self._memory.itemsize
        return np.lib.stride_tricks.as_strided(
            self._memory[start:], (self.batch, channels), (image_stride * size, size)
        )

    def _run_part(self, part: int, column: int | None = None, *, begin: bool = False) -> None:
        """Run a part at a column, by default the current one; `begin` first patches the addresses of the row."""
        first, last = self.bytecode.parts[part].tolist()
        row, here, _ = self.site
        at = here if column is None else column
        run_part(self._instructions, first, last, self._memory, row, at, self.program.width, begin)
