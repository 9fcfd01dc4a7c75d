"""Run an integer program in numpy: over whole maps, or step by step. The reference for all other executors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.integer.numpy.frames import Array, Frames, Region
from pointillist.engine.integer.numpy.schedule import FramesT, Operations, run_part, run_program
from pointillist.engine.integer.opcodes import INTEGER_OPCODES
from pointillist.engine.integer.stepper import IntegerStepper
from pointillist.engine.program import IntArray, Program
from pointillist.errors import EngineError

OPERATIONS = {name: opcode.run for name, opcode in INTEGER_OPCODES.items()}


def open_frames(program: Program, batch: int, height: int, width: int, inputs: Mapping[str, IntArray]) -> Frames:
    """Allocate the arrays of a run, and run what comes before the first row; see `allocate_frames`."""
    frames = allocate_frames(program, batch, height, width, inputs)
    run_part(frames, OPERATIONS, program.per_image, 0, height)
    return frames


def allocate_frames(program: Program, batch: int, height: int, width: int, inputs: Mapping[str, IntArray]) -> Frames:
    """Allocate the arrays of a run.

    Args:
        inputs: integers by name, `[b, c]` of a vector, `[b, h, w, c]` of a map, in the raster frame.

    Raises:
        EngineError: if the inputs are not those of the program.
    """
    arrays = with_sites(program, check_inputs(program, batch, height, width, inputs))
    return Frames(program, batch, height, width, arrays)


def with_sites(program: Any, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return inputs as frames hold them: a vector has one row and one column."""
    return {
        name: array.reshape(len(array), 1, 1, -1) if program.inputs[name].kind == "vector" else array
        for name, array in inputs.items()
    }


def check_inputs(
    program: Program, batch: int, height: int, width: int, inputs: Mapping[str, IntArray]
) -> dict[str, IntArray]:
    """Check the inputs, and return them as 32-bit integers.

    Raises:
        EngineError: if one is missing, unknown, or of another shape.
    """
    if set(inputs) != set(program.inputs):
        raise EngineError(f"The conditions {sorted(inputs)} must be those of the program, {sorted(program.inputs)}.")
    result: dict[str, IntArray] = {}
    for name, expected in program.inputs.items():
        array = np.asarray(inputs[name], np.int32)
        size = () if expected.kind == "vector" else (height, width)
        if array.shape != (batch, *size, expected.channels):
            raise EngineError(
                f"The condition `{name}` has shape {array.shape}, and must have {(batch, *size, expected.channels)}."
            )
        result[name] = array
    return result


def write_levels(frames: Frames, region: Region, levels: Array, first: int = 0) -> None:
    """Write levels `[b, rows, columns, c]` to the canvas, from sub-pixel `first` on."""
    program = frames.program
    values = frames.constant(program.head.canvas_values)[levels].reshape(*levels.shape[:3], -1)
    start = first * program.head.canvas_values.shape[1]
    frames.sites(program.canvas, region)[..., start : start + values.shape[-1]] = values


def whole_params(program: Program, levels: IntArray, inputs: Mapping[str, IntArray]) -> NDArray[np.int32]:
    """Compute the parameters `[b, h, w, p]` at every site of complete images at once.

    Args:
        levels: `[b, c, h, w]`, in the raster frame.
        inputs: conditions by name; see `open_frames`.
    """
    batch, _, height, width = levels.shape
    result = run_whole(allocate_frames(program, batch, height, width, inputs), OPERATIONS, levels.transpose(0, 2, 3, 1))
    return np.array(np.broadcast_to(result, (batch, height, width, program.params.channels)))


def run_whole(frames: FramesT, operations: Operations[FramesT], levels: Array) -> Array:
    """Run a program over complete images, levels `[b, h, w, c]`, and return its parameters.

    Returns:
        `[b, h, w, p]`, or `[b, 1, 1, p]` where the parameters are the same at every site.
    """
    everywhere = Region.of_rows(0, frames.height, frames.width)
    write_levels(frames, everywhere, levels)
    run_program(frames, operations)
    return frames.read(frames.program.params, everywhere)


class NumpyIntegerStepper(IntegerStepper):
    """Step through images in numpy."""

    def __init__(self, program: Program, batch: int, height: int, width: int, inputs: Mapping[str, IntArray]) -> None:
        super().__init__(program, batch, height, width)
        self._frames = open_frames(program, batch, height, width, inputs)

    def select(self, indices: NDArray[Any]) -> None:
        """Copy states: image i continues from the history of image `indices[i]`."""
        self._frames.select(indices)

    def _save(self) -> Any:
        return self._frames.save()

    def _restore(self, arrays: Any) -> None:
        self._frames.restore(arrays)

    def _run_row(self) -> None:
        row = self.site[0]
        run_part(self._frames, OPERATIONS, self.program.per_row, row, row + 1)

    def _run_site(self) -> None:
        row, column, _ = self.site
        run_part(self._frames, OPERATIONS, self.program.per_site, row, row + 1, column)

    def _run_post_draw(self) -> None:
        row, column, _ = self.site
        run_part(self._frames, OPERATIONS, self.program.post_draw, row, row + 1, column)

    def _read_params(self) -> NDArray[np.int32]:
        row, column, _ = self.site
        result = self._frames.read(self.program.params, Region.of_site(row, column))
        return np.array(result.reshape(self.batch, -1))

    def _write(self, levels: IntArray) -> None:
        row, column, step = self.site
        write_levels(self._frames, Region.of_site(row, column), levels[:, None, None], step)
