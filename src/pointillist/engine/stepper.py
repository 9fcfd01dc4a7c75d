"""The walk of an engine that stops at each sub-pixel: where it is, what has run there, and what it may be asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from numpy.typing import NDArray

from pointillist.engine.program import FloatArray, Program
from pointillist.errors import EngineError


class ProgramStepper(ABC):
    """Parameters at one site after the other, row by row, sub-pixel by sub-pixel.

    Ask for `params()`, choose a sub-pixel, tell its canvas values to `observe()`, until `done`. Asking twice changes
    nothing; a site may also be observed without asking (a pixel that is known already).

    Attributes:
        program: what `record` returned.
        batch: how many images are painted together.
        site: row, column and sub-step at hand.
    """

    def __init__(self, program: Program, batch: int) -> None:
        self.program, self.batch = program, batch
        self.site = (0, 0, 0)
        self.done = False
        self._stride = 1
        self._row_begun = False
        self._has_run = False

    def params(self) -> FloatArray:
        """The parameters `[b, p]` at the current site; only the slice of the current sub-step is meaningful."""
        if self.done:
            raise EngineError("The image is complete: there is no site left to ask about.")
        self._run()
        return self._read_params()

    def observe(self, values: NDArray[Any]) -> None:
        """Write the canvas values `[b, canvas_width]` of the sub-pixel just chosen, and move to the next one."""
        if self.done:
            raise EngineError("The image is complete: there is no site left to observe.")
        if values.shape != (self.batch, self.program.canvas_width):
            raise EngineError(
                f"`values` has shape {list(values.shape)}, but a sub-pixel takes "
                f"[batch, canvas_width] = [{self.batch}, {self.program.canvas_width}]."
            )
        if not self._has_run:
            self._run()
        self._write(values, self.site[2] * self.program.canvas_width)
        if self.site[2] == self.program.num_sub_steps - 1:
            self._run_post_draw()
        self._advance()

    def _run(self) -> None:
        if not self._row_begun:
            self._run_row()
            self._row_begun = True
        self._run_sub_step()
        self._has_run = True

    def _advance(self) -> None:
        row, column, sub_step = self.site
        self._has_run = False
        sub_step += 1
        if sub_step == self.program.num_sub_steps:
            column, sub_step = column + self._stride, 0
        if not 0 <= column < self.program.width:
            self._end_row()
            row += 1
            self._stride = -1 if self.program.s_curve and row % 2 else 1
            column = 0 if self._stride > 0 else self.program.width - 1
            self._row_begun = False
        self.site = (row, column, sub_step)
        self.done = row == self.program.height

    @abstractmethod
    def _run_row(self) -> None:
        """Run the row part."""

    @abstractmethod
    def _run_sub_step(self) -> None:
        """Run the sub-step of the site at hand."""

    @abstractmethod
    def _run_post_draw(self) -> None:
        """Run what comes after the draw of the site at hand."""

    @abstractmethod
    def _read_params(self) -> FloatArray:
        """A copy of the parameters at the site at hand."""

    @abstractmethod
    def _write(self, values: NDArray[Any], first: int) -> None:
        """Put values in the canvas at the site at hand, from its channel `first` on."""

    def _end_row(self) -> None:  # noqa: B027  (most engines index rows, and have nothing to do)
        """The current row is complete."""
