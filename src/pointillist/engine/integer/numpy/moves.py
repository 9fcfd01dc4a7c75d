"""Operations that move numbers and compute nothing: the same for integers, for floating point, and for tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pointillist.engine.integer.numpy.frames import Frames, Region
from pointillist.engine.program import Phase

Operation = Callable[[Frames, Any, Region], None]
"""Runs an instruction over a region of its grid."""


def copy(frames: Frames, i: Any, region: Region) -> None:
    """Copy: out = x."""
    frames.write(i.output, region, frames.read(i.inputs[0], region))


def store(frames: Frames, i: Any, region: Region) -> None:
    """Store in a map: map[site] = x."""
    frames.sites(i.map, region)[...] = frames.read(i.inputs[0], region)


def gather(frames: Frames, i: Any, region: Region) -> None:
    """Read the channels of a map at each tap, one tap after the other."""
    step, size = i.scale // i.map.scale, i.map.channels
    for index, tap in enumerate(i.taps):
        frames.write(i.output.narrow(index * size, size), region, frames.sites(i.map, region, tap, step))


def upsample(frames: Frames, i: Any, region: Region) -> None:
    """Read a quarter of the channels of the coarse site that covers each site."""
    size = i.output.channels
    for row_parity in range(2):
        for parity in range(2):
            rows, columns = _with_parity(region.rows, row_parity), _with_parity(region.columns, parity)
            if rows is None or columns is None:
                continue
            first = (2 * row_parity + parity) * size
            coarse = frames.sites(i.map, Region(_halved(rows), _halved(columns)))[..., first : first + size]
            frames.write(i.output, Region(rows, columns), coarse)


def _with_parity(part: slice, parity: int) -> slice | None:
    """Return the even or the odd indices of a slice of step 1 or 2; None if it has none."""
    first = next((index for index in range(part.start, part.stop, part.step)[:2] if index % 2 == parity), None)
    return None if first is None else slice(first, part.stop, 2)


def _halved(part: slice) -> slice:
    """Return the coarse indices of the indices of a slice of step 2."""
    start = part.start // 2
    return slice(start, start + (part.stop - 1 - part.start) // 2 + 1, 1)


def shift_down(frames: Frames, i: Any, region: Region) -> None:
    """Copy the value of the row above, which was computed for this row; it is zero at the first row."""
    frames.write(i.output, region, frames.read(i.inputs[0], region))


def read_input(frames: Frames, i: Any, region: Region) -> None:
    """Read a condition: the vector of the image, or the map at each site."""
    condition = frames.inputs[i.key]
    if i.phase != Phase.IMAGE:
        depth = i.first_row
        rows = slice(region.rows.start - depth, region.rows.stop - depth, region.rows.step)
        condition = condition[:, rows, region.columns]
    frames.write(i.output, region, condition)


def store_kv(frames: Frames, i: Any, region: Region) -> None:
    """Store keys and values of each site in the cache."""
    cache = frames.caches[i.map]
    sites = cache.reshape(len(cache), frames.height, frames.width, -1)
    sites[:, region.rows, region.columns] = frames.read(i.inputs[0], region)


MOVES: dict[str, Operation] = {
    "COPY": copy,
    "STORE": store,
    "GATHER": gather,
    "UPSAMPLE": upsample,
    "SHIFT_DOWN": shift_down,
    "INPUT": read_input,
    "STORE_KV": store_kv,
}
