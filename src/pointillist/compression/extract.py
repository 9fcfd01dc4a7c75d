"""Write the pictures of an archive, from a file or a pipe, as files or as one array."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pointillist.compression.archive import Archive
from pointillist.compression.container import BinaryFile, Header
from pointillist.compression.files import as_array, names_of
from pointillist.compression.models import find_folder, image_of
from pointillist.compression.pictures import PictureFile, save_picture, to_picture
from pointillist.compression.reader import OnShare, Part, stream
from pointillist.engine.program import IntArray
from pointillist.errors import ArchiveError
from pointillist.files.writing import atomic_path


@dataclass
class Extraction:
    """Result of unpacking an archive.

    Attributes:
        written: number of pictures; a large one of which a tile is lost has level 0 there.
        lost: number of pictures that are damaged as a whole, as far as it is known.
        damage: why.
    """

    written: int = 0
    lost: int = 0
    damage: list[ArchiveError] = field(default_factory=list)


def extract(
    source: Path | BinaryFile,
    out: Path,
    model: str | Path | None = None,
    *,
    salvage: bool = False,
    threads: int = 1,
    start: int = 0,
    on_image: Callable[[int], None] | None = None,
    on_share: OnShare | None = None,
) -> Extraction:
    """Write the pictures of an archive.

    Args:
        source: an archive, or a pipe that gives one.
        out: a folder for PNG files, or `NAME.npz` for the array `x`, `[n, h, w]` or `[n, h, w, c]`.
        model: folder or name of the model; None for the bundled one that has the fingerprint.
        salvage: go on after damage.
        threads: threads that share the work.
        start: number of pictures that are written already, of an archive that is a file.
        on_image: called with the number of pictures that are written.
        on_share: shows the progress within a large picture.

    Raises:
        ArchiveError: for a damaged archive, unless it is salvaged, or another model; the pictures before are written.
        DataError: if the pictures cannot be written so.

    Example:
        ```python
        extract(Path("scans.pxl"), Path("scans"))
        ```
    """
    result = Extraction(written=start)
    writer: _Writer | None = None
    metadata: dict[str, Any] = {}
    for event in _events(source, model, threads, start, on_share):
        if isinstance(event, Header):
            writer = _Writer(out, model, event)
        elif isinstance(event, dict):
            metadata |= event
        elif isinstance(event, ArchiveError):
            result.damage.append(event)
        else:
            assert writer is not None
            if event.error is not None:
                result.damage.append(event.error)
                result.lost += event.count if event.decoded is None else 0
            show = event.decoded is not None and (event.error is None or salvage)
            for number, levels in enumerate(event.decoded.levels if show and event.decoded else (), start=event.first):
                if number < start:
                    continue
                writer.write(number, levels, metadata)
                result.written += 1
                if on_image is not None:
                    on_image(result.written)
        if result.damage and not salvage:
            raise result.damage[0]
    if writer is not None:
        writer.finish(metadata)
        result.lost = max(result.lost, len(names_of(metadata) or ()) - result.written)
    return result


class _Writer:
    """Writes files at once, or an array at the end."""

    def __init__(self, out: Path, model: str | Path | None, header: Header) -> None:
        self._image = image_of(find_folder(header.fingerprint, model))
        self._out = out
        self._array: list[IntArray] | None = [] if out.suffix.lower() == ".npz" else None
        self._files: list[PictureFile] | None = None

    def write(self, number: int, levels: IntArray, metadata: dict[str, Any]) -> None:
        if self._array is not None:
            self._array.append(levels.astype(np.uint8 if self._image.levels <= 256 else np.uint16))
            return
        if self._files is None:
            self._files = names_of(metadata) or []
        named = number < len(self._files)
        white = self._image.min_is_white
        unnamed = PictureFile(f"{number:06}.png", "", min_is_white=white, clear=white)
        file = self._files[number] if named else unnamed
        path = self._out / file.name
        path = path if path.suffix.lower() == ".png" else path.with_name(path.name + ".png")
        with atomic_path(path) as temporary:
            save_picture(to_picture(levels, self._image, file), temporary, file)

    def finish(self, metadata: dict[str, Any]) -> None:
        if self._array is not None:
            with atomic_path(self._out) as temporary, temporary.open("wb") as file:
                np.savez_compressed(file, x=as_array(self._array, self._image, metadata))


def _events(
    source: Path | BinaryFile, model: str | Path | None, threads: int, start: int, on_share: OnShare | None
) -> Iterator[Header | dict[str, Any] | Part | ArchiveError]:
    if not isinstance(source, Path):
        yield from stream(source, "Standard input", model, threads, on_share)
        return
    archive = Archive(source, model, threads=threads)
    yield archive.header
    yield archive.metadata
    yield from archive.parts(start, on_share)
    if archive.damage is not None:
        yield archive.damage
