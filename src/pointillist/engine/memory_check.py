"""Whether what an engine needs fits in memory: asked before it is taken, so that a large job ends in a sentence."""

from __future__ import annotations

from pointillist.engine.program import Phase, Program
from pointillist.errors import EngineError
from pointillist.system.hardware import available_bytes


def check_memory(needed: int, batch: int, height: int, width: int, free: int | None = None) -> None:
    """Refuse to take more bytes than are free: of a device, or else of this machine.

    Raises:
        EngineError: naming both numbers, and the remedy.
    """
    free = available_bytes() if free is None else free
    if free is not None and needed > free:
        raise EngineError(
            f"Painting {batch} images of {height}x{width} at once needs {needed / 2**30:,.1f} GiB of "
            f"memory, and {free / 2**30:,.1f} GiB are free: lower `batch_size` or the size."
        )


def program_memory_bytes(program: Program, batch: int, columns: int = 1) -> int:
    """What maps, memories, conditions and values take, if no buffer is used twice.

    Args:
        columns: for how many columns a value at a site is kept; one known a row at a time takes all.
    """
    numbers = 0
    for kept in program.maps:
        sites = kept.left + -(-program.width // kept.scale) + kept.right
        numbers += (kept.up + 1) * sites * kept.channels
    numbers += sum(cache.length * cache.channels for cache in program.kv_caches)
    for condition in program.inputs.values():
        numbers += condition.channels * (1 if condition.kind == "vector" else program.height * program.width)
    values = {view.value for _, part in program.parts() for i in part for view in i.views}
    numbers += sum(v.channels * (program.width if v.phase == Phase.ROW else columns) for v in values)
    return batch * numbers * program.dtype.itemsize
