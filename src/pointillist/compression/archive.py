"""Read archives: any picture by its number, all of them in order, or what is whole of a damaged one."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pointillist.compression.about import About, parse_json
from pointillist.compression.codec import Codec, Decoded
from pointillist.compression.container import (
    JSON,
    METADATA,
    TAIL,
    BinaryFile,
    Entry,
    Header,
    Record,
    Source,
    parse_index,
    read_header,
    read_index,
    read_record,
)
from pointillist.compression.models import find_integer_model
from pointillist.compression.reader import MAX_SUB_PIXELS, OnShare, Part, RecordOrError, decode_records, open_codec
from pointillist.engine.program import IntArray
from pointillist.errors import ArchiveError, Range, quote
from pointillist.files.reading import check_file
from pointillist.files.suggestions import arguments


@dataclass(frozen=True)
class _Place:
    """Where a record is, and the number of its first picture."""

    start: int
    entry: Entry
    first: int

    @property
    def pictures(self) -> int:
        """Pictures that begin in it: none in the later tiles of a large one."""
        return 0 if self.entry.tile else self.entry.count


class Archive:
    """A compressed archive, whose pictures are decoded on access.

    ```python
    archive = pt.Archive("digits.pxl")
    len(archive), archive[3].shape  # (10000, (1, 28, 28))
    ```

    Args:
        source: a path, the bytes of an archive, or a binary file that can be sought in.
        model: the model, as for `compress`; None to look for it among the bundled ones.
        threads: threads that share the work.

    Attributes:
        name: what it is called in messages.
        header: its header.
        metadata: JSON values that the writer added, such as the names of the files.
        damage: what is wrong with the archive as a whole, or None; its pictures may be whole.

    Raises:
        ArchiveError: if it is not an archive.
    """

    header: Header

    @arguments(threads=Range(1))
    def __init__(self, source: str | Path | bytes | BinaryFile, model: Any = None, *, threads: int = 1) -> None:
        self.name: str = str(source) if isinstance(source, (str, Path)) else "The archive"
        self._source, self._model, self._threads = source, model, threads
        self.damage: ArchiveError | None = None
        with self._open() as file:
            file.seek(0)
            reader = Source(file, self.name)
            self.header, self._prefix = read_header(reader)
            self.metadata: dict[str, Any] = self.header.metadata
            self._places = self._find(file, reader)
        self._codec: Codec | None = None
        self._last: tuple[int, Decoded] | None = None

    def __len__(self) -> int:
        return sum(place.pictures for place in self._places)

    def __repr__(self) -> str:
        return f"Archive({self.name}, {len(self):,} pictures, model {self.header.fingerprint.hex()})"

    def __getitem__(self, index: int) -> IntArray:
        """Decode a picture, `[c, h, w]`, and with it the other pictures of its record.

        Raises:
            IndexError: if there is none of this number.
            ArchiveError: if it is damaged.
        """
        if not isinstance(index, (int, np.integer)):
            raise TypeError(f"`index` (={quote(index)}) must be the number of a picture: `list(archive)` has them all.")
        number = index + len(self) if index < 0 else index
        for place in self._places:
            if 0 <= number - place.first < place.pictures:
                result: IntArray = self._decoded(place).levels[number - place.first]
                return result
        raise IndexError(f"Picture {index} is not there: the archive has {len(self):,}.")

    def __iter__(self) -> Iterator[IntArray]:
        for part in self.parts():
            if part.error is not None:
                raise part.error
            assert part.decoded is not None
            yield from part.decoded.levels
        if self.damage is not None:
            raise self.damage

    def parts(self, start: int = 0, on_share: OnShare | None = None) -> Iterator[Part]:
        """Yield the pictures record by record; one that is damaged says why, and the others are whole.

        Args:
            start: number of the first picture that is needed; records before it are not read.
            on_share: shows the progress within a large picture.
        """
        places = [place for place in self._places if place.first + place.entry.count > start]
        skipped, first = len(self._places) - len(places), places[0].first if places else 0
        records = ((place.entry, self._read(place)) for place in places)
        for part in decode_records(self.codec, records, self._threads, on_share, first):
            yield replace(part, record=part.record + skipped)

    @cached_property
    def about(self) -> About:
        """The metadata that this package writes.

        Raises:
            ArchiveError: if others wrote them.
        """
        return About.from_json(self.metadata)

    @property
    def codec(self) -> Codec:
        """The codec of its model, which is looked for at the first use.

        Raises:
            ArchiveError: if the model is another one, or none is found.
        """
        if self._codec is None:
            hint = str(self.metadata.get("model", ""))
            self._codec = open_codec(self.header, find_integer_model(self.header.fingerprint, self._model, hint))
        return self._codec

    @property
    def sub_pixels(self) -> int:
        """Number of sub-pixels of all pictures, as the archive declares it."""
        integer_model = self.codec.integer_model
        sizes = [place.entry.size or (integer_model.image.height, integer_model.image.width) for place in self._places]
        counts = [place.pictures for place in self._places]
        return integer_model.image.channels * sum(n * h * w for n, (h, w) in zip(counts, sizes, strict=True))

    @property
    def records(self) -> list[Entry]:
        """Number of pictures and bytes of each record of pictures."""
        return [place.entry for place in self._places]

    def _open(self) -> AbstractContextManager[BinaryFile]:
        if isinstance(self._source, bytes):
            return io.BytesIO(self._source)
        if not isinstance(self._source, (str, Path)):
            if not hasattr(self._source, "read"):
                raise ArchiveError(f"`archive` is a {type(self._source).__name__}: give bytes, a path or a file.")
            return nullcontext(self._source)
        try:
            check_file(Path(self._source), ArchiveError)
            return Path(self._source).open("rb")
        except OSError as error:
            raise ArchiveError(f"{self._source} cannot be read ({error.strerror}): check the path.") from error

    def _decoded(self, place: _Place) -> Decoded:
        if self._last is None or self._last[0] != place.start:
            places = [each for each in self._places if each.first == place.first]
            (part,) = decode_records(self.codec, [(each.entry, self._read(each)) for each in places], self._threads)
            if part.error is not None:
                raise part.error
            assert part.decoded is not None
            self._last = place.start, part.decoded
        return self._last[1]

    def check_bytes(self) -> list[ArchiveError]:
        """Return what is damaged, by the checksum of each record; nothing is decoded, and no model is needed."""
        result = [] if self.damage is None else [self.damage]
        for place in self._places:
            if place.entry.count > MAX_SUB_PIXELS:
                result.append(ArchiveError(f"A record declares {place.entry.count:,} pictures, more than it can hold."))
                continue
            try:
                self._record(place)
            except ArchiveError as error:
                result.append(error)
        return result

    def _read(self, place: _Place) -> RecordOrError:
        """Read the record at a place; what it declares is compared with the limit before anything is allocated."""
        try:
            record = self._record(place)
        except ArchiveError as error:
            return error
        height, width = record.size or self.codec.size(record)
        if 0 < record.count * self.codec.integer_model.image.channels * height * width <= MAX_SUB_PIXELS:
            return record
        return ArchiveError(
            f"A record declares {record.count:,} pictures of {height}x{width}, over the limit of {MAX_SUB_PIXELS:,} "
            "sub-pixels: the archive is damaged, or was not written by this package."
        )

    def _record(self, place: _Place) -> Record:
        with self._open() as file:
            file.seek(place.start)
            record = read_record(Source(file, self.name, place.start), self._prefix)
        if record is None or (record.kind, record.count) != (place.entry.kind, place.entry.count):
            raise ArchiveError(f"{self.name} is damaged near byte {place.start:,}: copy it again.")
        return record

    def _find(self, file: BinaryFile, reader: Source) -> list[_Place]:
        """Find the records: by the index, or one after the other up to the end or the first damage."""
        start = reader.position
        entries = self._index(file, start)
        if entries is None:
            return self._scan(file, reader)
        places, first = [], 0
        for entry in entries:
            if entry.kind == METADATA:
                self._add_metadata(file, start)
            else:
                places.append(_Place(start, entry, first - bool(entry.tile)))
                first += places[-1].pictures
            start += entry.length
        return places

    def _index(self, file: BinaryFile, start: int) -> list[Entry] | None:
        """Read the index; None if there is none, or it does not fit the file."""
        size = file.seek(0, io.SEEK_END)
        file.seek(max(start, size - TAIL))
        length = int.from_bytes(file.read(TAIL), "little")
        if not TAIL < length <= size - start:
            return None
        file.seek(size - length)
        entries = parse_index(self.name, file.read(length), self._prefix)
        fits = entries is not None and start + sum(entry.length for entry in entries) == size - length
        return entries if fits else None

    def _scan(self, file: BinaryFile, reader: Source) -> list[_Place]:
        start = reader.position
        places: list[_Place] = []
        entries: list[Entry] = []
        first = 0
        file.seek(start)
        try:
            while (record := read_record(reader, self._prefix)) is not None:
                entries.append(Entry(record.kind, record.count, reader.position - start, record.size, record.tile))
                if record.kind == METADATA:
                    self._add_metadata(file, start)
                    file.seek(reader.position)
                else:
                    places.append(_Place(start, entries[-1], first - bool(record.tile)))
                    first += places[-1].pictures
                start = reader.position
            read_index(reader, self._prefix, entries)
        except ArchiveError as error:
            self.damage = error
        return places

    def _add_metadata(self, file: BinaryFile, start: int) -> None:
        file.seek(start)
        try:
            record = read_record(Source(file, self.name, start), self._prefix)
            if record is not None and record.count == JSON:  # others are of a later release
                self.metadata |= parse_json(record.content, self.name)
        except ArchiveError as error:
            self.damage = error
