"""Base class of the steppers of programs: the current site, and which parts have run there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from numpy.typing import NDArray

from pointillist.engine.program import IntArray, Program
from pointillist.errors import EngineError


class ProgramStepper(ABC):
    """Give the parameters at one site after the other, row by row, sub-pixel by sub-pixel.

    Call `params()`, choose a level of the sub-pixel, pass its canvas values to `observe()`, until `done`. A second call
    of `params()` gives the same bits. A known sub-pixel may be observed without a call of `params()`.

        while not stepper.done:
            stepper.observe(choose(stepper.params()))

    Attributes:
        program: in floating point or in integers.
        batch, height, width: number and size of the images that are sampled together.
        site: the current row, column and sub-step.
        done: True after the last sub-pixel.
    """

    def __init__(self, program: Program, batch: int, size: tuple[int, int] | None = None) -> None:
        self.program, self.batch = program, batch
        self.height, self.width = size or (program.height, program.width)
        self.site = (0, 0, 0)
        self.done = False
        self._stride = 1
        self._row_begun = False
        self._has_run = False

    def params(self) -> NDArray[Any]:
        """Compute the parameters `[b, p]` at the current site. Only the slice of the current sub-step is meaningful.

        Raises:
            EngineError: if the image is complete.
        """
        if self.done:
            raise EngineError("The image is complete: there is no site left to ask about.")
        self._run()
        return self._read_params()

    def observe(self, values: NDArray[Any]) -> None:
        """Write the canvas values `[b, canvas_width]` of the sub-pixel just chosen, and move to the next one.

        Raises:
            EngineError: if the image is complete, or the values have another shape.
        """
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

    def select(self, indices: IntArray) -> None:
        """Copy states: image i continues from the history of image `indices[i]`.

        Conditions are not copied, so only images of the same condition may be exchanged.

            stepper.select(np.array([0, 0, 2]))  # the second of three images becomes a copy of the first

        Raises:
            EngineError: if there is not one index for each image.
        """
        if indices.shape != (self.batch,) or not ((indices >= 0) & (indices < self.batch)).all():
            raise EngineError(f"`indices` of shape {list(indices.shape)} must hold {self.batch} numbers of images.")
        self._select(indices)

    def save(self) -> Any:
        """Save the state at the beginning of a row, for `restore`.

        Raises:
            EngineError: in the middle of a row.
        """
        if self._row_begun:
            raise EngineError(f"The state of row {self.site[0]} cannot be saved: it has begun. Save it before.")
        return self.site, self._stride, self._save()

    def restore(self, state: Any) -> None:
        """Return to a saved state; it may be restored any number of times."""
        self.site, self._stride, arrays = state
        self._row_begun = self._has_run = self.done = False
        self._restore(arrays)

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
        if not 0 <= column < self.width:
            row += 1
            self._stride = -1 if self.program.s_curve and row % 2 else 1
            column = 0 if self._stride > 0 else self.width - 1
            self._row_begun = False
        self.site = (row, column, sub_step)
        self.done = row == self.height

    @abstractmethod
    def _run_row(self) -> None:
        """Run the row part."""

    @abstractmethod
    def _run_sub_step(self) -> None:
        """Run the current sub-step."""

    @abstractmethod
    def _run_post_draw(self) -> None:
        """Run the part after the draw of the current site."""

    @abstractmethod
    def _read_params(self) -> NDArray[Any]:
        """Copy the parameters at the current site."""

    @abstractmethod
    def _write(self, values: NDArray[Any], first: int) -> None:
        """Write values to the canvas at the current site, from its channel `first` on."""

    @abstractmethod
    def _select(self, indices: IntArray) -> None:
        """Copy the state of images; indices are checked."""

    @abstractmethod
    def _save(self) -> Any:
        """Copy the state of all images."""

    @abstractmethod
    def _restore(self, arrays: Any) -> None:
        """Copy a saved state back."""
