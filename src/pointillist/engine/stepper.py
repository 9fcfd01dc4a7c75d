"""Base class of the steppers of programs: the current site, and which parts have run there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from numpy.typing import NDArray
from torch import Tensor

from pointillist.engine.program import FloatArray, IntArray, Program
from pointillist.engine.weights import WeightVersionCheck
from pointillist.errors import EngineError


class ProgramStepper(ABC):
    """Give the parameters at one site after the other, row by row, sub-pixel by sub-pixel.

    Call `params()`, choose a level of the sub-pixel, pass its canvas values to `observe()`, until `done`. A second call
    of `params()` gives the same bits. A known sub-pixel may be observed without a call of `params()`.

        while not stepper.done:
            stepper.observe(choose(stepper.params()))

    Attributes:
        program: the program, from `record`.
        batch: number of images that are sampled together.
        site: the current row, column and sub-step.
        done: True after the last sub-pixel.
    """

    def __init__(self, program: Program, batch: int) -> None:
        self.program, self.batch = program, batch
        self.site = (0, 0, 0)
        self.done = False
        self._stride = 1
        self._row_begun = False
        self._has_run = False

    def params(self) -> FloatArray:
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
        """Run the current sub-step."""

    @abstractmethod
    def _run_post_draw(self) -> None:
        """Run the part after the draw of the current site."""

    @abstractmethod
    def _read_params(self) -> FloatArray:
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

    def _end_row(self) -> None:  # noqa: B027  (most engines index rows, and have nothing to do)
        """Finish the current row."""


class GuardedStepper:
    """A stepper of a recorded program that raises an error at a new row when the weights have changed.

        stepper = GuardedStepper(Interpreter(program, batch=2), model.parameters())

    Args:
        engine: stepper to guard.
        tensors: parameters and buffers of the model that was recorded.
    """

    def __init__(self, engine: ProgramStepper, tensors: Iterable[Tensor]) -> None:
        self.engine = engine
        self._weights = WeightVersionCheck(tensors)
        self._row = -1

    def params(self) -> FloatArray:
        """See `ProgramStepper`."""
        row = self.engine.site[0]
        if row != self._row:
            self._weights.check()
            self._row = row
        return self.engine.params()

    def observe(self, values: NDArray[Any]) -> None:
        """See `ProgramStepper`."""
        self.engine.observe(values)

    def select(self, indices: IntArray) -> None:
        """See `ProgramStepper`."""
        self.engine.select(indices)

    def save(self) -> Any:
        """See `ProgramStepper`."""
        return self.engine.save()

    def restore(self, state: Any) -> None:
        """See `ProgramStepper`."""
        self.engine.restore(state)
