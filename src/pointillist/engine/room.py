"""Whether what an engine needs fits in memory: asked before it is taken, so that a large job ends in a sentence."""

from __future__ import annotations

from pointillist.engine.program import Level, Program
from pointillist.errors import EngineError
from pointillist.machine import available_bytes


def check_room(needed: int, batch: int, height: int, width: int) -> None:
    """Refuse to take more bytes than are free.

    Raises:
        EngineError: naming both numbers, and the remedy.
    """
    free = available_bytes()
    if free is not None and needed > free:
        raise EngineError(
            f"Painting {batch} images of {height}x{width} at once needs {needed / 2**30:,.1f} GiB of "
            f"memory, and {free / 2**30:,.1f} GiB are free: lower `batch_size` or the size."
        )


def interpreter_bytes(program: Program, batch: int) -> int:
    """What the arrays of the interpreter take, if no buffer is used twice."""
    numbers = 0
    for kept in program.maps:
        sites = kept.left + -(-program.width // kept.scale) + kept.right
        numbers += (kept.up + 1) * sites * kept.channels
    numbers += sum(memory.sites * memory.channels for memory in program.memories)
    for given in program.givens.values():
        numbers += given.channels * (1 if given.kind == "vector" else program.height * program.width)
    values = {view.value for _, part in program.parts() for i in part for view in i.views}
    numbers += sum(v.channels * (program.width if v.level == Level.ROW else 1) for v in values)
    return batch * numbers * program.dtype.itemsize
