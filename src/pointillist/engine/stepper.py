"""Base class of the steppers of programs: the current sub-pixel, its parameters, and its frequencies in integers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.head.frequencies import Distribution, distribution
from pointillist.engine.program import IntArray, Program
from pointillist.errors import EngineError


class ProgramStepper(ABC):
    """Give the parameters at one sub-pixel after the other, row by row, channel by channel.

    Call `params()`, or `frequencies()` of an integer program, choose a level of the sub-pixel, and pass it to
    `observe()`, until `done`. A second call gives the same bits. A known sub-pixel may be observed without a call.
    Where channels are coupled, the network reads a pixel when all its levels are chosen. Draws, particles, decoding and
    inversion differ in `choose` alone:

        stepper.visit(lambda steps: choose(steps.params()))

    Args:
        program: in floating point or in integers, with `canvas_values`.
        batch: number of images that are sampled together.
        size: height and width of the images; None for the program's own.

    Attributes:
        height, width: size of the images.
        site: the current row, column and channel.
        done: True after the last sub-pixel.
        state: memory of the images, with `select`, `save` and `restore`; see `Buffers`.
        check: called at each new row before anything runs, such as `WeightVersionCheck.check`; None for nothing.

    Raises:
        EngineError: if the program was recorded without `canvas_values`.
    """

    program: Program
    batch: int
    height: int
    width: int
    state: Any

    check: Callable[[], None] | None = None

    def __init__(self, program: Program, batch: int, size: tuple[int, int] | None = None) -> None:
        if not program.canvas_values.size:
            raise EngineError("The program does not know what levels write: record it with `canvas_values`.")
        self.program, self.batch = program, batch
        self.height, self.width = size or (program.height, program.width)
        self.site: tuple[int, int, int] = (0, 0, 0)
        self.done: bool = False
        self._channels = program.canvas.channels // program.canvas_values.shape[1]
        self._coupled = program.num_sub_steps != self._channels
        self._pixel = np.zeros((batch, self._channels), np.int64)
        self._stride = 1
        self._row_begun = False
        self._has_run = False

    @property
    def sub_step(self) -> int:
        """The current part of the site: its channel, or 0 where channels are coupled."""
        return 0 if self._coupled else self.site[2]

    def params(self) -> NDArray[Any]:
        """Compute the parameters `[b, p]` at the current site; only the share of its channel is meaningful.

        Raises:
            EngineError: if the image is complete.
        """
        if not (self._has_run and self._coupled and self.site[2]):  # a coupled pixel has one set of parameters
            self._run()
        return self._read_params()

    def frequencies(self) -> NDArray[np.int64]:
        """Compute the frequencies of the levels `[b, levels]` of an integer program: they sum to `2 ** precision`.

        Raises:
            EngineError: if the image is complete.
        """
        computed: NDArray[np.int64] = self.distribution().frequencies()
        return computed

    def distribution(self) -> Distribution:
        """Compute the distribution of the current sub-pixel of each image, of an integer program.

        Raises:
            EngineError: if the image is complete.
        """
        return self._distribution(self.params(), self._pixel, self.site[2])

    def visit(self, choose: Callable[[ProgramStepper], IntArray], row: int | None = None) -> None:
        """Choose and observe the level `[b]` of one sub-pixel after the other: of a row, or of all that are left."""
        while not self.done and row in (None, self.site[0]):
            self.observe(choose(self))

    def observe(self, levels: IntArray) -> None:
        """Take the level `[b]` of the current sub-pixel of each image, and move to the next one.

        Raises:
            EngineError: if the image is complete.
        """
        channel, last = self.site[2], self.site[2] == self._channels - 1
        self._pixel[:, channel] = levels
        if not self._has_run and (last or not self._coupled):
            self._run()
        values = self.program.canvas_values
        if not self._coupled:
            self._write(values[self._pixel[:, channel]], channel * self.program.canvas_width)
        elif last:
            self._write(values[self._pixel].reshape(self.batch, -1), 0)
        if last:
            self._run_post_draw()
        self._advance()

    def select(self, indices: IntArray) -> None:
        """Copy states: image i continues from the history of image `indices[i]`.

        Conditions are not copied, so only images of the same condition may be exchanged.

            stepper.select(np.array([0, 0, 2]))  # the second of three images becomes a copy of the first
        """
        self._pixel = self._pixel[indices]
        self.state.select(indices)

    def save(self) -> Any:
        """Save the state at the beginning of a row, for `restore`."""
        return self.site, self._stride, self.state.save()

    def restore(self, state: Any) -> None:
        """Return to a saved state; it may be restored any number of times."""
        self.site, self._stride, arrays = state
        self._row_begun = self._has_run = self.done = False
        self.state.restore(arrays)

    def _run(self) -> None:
        if self.done:
            raise EngineError("The image is complete: there is no site left.")
        if not self._row_begun:
            if self.check is not None:
                self.check()
            self._run_row()
            self._row_begun = True
        self._run_sub_step()
        self._has_run = True

    def _advance(self) -> None:
        row, column, channel = self.site
        channel += 1
        if not self._coupled or channel == self._channels:
            self._has_run = False
        if channel == self._channels:
            column, channel = column + self._stride, 0
        if not 0 <= column < self.width:
            row += 1
            self._stride = -1 if self.program.s_curve and row % 2 else 1
            column = 0 if self._stride > 0 else self.width - 1
            self._row_begun = False
        self.site = (row, column, channel)
        self.done = row == self.height

    def _distribution(self, params: NDArray[Any], pixels: NDArray[np.int64], channel: int) -> Distribution:
        """Compute the distribution of a channel from the parameters `[b, p]` and the levels so far `[b, c]`."""
        return distribution(self.program.head, params, pixels, channel)

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
