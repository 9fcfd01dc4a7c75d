"""Run a program in numpy: available everywhere, the reference for other engines.

The instructions run in order: over whole maps, where the data flow allows it, or site by site.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, Generic, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.arithmetic import Array
from pointillist.engine.batch import check_batch_memory, prepare_inputs
from pointillist.engine.buffers import Buffers, Call, Region, bytes_of_image
from pointillist.engine.opcodes import OPCODES
from pointillist.engine.program import FeatureMap, Instruction, IntArray, Phase, Program, Value
from pointillist.engine.stepper import ProgramStepper

BuffersT = TypeVar("BuffersT", bound=Buffers)
Operations = Mapping[str, Callable[[BuffersT, Instruction, Region], Call]]
"""What binds each instruction to a region of its grid, by the name of its opcode; see `Opcode.bind`."""


def whole_order(program: Program) -> list[Instruction] | None:
    """Sort the instructions after phase IMAGE so that each follows what it reads; the canvas is known.

    Returns:
        The instructions, or None for a recurrence: a map that is read before it is written.
    """
    code = [*program.per_row, *program.per_site, *program.post_draw]
    makers: dict[Value | FeatureMap | None, list[int]] = {}
    for index, i in enumerate(code):
        makers.setdefault(i.map if i.output is None else i.output.value, []).append(index)
    graph: dict[int, list[int]] = {}
    for index, i in enumerate(code):
        sources: list[Value | FeatureMap] = [view.value for view in i.inputs]
        if i.output is not None and i.map is not None:
            sources.append(i.map)
        graph[index] = [maker for source in sources for maker in makers.get(source, ())]
    try:
        return [code[index] for index in TopologicalSorter(graph).static_order()]
    except CycleError:
        return None


def run_whole(buffers: BuffersT, operations: Operations[BuffersT], canvas: Array) -> Array:
    """Run a program over complete images, the canvas `[b, h, w, c]`, and return its parameters.

    All instructions run over whole maps at once, or, for a recurrence, site by site.

    Returns:
        `[b, h, w, p]`, or `[b, 1, 1, p]` where the parameters are the same at every site.
    """
    program, height, width = buffers.program, buffers.height, buffers.width
    everywhere = Region.of_rows(0, height, width)
    buffers.sites(program.canvas, everywhere)[...] = canvas
    run_part(buffers, operations, program.per_image, 0, height)
    order = whole_order(program)
    if order is not None:
        run_part(buffers, operations, order, 0, height)
        return buffers.read(program.params, everywhere)
    for row in range(height):
        run_part(buffers, operations, program.per_row, row, row + 1)
        for column in range(width)[:: -1 if program.s_curve and row % 2 else 1]:
            run_part(buffers, operations, program.per_site, row, row + 1, column)
            run_part(buffers, operations, program.post_draw, row, row + 1, column)
    return buffers.read(program.params, everywhere)


def whole_grid(program: Program, canvas: IntArray) -> IntArray:
    """Return the map `[b, h, w, m]` that the program of a grid computes of a canvas `[b, h, w, c]`."""
    batch, height, width, _ = canvas.shape
    result: IntArray = run_whole(Buffers(program, batch, height, width, {}), OPERATIONS, canvas)
    return result


def run_part(
    buffers: BuffersT,
    operations: Operations[BuffersT],
    part: Sequence[Instruction],
    row: int,
    stop: int,
    column: int | None = None,
) -> None:
    """Run instructions over rows of the image, or at a site."""
    for i in part:
        region = region_of(i, row, stop, buffers.width, column)
        if region is not None:
            operations[i.opcode](buffers, i, region)()


def region_of(instruction: Instruction, row: int, stop: int, width: int, column: int | None = None) -> Region | None:
    """Return where an instruction runs within rows of the image, or at one site; None for nowhere.

    Args:
        row, stop: rows of the image.
        width: of the image.
        column: of the site, or None for whole rows.
    """
    scale = instruction.scale
    if column is None:
        region = Region.of_rows(-(-row // scale), -(-stop // scale), -(-width // scale))
    elif row % scale or column % scale:
        return None
    else:
        region = Region.of_site(row // scale, column // scale)
    if instruction.phase != Phase.IMAGE:
        region = region.from_row(instruction.first_row)
    if instruction.row_parity is not None:
        region = region.with_parity(instruction.row_parity)
    return region if region.rows.start < region.rows.stop else None


class RowCalls(Generic[BuffersT]):
    """The calls of a program in the current row of buffers that hold no whole images. Each is bound once.

    ```python
    calls.run(program.per_row, row, None)
    calls.run(program.per_site, row, column)
    ```
    """

    def __init__(self, buffers: BuffersT, operations: Operations[BuffersT]) -> None:
        self._buffers, self._operations = buffers, operations
        self._bound: dict[tuple[Instruction, int | None], Call] = {}
        self._parts: dict[tuple[int, int, int | None], list[Call]] = {}

    def run(self, part: Sequence[Instruction], row: int, column: int | None) -> None:
        """Run a part in a row: at a column, or at all columns together where column is None.

        Args:
            part: instructions, always the same object.
        """
        key = (id(part), kind_of_row(self._buffers.program, row), column)
        if key not in self._parts:
            self._parts[key] = list(self._bind(part, row, column))
        for call in self._parts[key]:
            call()

    def _bind(self, part: Sequence[Instruction], row: int, column: int | None) -> Iterator[Call]:
        for i in part:
            region = region_of(i, row, row + 1, self._buffers.width, column)
            if region is not None:
                if (i, column) not in self._bound:  # it does not depend on the row
                    self._bound[i, column] = self._operations[i.opcode](self._buffers, i, region)
                yield self._bound[i, column]


def kind_of_row(program: Program, row: int) -> int:
    """Return the kind of a row. Rows of one kind are the same work; each of the first rows is a separate kind."""
    first = program.first_repeated_row
    return row if row < first else first + (row - first) % program.period


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
        self.state: Buffers = self._allocate(inputs or {})
        self._calls = RowCalls(self.state, self._operations)
        run_part(self.state, self._operations, program.per_image, 0, 1)

    def _allocate(self, inputs: Mapping[str, NDArray[Any]]) -> Buffers:
        return allocate(self.program, self.batch, (self.height, self.width), inputs, "site")

    def _run_row(self) -> None:
        row = self.site[0]
        self.state.begin(row)
        self.state.shift(row)
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
        params = self.state.read(self.program.params, Region.of_site(0, self.site[1]))
        return params.reshape(self.batch, -1)

    def _write(self, values: Array, first: int) -> None:
        site = self.state.sites(self.program.canvas, Region.of_site(0, self.site[1]))
        site[:, 0, 0, first : first + self.program.canvas_width] = values


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
