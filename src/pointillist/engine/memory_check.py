"""Check that an engine's memory fits before it is allocated, so that a large job ends in a clear error."""

from __future__ import annotations

from pointillist.engine.program import Phase, Program
from pointillist.errors import EngineError
from pointillist.system import available_bytes


def check_memory(needed: int, batch: int, height: int, width: int, free: int | None = None) -> None:
    """Check that a number of bytes is free.

    Args:
        needed: bytes.
        batch, height, width: number and size of the images, for the message.
        free: free bytes of a device; None for those of this machine.

    Raises:
        EngineError: naming both numbers, and the remedy.
    """
    free = available_bytes() if free is None else free
    if free is not None and needed > free:
        raise EngineError(
            f"Painting {batch} images of {height}x{width} at once needs {needed / 2**30:,.1f} GiB of "
            f"memory, and {free / 2**30:,.1f} GiB are free: {_fitting(needed, batch, height, width, free)}."
        )


def _fitting(needed: int, batch: int, height: int, width: int, free: int) -> str:
    """Name what would fit, where memory is proportional to the pixels."""
    images = batch * free // needed
    if images >= 1:
        return f"`batch_size={images}` would fit"
    share = (batch * free / needed) ** 0.5
    return f"one image of `size={max(1, int(height * share))}x{max(1, int(width * share))}` would fit"


def program_memory_bytes(program: Program, batch: int, columns: int = 1) -> int:
    """Count the bytes of feature maps, KV caches, conditions and values, without reuse of any buffer.

    Args:
        batch: images sampled together.
        columns: for how many columns the value of a site is kept. A value of the row phase takes all columns.
    """
    numbers = 0
    for feature_map in program.maps:
        sites = feature_map.left + -(-program.width // feature_map.scale) + feature_map.right
        numbers += (feature_map.up + 1) * sites * feature_map.channels
    numbers += sum(cache.length * cache.channels for cache in program.kv_caches)
    for condition in program.inputs.values():
        numbers += condition.channels * (1 if condition.kind == "vector" else program.height * program.width)
    values = {view.value for _, part in program.parts() for i in part for view in i.views}
    numbers += sum(v.channels * (program.width if v.phase == Phase.ROW else columns) for v in values)
    return batch * numbers * program.dtype.itemsize
