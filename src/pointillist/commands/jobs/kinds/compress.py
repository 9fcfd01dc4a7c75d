"""Compress many pictures: each item is a record of the archive; one with a picture that cannot be coded is rejected."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.commands.archives.settings import CompressSettings
from pointillist.commands.jobs.base import Arrays, JobKind, JobSettings, files_digest
from pointillist.commands.settings import argument, sampling_option

if TYPE_CHECKING:
    from pointillist.commands.jobs.folder import Parts


@dataclass(frozen=True, kw_only=True)
class CompressJobSettings(JobSettings, CompressSettings):
    """Settings of a job that compresses pictures: those of `pointillist compress`, for a folder.

    Attributes:
        images: a folder of pictures.
        per_record: pictures of a record, which is one item; None for as many as have 32,768 sub-pixels.
        batch_size: records that are decoded in lockstep.
    """

    left_out = frozenset({"files", "out", "force", "as_json"})
    files: tuple[Path, ...] = ()
    out: str = ""

    images: str = argument("IMAGES", "A folder of pictures.")
    batch_size = sampling_option(2, "N", "Records computed at once.", low=1)


class CompressJob(JobKind):
    """Code the pictures of each record; see `pointillist.compress`."""

    Settings = CompressJobSettings
    needs_torch = False

    def __init__(self, settings: CompressJobSettings) -> None:
        from pointillist.compression.api import resolve_labels
        from pointillist.compression.codec import Codec
        from pointillist.compression.files import list_inputs
        from pointillist.compression.models import as_integer_model, image_of
        from pointillist.compression.writer import header_of
        from pointillist.errors import ConfigError

        if settings.quantize is not None or settings.device != "cpu":
            raise ConfigError(
                "`quantize` and `device` do not go with compression, which works in integers: leave them."
            )
        integer_model, self._image = as_integer_model(settings.model), image_of(settings.model)
        label = resolve_labels(integer_model, settings.label, 1)
        self._codec = Codec(integer_model, settings.order, labels=label is not None)
        self._label, self._verify = -1 if label is None else label[0], settings.verify
        self._files = list_inputs([Path(settings.images)])
        self._records = _plan([path for path, _ in self._files], integer_model.channels, settings.per_record)
        self.count, self.skipped = len(self._records), {}
        self.facts = {
            "fingerprint": integer_model.fingerprint,
            "header": header_of(self._codec).hex(),
            "name": settings.model,
            "images": files_digest([path for path, _ in self._files]),
        }

    def compute(self, start: int, stop: int) -> Arrays:
        """Code some records; their contents are base64, and the files JSON."""
        import numpy as np

        from pointillist.compression.pictures import read_levels
        from pointillist.compression.writer import encode_records

        result = []
        for record in self._records[start:stop]:
            read = [read_levels(path, name, self._image) for path, name in self._files[record]]
            levels = np.stack([levels for levels, _ in read])
            (coded,) = encode_records(
                self._codec, levels, np.full(len(levels), self._label), [slice(None)], verify=self._verify
            )
            result.append((coded, [file.to_json() for _, file in read]))
        return {
            "content": np.array([b64encode(coded.content) for coded, _ in result], np.bytes_),
            "shape": np.array([(coded.kind, coded.count, *(coded.size or (0, 0))) for coded, _ in result]),
            "files": np.array([json.dumps(files) for _, files in result], np.str_),
        }

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
        return self._files[self._records[item]][0][1]

    @staticmethod
    def merge(manifest: Mapping[str, Any], parts: Parts, out: Path) -> list[tuple[str, str]]:
        """Write the archive, as `pointillist compress` does."""
        from pointillist.commands.jobs.merging import check_suffix
        from pointillist.compression.container import SIZED, Record
        from pointillist.compression.metadata import encode_metadata
        from pointillist.compression.writer import RecordWriter
        from pointillist.files.writing import atomic_path

        check_suffix(out, ".pxl")
        files = [file for part in parts for each in part["files"].tolist() for file in json.loads(each)]
        with atomic_path(out) as temporary, temporary.open("wb") as file:
            writer = RecordWriter(file, bytes.fromhex(manifest["facts"]["header"]))
            writer.write(encode_metadata({"model": manifest["facts"]["name"], "files": files}))
            for part in parts:
                for content, (kind, count, *size) in zip(part["content"], part["shape"].tolist(), strict=True):
                    given = (size[0], size[1]) if kind == SIZED else None
                    writer.write(Record(kind, count, b64decode(content), given))
            writer.end()
        return [("images", f"{len(files):,}"), ("archive", f"{out.stat().st_size:,} bytes")]


def _plan(paths: list[Path], channels: int, per_record: int | None) -> list[slice]:
    """Divide pictures into records as the plain command does, by their sizes; one that cannot be read is by itself."""
    from pointillist.compression.writer import pictures_of

    sizes = [_size(path) for path in paths]
    result: list[slice] = []
    start = 0
    for number in range(1, len(sizes) + 1):
        size = sizes[start]
        each = 1 if size is None else pictures_of(channels * size[0] * size[1], per_record)
        if number == len(sizes) or sizes[number] != sizes[start] or number - start == each:
            result.append(slice(start, number))
            start = number
    return result


def _size(path: Path) -> tuple[int, int] | None:
    from pointillist.data.readers.picture_files import BROKEN, open_picture
    from pointillist.errors import DataError

    try:
        with open_picture(path) as picture:
            return picture.width, picture.height
    except (DataError, *BROKEN):
        return None


KIND = CompressJob
