"""Step through the frequencies of one sub-pixel after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import IntArray
from pointillist.engine.stepper import ProgramStepper

FrequenciesOf = Callable[[NDArray[Any], NDArray[np.int64], int], NDArray[np.int64]]


class IntegerSteps:
    """The frequencies of one sub-pixel after the other, in generation order.

    A stepper of an integer program gives the parameters of a sub-step; where channels are coupled it has all channels.

    Args:
        stepper: at the first pixel.
        frequencies: computes those of a channel from the parameters `[b, p]` and the levels so far, `[b, c]`.

    Attributes:
        site: row, column (of the raster frame) and channel of the current sub-pixel.
        done: True after the last one.
    """

    def __init__(self, stepper: ProgramStepper, frequencies: FrequenciesOf) -> None:
        self.program, self.batch, self._stepper = stepper.program, stepper.batch, stepper
        self._frequencies = frequencies
        self._head = stepper.program.head
        self._coupled = self.program.num_sub_steps != self._head.channels
        self._pixel = np.zeros((self.batch, self._head.channels), np.int64)
        self._channel = 0

    @property
    def site(self) -> tuple[int, int, int]:
        """Row, column and channel of the current sub-pixel."""
        row, column, step = self._stepper.site
        return (row, column, self._channel if self._coupled else step)

    @property
    def done(self) -> bool:
        """True after the last sub-pixel."""
        return self._stepper.done

    def frequencies(self) -> NDArray[np.int64]:
        """Return the frequencies of the levels `[b, levels]`; they sum to `2 ** precision`."""
        return self._frequencies(self._stepper.params(), self._pixel, self.site[2])

    def observe(self, levels: IntArray) -> None:
        """Take the level of the current sub-pixel of each image, `[b]`, and move to the next one."""
        channel = self.site[2]
        self._pixel[:, channel] = levels
        self._channel = (channel + 1) % self._head.channels
        if not self._coupled:
            self._stepper.observe(self._head.canvas_values[levels])
        elif self._channel == 0:
            self._stepper.observe(self._head.canvas_values[self._pixel].reshape(self.batch, -1))

    def select(self, indices: NDArray[np.int64]) -> None:
        """Copy states: image i continues from the history of image `indices[i]`, under the same condition.

        Raises:
            EngineError: if there is not one index for each image.
        """
        self._stepper.select(indices)
        self._pixel = self._pixel[indices]

    def save(self) -> Any:
        """Save the state at the beginning of a row, for `restore`.

        Raises:
            EngineError: in the middle of a row.
        """
        return self._stepper.save(), self._pixel.copy()

    def restore(self, state: Any) -> None:
        """Return to a saved state; it may be restored any number of times."""
        stepper, pixel = state
        self._stepper.restore(stepper)
        self._pixel, self._channel = pixel.copy(), 0
