"""Write a part of a world: rows of chunks, as they are drawn, and then the file in its format.

Levels go into a file next to the output, row of chunks after row; see `batch_output`. A command that was killed goes on
after the last whole row, and writes the same bytes, because a chunk depends on its coordinates alone. Memory holds some
rows of chunks, however many are written.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pointillist.commands.paths import reject_existing
from pointillist.commands.report import Facts
from pointillist.commands.sampling.maps import note_source
from pointillist.commands.sampling.resumable import LEVELS
from pointillist.commands.sampling.settings import WorldSettings
from pointillist.errors import ConfigError
from pointillist.files.batch_output import BatchOutput, batch_output
from pointillist.files.progress import Bar
from pointillist.files.writing import atomic_path, check_disk
from pointillist.system import check_memory

if TYPE_CHECKING:
    from pydantic import JsonValue

    from pointillist.sampling.worlds import World

ENDINGS = ("tmj", "png", "csv")
_BYTES_OF_TILE = 3  # in a file, and of its level next to it; at least
_ROWS, _AROUND = 6, 8
"""Rows of chunks that later ones may ask for again, and chunks outside of a row that it depends on."""


def world(settings: WorldSettings) -> Facts:
    """Draw a part of a world, and write it."""
    from pointillist.data.options import parse_pair, parse_size
    from pointillist.sampling.worlds import World

    path = Path(settings.out)
    form = path.suffix.lower().removeprefix(".")
    if form not in ENDINGS:
        raise ConfigError(f"`--out` (={path}) must end in .tmj, .png or .csv: worlds are written in these formats.")
    at = parse_pair("--at", settings.at, int, "the column and the row of a chunk, such as -3,5")
    height, width = parse_size(settings.size)
    bytes_of_row = width * settings.chunk**2 * _BYTES_OF_TILE
    check_disk(path, height * bytes_of_row)
    check_memory(_ROWS * bytes_of_row, f"Rows of {width:,} chunks", "choose a smaller `size`")
    drawn = World(
        settings.model,
        settings.seed,
        settings.rules,
        label=settings.label,
        chunk_size=settings.chunk,
        remembered=_ROWS * (width + _AROUND),
    )
    started = time.perf_counter()
    contents = _companions(drawn, path, form, settings.force)
    reject_existing(path, settings.force)
    with batch_output(path, _record(drawn, at, (height, width)), restart=settings.force) as output:
        resumed = _draw(drawn, output, at, (height, width))
        _encode(drawn, output.folder / LEVELS, path, form, at, (height, width))
        for target, content in contents.items():
            with atomic_path(target) as temporary:
                temporary.write_bytes(content)
        output.discard()
    seconds = time.perf_counter() - started
    return {
        "chunks": height * width,
        "at": list(at),
        "size": [height * settings.chunk, width * settings.chunk],
        "seed": settings.seed,
        "resumed": resumed,
        "seconds": round(seconds, 3),
        "tiles_per_second": round((height - resumed) * width * settings.chunk**2 / seconds),
        "out": str(path),
    }


def _companions(world: World, path: Path, form: str, force: bool) -> dict[Path, bytes]:
    """Return files that the output needs next to it, and that are not there yet."""
    from pointillist.data.tilemaps import MapFiles

    result = {}
    files = MapFiles.of(world.model.image, world.model.tileset, path.parent)
    note_source(form, world.model.image, world.model.tileset, path.parent)
    for name, content in files.companions(form).items():
        target = path.with_name(name)
        if not target.exists() or target.read_bytes() != content:
            reject_existing(target, force)
            result[target] = content
    return result


def _record(world: World, at: tuple[int, int], size: tuple[int, int]) -> dict[str, JsonValue]:
    """List all that the levels depend on."""
    return {
        "command": "world",
        "model": world.model.fingerprint,
        "seed": world.seed,
        "rules": hashlib.sha256(world.rules.model_dump_json().encode()).hexdigest(),
        "label": world.label,
        "chunk": [world.chunk_size, world.margin],
        "at": list(at),
        "size": list(size),
    }


def _draw(world: World, output: BatchOutput, at: tuple[int, int], size: tuple[int, int]) -> int:
    """Draw the rows of chunks that are not stored yet; return how many were."""
    side, resumed = world.chunk_size, output.keep(1)
    row_bytes = side * side * size[1] * world.dtype(0).itemsize
    with Bar("drawing rows of chunks", size[0]) as bar:
        for number in range(resumed, size[0]):
            bar.show(number)
            levels = world.tiles((at[1] + number) * side, at[0] * side, side, size[1] * side)
            output.extend(LEVELS, number * row_bytes, levels.tobytes())
            output.append([number])
    return resumed


def _encode(world: World, stored: Path, path: Path, form: str, at: tuple[int, int], size: tuple[int, int]) -> None:
    """Write the stored levels in a format, a row of chunks at a time."""
    from pointillist.data.tilemaps import MapFiles
    from pointillist.data.tilemaps.write import STREAMS

    side = world.chunk_size

    def bands() -> Iterator[np.ndarray]:
        with stored.open("rb") as file:
            for _ in range(size[0]):
                yield np.fromfile(file, world.dtype, side * side * size[1]).reshape(side, side * size[1])

    files = MapFiles.of(world.model.image, world.model.tileset, path.parent)
    first, tiles = (at[1] * side, at[0] * side), (size[0] * side, size[1] * side)
    with atomic_path(path) as temporary, temporary.open("wb") as out:
        for part in STREAMS[form](files, bands(), first, tiles):
            out.write(part)
