"""Run the instructions of a program in order: over whole maps, where the data flow allows it, or site by site."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar

from pointillist.engine.integer.numpy.frames import Frames, Region
from pointillist.engine.program import Phase

FramesT = TypeVar("FramesT", bound=Frames)
Operations = Mapping[str, Callable[[FramesT, Any, Region], None]]
"""What runs each instruction over a region of its grid, by the name of its opcode."""


def whole_order(program: Any) -> list[Any] | None:
    """Sort the instructions after phase IMAGE so that each follows what it reads; the canvas is known.

    Returns:
        The instructions, or None for a recurrence: a map that is read before it is written.
    """
    code = [*program.per_row, *program.per_site, *program.post_draw]
    makers: dict[Any, list[int]] = {}
    for index, i in enumerate(code):
        made = i.map if i.output is None else i.output.value
        makers.setdefault(made, []).append(index)
    graph: dict[int, list[int]] = {}
    for index, i in enumerate(code):
        sources: list[Any] = [view.value for view in i.inputs]
        if i.output is not None and i.map is not None:
            sources.append(i.map)
        graph[index] = [maker for source in sources for maker in makers.get(source, ())]
    try:
        return [code[index] for index in TopologicalSorter(graph).static_order()]
    except CycleError:
        return None


def runs_by_rows(program: Any) -> bool:
    """Return True if each part may run over whole rows of known images: no site reads a state to its left."""
    stored: set[Any] = {program.canvas}
    for i in (*program.per_row, *program.per_site, *program.post_draw):
        if i.opcode == "STORE":
            stored.add(i.map)
        elif i.opcode == "GATHER" and any(dy == 0 for dy, _ in i.taps) and i.map not in stored:
            return False
    return not program.kv_caches


def run_program(frames: FramesT, operations: Operations[FramesT]) -> None:
    """Run a program over images whose canvas is known: whole maps at once, or, for a recurrence, site by site."""
    program, height, width = frames.program, frames.height, frames.width
    run_part(frames, operations, program.per_image, 0, height)
    order = whole_order(program)
    if order is not None:
        run_part(frames, operations, order, 0, height)
        return
    for row in range(height):
        run_part(frames, operations, program.per_row, row, row + 1)
        for column in range(width)[:: -1 if program.s_curve and row % 2 else 1]:
            run_part(frames, operations, program.per_site, row, row + 1, column)
            run_part(frames, operations, program.post_draw, row, row + 1, column)


def run_part(
    frames: FramesT,
    operations: Operations[FramesT],
    part: Sequence[Any],
    row: int,
    stop: int,
    column: int | None = None,
) -> None:
    """Run instructions over rows of the image, or at a site."""
    for i in part:
        region = region_of(i, row, stop, frames.width, column)
        if region is not None:
            operations[i.opcode](frames, i, region)


def region_of(instruction: Any, row: int, stop: int, width: int, column: int | None = None) -> Region | None:
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
