"""Calibration: run a program in floating point on training images, and note the range of every value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.buffers import Buffers
from pointillist.engine.numpy.interpreter import OPERATIONS
from pointillist.engine.numpy.schedule import run_whole
from pointillist.engine.program import Program, Value

Array = NDArray[Any]


def calibrate(program: Program, batches: Sequence[tuple[Array, dict[str, Array]]]) -> dict[Value, Array]:
    """Run images through a program, and return the largest magnitude of each channel of every value.

    Args:
        program: a recorded program.
        batches: canvases `[b, h, w, i]` with the inputs of the program, `[b, 1, 1, c]` or `[b, h, w, c]`.
    """
    largest: dict[Value, Array] = {}
    parts = (program.per_row, program.per_site, program.post_draw)
    gathered = {i.output.value for part in parts for i in part if i.opcode == "GATHER" and i.output is not None}
    for canvas, inputs in batches:
        height, width = canvas.shape[1:3]
        buffers = Buffers(program, len(canvas), height, width, inputs)
        run_whole(buffers, OPERATIONS, canvas)
        for value, array in buffers.values():
            if value in gathered:  # they have the grid of their map
                continue
            result = np.abs(array).reshape(-1, value.channels).max(axis=0)
            largest[value] = np.maximum(largest.get(value, result), result)
    return largest
