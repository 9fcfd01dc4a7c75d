"""The CPU engine as Python sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.cpu import bytecode as t
from pointillist.engine.cpu import lowering_rules  # noqa: F401 (it registers the rules)
from pointillist.engine.cpu.lower import BytecodeCompiler
from pointillist.engine.cpu.sample_loop import run_part
from pointillist.engine.cpu.weight_packing import Packing
from pointillist.engine.memory_check import check_memory
from pointillist.engine.numpy.arrays import conditions
from pointillist.engine.program import FloatArray, Program
from pointillist.engine.stepper import ProgramStepper


class CpuStepper(ProgramStepper):
    """The walk in compiled code, with the bits of a whole painted image."""

    def __init__(self, program: Program, batch: int, given: Mapping[str, NDArray[Any]] | None = None) -> None:
        super().__init__(program, batch)
        packing = Packing(program)
        self.table = BytecodeCompiler(program, batch, packing).table()
        check_memory(self.table.numbers * program.dtype.itemsize, batch, program.height, program.width)
        self._code = self.table.code.copy()
        self._weights = packing.array
        self._memory = self.table.memory(program.dtype, conditions(program, batch, given or {}))
        self._run_part(0, column=0, begin=True)

    def _run_row(self) -> None:
        self._run_part(1, column=0, begin=True)

    def _run_step(self) -> None:
        self._run_part(2 + self.site[2])

    def _run_after(self) -> None:
        self._run_part(len(self.table.parts) - 1)

    def _read_params(self) -> FloatArray:
        line = self._code[self.table.draw].tolist()
        start = line[t.X] + self.site[1] * line[t.X_COLUMN]
        return self._sites(start, line[t.X_OUTER], self.program.params.channels).copy()

    def _write(self, values: NDArray[Any], first: int) -> None:
        line = self._code[self.table.draw].tolist()
        start = line[t.Y] + self.site[1] * line[t.Y_COLUMN] + first
        self._sites(start, line[t.Y_OUTER], self.program.canvas_width)[...] = values

    def _sites(self, start: int, image: int, channels: int) -> FloatArray:
        """A view of the channels of a site, `[b, channels]`."""
        size = self._memory.itemsize
        return np.lib.stride_tricks.as_strided(self._memory[start:], (self.batch, channels), (image * size, size))

    def _run_part(self, part: int, column: int | None = None, *, begin: bool = False) -> None:
        """Run a part of the table at a column, by default that of the site at hand; `begin` first puts the row in."""
        first, last = self.table.parts[part].tolist()
        row, here, _ = self.site
        run_part(
            self._code, self.table.patches, first, last, self._memory, self._weights, row,
            here if column is None else column, self.program.width, begin,
        )  # fmt: skip
