"""Calibration: run a program in floating point on training images, and note the range of every value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import Program, Value
from pointillist.exact.numpy.floating import FLOAT_OPERATIONS
from pointillist.exact.numpy.frames import Frames, Region
from pointillist.exact.numpy.schedule import run_program

Array = NDArray[Any]
SAMPLES = 4096
"""Sites that are kept of each value, for the choice of its grid."""


@dataclass
class Calibration:
    """What was seen of each value.

    Attributes:
        largest: largest magnitude of each channel.
        samples: numbers of some sites, `[sites, c]`.
    """

    largest: dict[Value, Array] = field(default_factory=dict)
    samples: dict[Value, list[Array]] = field(default_factory=dict)

    def note(self, value: Value, array: Array, share: int) -> None:
        """Note an array `[b, h, w, c]` of a value, of which `share` sites are kept."""
        flat = array.reshape(-1, value.channels)
        largest = np.abs(flat).max(axis=0)
        self.largest[value] = np.maximum(self.largest.get(value, largest), largest)
        self.samples.setdefault(value, []).append(flat[:: max(1, len(flat) // share)][:share].copy())

    def of(self, value: Value) -> Array:
        """Return the samples of a value, `[sites, c]`."""
        return np.concatenate(self.samples[value])


def calibrate(program: Program, batches: Sequence[tuple[Array, dict[str, Array]]]) -> Calibration:
    """Run images through a program and note the values.

    Args:
        program: a recorded program.
        batches: canvases `[b, h, w, i]` with the inputs of the program, `[b, 1, 1, c]` or `[b, h, w, c]`.
    """
    found = Calibration()
    parts = (program.per_row, program.per_site, program.post_draw)
    gathered = {i.output.value for part in parts for i in part if i.opcode == "GATHER" and i.output is not None}
    for canvas, inputs in batches:
        height, width = canvas.shape[1:3]
        frames = Frames(program, len(canvas), height, width, inputs, program.dtype)
        frames.sites(program.canvas, Region.of_rows(0, frames.height, frames.width))[...] = canvas
        run_program(frames, FLOAT_OPERATIONS)
        for value, array in frames.values():
            if value in gathered:  # they have the grid of their map
                continue
            found.note(value, array, max(1, SAMPLES // len(batches)))
    return found
