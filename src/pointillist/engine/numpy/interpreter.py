"""Run a program in numpy, site by site or over whole images: available everywhere, the reference for other engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.arithmetic import Array
from pointillist.engine.batch import check_batch_memory, prepare_inputs
from pointillist.engine.buffers import Buffers, Region, bytes_of_image
from pointillist.engine.numpy.schedule import Operations, RowCalls, run_part, run_whole
from pointillist.engine.opcodes import OPCODES
from pointillist.engine.program import IntArray, Program
from pointillist.engine.stepper import ProgramStepper

OPERATIONS: Operations[Any] = {name: opcode.bind for name, opcode in OPCODES.items()}


class Interpreter(ProgramStepper):
    """Step through an image in numpy.

        stepper = Interpreter(program, batch=2, inputs={"label": vectors})  # vectors: [2, d]

    Args:
        program: in floating point, from `record`, or in integers.
        batch: number of images that are sampled together.
        inputs: conditions by key; see `prepare_inputs`.
        size: height and width of the images; None for the size of the program.

    Raises:
        EngineError: if the memory does not suffice, or an input does not fit.
    """

    _operations: Operations[Any] = OPERATIONS

    def __init__(
        self,
        program: Program,
        batch: int,
        inputs: Mapping[str, NDArray[Any]] | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(program, batch, size)
        self._buffers = self._allocate(inputs or {})
        self._calls = RowCalls(self._buffers, self._operations)
        run_part(self._buffers, self._operations, program.per_image, 0, 1)

    def _allocate(self, inputs: Mapping[str, NDArray[Any]]) -> Buffers:
        return allocate(self.program, self.batch, (self.height, self.width), inputs, "site")

    def _run_row(self) -> None:
        row = self.site[0]
        self._buffers.begin(row)
        self._buffers.shift(row)
        self._calls.run(self.program.per_row, row, None)

    def _run_sub_step(self) -> None:
        row, column, _ = self.site
        self._calls.run(self.program.sub_steps[self.sub_step], row, column)

    def _run_post_draw(self) -> None:
        row, column, _ = self.site
        self._calls.run(self.program.post_draw, row, column)

    def _read_params(self) -> NDArray[Any]:
        return np.array(self._params())

    def _params(self) -> Array:
        """Return the parameters `[b, p]` at the current site, as an array of the buffers."""
        params = self._buffers.read(self.program.params, Region.of_site(0, self.site[1]))
        return params.reshape(self.batch, -1)

    def _write(self, values: Array, first: int) -> None:
        site = self._buffers.sites(self.program.canvas, Region.of_site(0, self.site[1]))
        site[:, 0, 0, first : first + self.program.canvas_width] = values

    def _select(self, indices: Array) -> None:
        self._buffers.select(indices)

    def _save(self) -> Any:
        return self._buffers.save()

    def _restore(self, arrays: Any) -> None:
        self._buffers.restore(arrays)


def allocate(
    program: Program,
    batch: int,
    size: tuple[int, int],
    inputs: Mapping[str, NDArray[Any]] | None = None,
    held: Literal["image", "site"] = "image",
) -> Buffers:
    """Allocate the arrays of a run over images of a size.

    Raises:
        EngineError: if the memory does not suffice, or an input does not fit.
    """
    height, width = size
    check_batch_memory(batch * bytes_of_image(program, height, width, held), batch, height, width)
    return Buffers(program, batch, height, width, prepare_inputs(program, batch, inputs or {}, size), held=held)


def whole_params(program: Program, levels: IntArray, inputs: Mapping[str, IntArray]) -> NDArray[np.int32]:
    """Compute the parameters `[b, h, w, p]` of an integer program at every site of complete images at once.

    Args:
        levels: `[b, c, h, w]`, in the raster frame.
        inputs: conditions by name; see `prepare_inputs`.
    """
    batch, _, height, width = levels.shape
    buffers = allocate(program, batch, (height, width), inputs)
    canvas = program.canvas_values[levels.transpose(0, 2, 3, 1)].reshape(batch, height, width, -1)
    params = run_whole(buffers, OPERATIONS, canvas)
    return np.array(np.broadcast_to(params, (batch, height, width, program.params.channels)))
