"""Base class of the steppers of integer programs: the current site, and which parts have run there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.integer.numpy.frames import Array
from pointillist.engine.program import Program
from pointillist.errors import EngineError


class IntegerStepper(ABC):
    """A source of integer parameters for one sub-step after the other.

    Attributes:
        site: the current row, column and sub-step.
        done: True after the last one.
    """

    def __init__(self, program: Program, batch: int, height: int, width: int) -> None:
        self.program, self.batch, self.height, self.width = program, batch, height, width
        self.site = (0, 0, 0)
        self.done = False
        self._row = -1
        self._has_run = False

    def params(self) -> NDArray[np.int32]:
        """Compute the parameters `[b, p]` at the current site; those of the current sub-step are meaningful."""
        self._run()
        return self._read_params()

    def observe(self, levels: Array) -> None:
        """Write the levels `[b, sub-pixels]` of the current sub-step, and move to the next one."""
        if not self._has_run:
            self._run()
        self._write(levels)
        if self.site[2] == self.program.num_sub_steps - 1:
            self._run_post_draw()
        self._advance()

    @abstractmethod
    def select(self, indices: NDArray[Any]) -> None:
        """Copy states: image i continues from the history of image `indices[i]`."""

    def save(self) -> Any:
        """Save the state at the beginning of a row, for `restore`.

        Raises:
            EngineError: in the middle of a row.
        """
        if self._row == self.site[0]:
            raise EngineError(f"The state of row {self.site[0]} cannot be saved: it has begun. Save it before.")
        return self.site, self._save()

    def restore(self, state: Any) -> None:
        """Return to a saved state; it may be restored any number of times."""
        self.site, arrays = state
        self._row, self._has_run, self.done = -1, False, self.site[0] == self.height
        self._restore(arrays)

    def _run(self) -> None:
        if self.site[0] != self._row:
            self._run_row()
            self._row = self.site[0]
        self._run_site()
        self._has_run = True

    def _advance(self) -> None:
        row, column, step = self.site
        self._has_run = False
        step += 1
        stride = -1 if self.program.s_curve and row % 2 else 1
        if step == self.program.num_sub_steps:
            column, step = column + stride, 0
        if not 0 <= column < self.width:
            row += 1
            column = self.width - 1 if self.program.s_curve and row % 2 else 0
        self.site, self.done = (row, column, step), row == self.height

    @abstractmethod
    def _run_row(self) -> None:
        """Run the part of the current row."""

    @abstractmethod
    def _run_site(self) -> None:
        """Run the part of the current site."""

    @abstractmethod
    def _run_post_draw(self) -> None:
        """Run the part after the draw of the current site."""

    @abstractmethod
    def _read_params(self) -> NDArray[np.int32]:
        """Copy the parameters at the current site."""

    @abstractmethod
    def _write(self, levels: Array) -> None:
        """Write the levels of the current sub-step to the canvas."""

    @abstractmethod
    def _save(self) -> Any:
        """Copy the state of all images."""

    @abstractmethod
    def _restore(self, arrays: Any) -> None:
        """Copy a saved state back."""
