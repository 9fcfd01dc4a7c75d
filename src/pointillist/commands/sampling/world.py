"""Write a part of a world: rows of chunks, as they are drawn, and then the file in its format.

Levels go into a file next to the output, `.NAME.world`, row of chunks after row. A command that was killed goes on
after the last whole row, and writes the same bytes, because a chunk depends on its coordinates alone. Memory holds some
rows of chunks, however many are written.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.commands.paths import reject_existing
from pointillist.commands.report import Facts
from pointillist.commands.sampling.maps import note_source
from pointillist.commands.sampling.settings import WorldSettings
from pointillist.errors import ConfigError, quote
from pointillist.files.progress import Bar
from pointillist.files.writing import atomic_path, check_disk, exclusive, reject_stream
from pointillist.system import check_memory

if TYPE_CHECKING:
    from pointillist.sampling.worlds import World

ENDINGS = ("tmj", "png", "csv")
_BYTES_OF_TILE = 3  # in a file, and of its level next to it; at least
_ROWS, _AROUND = 6, 8
"""Rows of chunks that later ones may ask for again, and chunks outside of a row that it depends on."""


def world(settings: WorldSettings) -> Facts:
    """Draw a part of a world, and write it."""
    from pointillist.data import parse_size
    from pointillist.sampling.worlds import World

    path = Path(settings.out)
    reject_stream(path)
    form = path.suffix.lower().removeprefix(".")
    if form not in ENDINGS:
        raise ConfigError(f"`--out` (={path}) must end in .tmj, .png or .csv: worlds are written in these formats.")
    at = _parse_at(settings.at)
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
    stored = path.with_name(f".{path.name}.world")
    with exclusive(path.with_name(f".{path.name}.lock"), path):
        contents = _companions(drawn, path, form, settings.force)
        reject_existing(path, settings.force)
        resumed = _draw(drawn, stored, at, (height, width))
        _encode(drawn, stored, path, form, at, (height, width))
        for target, content in contents.items():
            with atomic_path(target) as temporary:
                temporary.write_bytes(content)
        stored.unlink()
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


def _parse_at(text: str) -> tuple[int, int]:
    """Parse the column and the row of the first chunk."""
    numbers = text.split(",")
    try:
        x, y = (int(number) for number in numbers)
    except ValueError:
        raise ConfigError(f"`--at` (={quote(text)}) must be the column and the row of a chunk, such as -3,5.") from None
    return x, y


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


def _header(world: World, at: tuple[int, int], size: tuple[int, int]) -> bytes:
    """Return the first line of the stored levels: all that they depend on."""
    facts: dict[str, Any] = {
        "program": world.model.fingerprint,
        "seed": world.seed,
        "rules": hashlib.sha256(world.rules.model_dump_json().encode()).hexdigest(),
        "label": world.label,
        "chunk": [world.chunk_size, world.margin],
        "at": at,
        "size": size,
    }
    return json.dumps(facts).encode() + b"\n"


def _draw(world: World, stored: Path, at: tuple[int, int], size: tuple[int, int]) -> int:
    """Draw the rows of chunks that are not stored yet; return how many were."""
    header, side = _header(world, at, size), world.chunk_size
    row_bytes = side * side * size[1] * world.dtype(0).itemsize
    stored.parent.mkdir(parents=True, exist_ok=True)
    with stored.open("a+b") as file:
        file.seek(0)
        done = (os.path.getsize(stored) - len(header)) // row_bytes if file.read(len(header)) == header else -1
        done = max(-1, min(done, size[0]))
        if done < 0:
            file.truncate(0)
            file.write(header)
        else:
            file.truncate(len(header) + done * row_bytes)
        done = max(done, 0)
        with Bar("drawing rows of chunks", size[0]) as bar:
            for number in range(done, size[0]):
                bar.show(number)
                row = (at[1] + number) * side
                file.write(world.tiles(row, at[0] * side, side, size[1] * side).tobytes())
                file.flush()
                os.fsync(file.fileno())
    return done


def _encode(world: World, stored: Path, path: Path, form: str, at: tuple[int, int], size: tuple[int, int]) -> None:
    """Write the stored levels in a format, a row of chunks at a time."""
    from pointillist.data.tilemaps import MapFiles
    from pointillist.data.tilemaps.write import STREAMS

    side = world.chunk_size
    start = len(_header(world, at, size))

    def bands() -> Iterator[np.ndarray]:
        with stored.open("rb") as file:
            file.seek(start)
            for _ in range(size[0]):
                yield np.fromfile(file, world.dtype, side * side * size[1]).reshape(side, side * size[1])

    files = MapFiles.of(world.model.image, world.model.tileset, path.parent)
    first, tiles = (at[1] * side, at[0] * side), (size[0] * side, size[1] * side)
    with atomic_path(path) as temporary, temporary.open("wb") as out:
        for part in STREAMS[form](files, bands(), first, tiles):
            out.write(part)
