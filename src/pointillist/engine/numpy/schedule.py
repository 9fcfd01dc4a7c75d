"""Run the instructions of a program in order: over whole maps, where the data flow allows it, or site by site."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Generic, TypeVar

from pointillist.engine.arithmetic import Array
from pointillist.engine.buffers import Buffers, Call, Region
from pointillist.engine.program import FeatureMap, Instruction, Phase, Program, Value

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
    return None if region.is_empty else region


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
