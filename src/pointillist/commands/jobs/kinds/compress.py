"""Compress many pictures: each item is a record of the archive; one with a picture that cannot be coded is rejected.

A picture that is larger than a tile has an item for each of its tiles, as it has a record for each.
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pointillist.commands.archives import CompressSettings
from pointillist.commands.jobs.base import Arrays, JobKind, JobSettings, files_digest
from pointillist.commands.settings import argument, sampling_option

if TYPE_CHECKING:
    from pointillist.commands.jobs.folder import Parts
    from pointillist.compression.container import Record
    from pointillist.compression.pictures import PictureFile
    from pointillist.engine.program import IntArray


@dataclass(frozen=True, kw_only=True)
class CompressJobSettings(JobSettings, CompressSettings):
    """Settings of a job that compresses pictures: the options of `pointillist compress`, for a folder.

    Attributes:
        images: a folder of pictures.
        per_record: pictures of a record, which is one item; None for as many as have 32,768 sub-pixels.
        batch_size: records that are decoded in lockstep.
    """

    left_out: ClassVar[frozenset[str]] = frozenset({"files", "out", "force", "as_json"})
    files: tuple[Path, ...] = ()
    out: str = ""

    images: str = argument("IMAGES", "A folder of pictures.")
    batch_size: Any = sampling_option(2, "N", "Records computed at once.", low=1)


class CompressJob(JobKind):
    """Code the pictures of each record; see `pointillist.compress`."""

    count: int
    skipped: dict[str, str]

    Settings: ClassVar[type[CompressJobSettings]] = CompressJobSettings
    needs_torch = False

    def __init__(self, settings: CompressJobSettings) -> None:
        from pointillist.compression.api import resolve_labels
        from pointillist.compression.files import list_inputs
        from pointillist.compression.models import as_integer_model, image_of
        from pointillist.compression.writer import header_of, make_codec
        from pointillist.errors import ConfigError

        if settings.device != "cpu":
            raise ConfigError("`device` does not go with compression, which works in integers: leave it.")
        integer_model, self._image = as_integer_model(settings.model), image_of(settings.model)
        label = resolve_labels(integer_model, settings.label, 1)
        self._label, self._verify = None if label is None else label[0], settings.verify
        self._files = list_inputs([Path(settings.images)])
        sizes = [_size(path) for path, _ in self._files]
        largest = max((max(size) for size in sizes if size is not None), default=0)
        self._codec = make_codec(integer_model, settings.order, label is not None, largest)
        self._items = _plan(sizes, integer_model.channels, settings.per_record, self._codec.side)
        self._large: tuple[int, IntArray, PictureFile] | None = None
        self.count, self.skipped = len(self._items), {}
        self.facts: dict[str, Any] = {
            "fingerprint": integer_model.fingerprint,
            "header": header_of(self._codec).hex(),
            "name": settings.model,
            "images": files_digest([path for path, _ in self._files]),
        }

    def compute(self, start: int, stop: int) -> Arrays:
        """Code some records; their contents are base64, and the files JSON."""
        import numpy as np

        result = [
            self._record(pictures) if tile is None else self._tile(pictures.start, tile)
            for pictures, tile in self._items[start:stop]
        ]
        shapes = [
            (coded.kind, coded.count, *(coded.size or (0, 0)), -1 if coded.tile is None else coded.tile)
            for coded, _ in result
        ]
        return {
            "content": np.array([b64encode(coded.content) for coded, _ in result], np.bytes_),
            "shape": np.array(shapes),
            "files": np.array([json.dumps([file.to_json() for file in files]) for _, files in result], np.str_),
        }

    def _record(self, pictures: slice) -> tuple[Record, list[PictureFile]]:
        """Code pictures of one size."""
        import numpy as np

        from pointillist.compression.pictures import read_levels
        from pointillist.compression.writer import encode_records

        read = [read_levels(path, name, self._image) for path, name in self._files[pictures]]
        levels = np.stack([levels for levels, _ in read])
        (coded,) = encode_records(self._codec, levels, [self._label] * len(read), [slice(None)], verify=self._verify)
        return coded, [file for _, file in read]

    def _tile(self, picture: int, tile: int) -> tuple[Record, list[PictureFile]]:
        """Code a tile of a large picture, which is read once for consecutive tiles; the first one names its file."""
        from pointillist.compression.pictures import read_levels
        from pointillist.compression.writer import encode_tiles

        if self._large is None or self._large[0] != picture:
            self._large = (picture, *read_levels(*self._files[picture], self._image))
        _, levels, file = self._large
        (coded,) = encode_tiles(self._codec, levels, self._label, [tile], verify=self._verify)
        return coded, [] if tile else [file]

    def warm_up(self) -> None:
        """Code an image: the engine compiles."""
        import numpy as np

        integer_model = self._codec.integer_model
        self._codec.decode(
            [
                self._codec.encode(
                    np.zeros((1, integer_model.channels, integer_model.height, integer_model.width), int),
                    -np.ones(1, int),
                )
            ]
        )

    def name(self, item: int) -> str:
        """Return the first file of a record."""
        first: int = self._items[item][0].start
        return self._files[first][1]

    @staticmethod
    def merge(manifest: Mapping[str, Any], parts: Parts, out: Path) -> dict[str, Any]:
        """Write the archive, as `pointillist compress` does."""
        from pointillist.commands.jobs.state import check_suffix
        from pointillist.compression.container import SIZED, Record, encode_metadata
        from pointillist.compression.writer import RecordWriter
        from pointillist.files.writing import atomic_path

        check_suffix(out, ".pxl")
        files = [file for part in parts for each in part["files"].tolist() for file in json.loads(each)]
        with atomic_path(out) as temporary, temporary.open("wb") as file:
            writer = RecordWriter(file, bytes.fromhex(manifest["facts"]["header"]))
            writer.write(encode_metadata({"model": manifest["facts"]["name"], "files": files}))
            for part in parts:
                for content, (kind, count, *size, tile) in zip(part["content"], part["shape"].tolist(), strict=True):
                    height_width = (size[0], size[1]) if kind == SIZED else None
                    record = Record(kind, count, b64decode(content), height_width, None if tile < 0 else tile)
                    writer.write(record)
            writer.end()
        return {"images": len(files), "bytes": out.stat().st_size}


def _plan(
    sizes: list[tuple[int, int] | None], channels: int, per_record: int | None, side: int
) -> list[tuple[slice, int | None]]:
    """Divide pictures into records as the plain command does, by their sizes; one that cannot be read is by itself.

    Returns:
        The pictures of each record, and the number of its tile; None for whole pictures.
    """
    from pointillist.compression.tiles import tiles_of
    from pointillist.compression.writer import pictures_of

    result: list[tuple[slice, int | None]] = []
    start = 0
    for number in range(1, len(sizes) + 1):
        size = sizes[start]
        if size is not None and side and max(size) > side:
            result += [(slice(start, number), tile) for tile in range(tiles_of(*size, side).count)]
            start = number
            continue
        each = 1 if size is None else pictures_of(channels * size[0] * size[1], per_record)
        if number == len(sizes) or sizes[number] != sizes[start] or number - start == each:
            result.append((slice(start, number), None))
            start = number
    return result


def _size(path: Path) -> tuple[int, int] | None:
    from pointillist.data.readers.picture_files import BROKEN, open_picture
    from pointillist.errors import DataError

    try:
        with open_picture(path) as picture:
            return picture.height, picture.width
    except (DataError, *BROKEN):
        return None


KIND = CompressJob
