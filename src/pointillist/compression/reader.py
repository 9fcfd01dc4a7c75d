"""Decode the records of an archive in order, and say what is damaged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from pointillist.compression.codec import TOGETHER, Codec, Decoded
from pointillist.compression.container import Entry, Header, Record
from pointillist.engine.batch import in_threads
from pointillist.errors import ArchiveError
from pointillist.images.pictures import tiles_of
from pointillist.model.portable import ProgramModel

MAX_SUB_PIXELS = 1 << 28
"""Most sub-pixels of a record: an archive can declare any number, whatever its size."""

RecordOrError = Record | ArchiveError
"""A record, or why it cannot be read."""
OnShare = Callable[[float], None]
"""Called after each tile of a large picture with the number of pictures so far, a part of one as a fraction."""


@dataclass(frozen=True)
class Part:
    """Consecutive pictures of an archive.

    Attributes:
        record: number of their record, from 0.
        first: number of the first one.
        count: how many; 0 where that is unknown.
        decoded: levels and labels; None if they are lost. Of a large picture, a tile that is lost has level 0.
        error: why they, or a tile of them, are lost; None if they are not.
    """

    record: int
    first: int
    count: int
    decoded: Decoded | None
    error: ArchiveError | None = None


def open_codec(header: Header, integer_model: ProgramModel) -> Codec:
    """Return the codec of an archive.

    Raises:
        ArchiveError: if its header does not fit the model.
    """
    names = list(integer_model.orders)
    if header.order >= len(names) or (header.labels and not integer_model.classes):
        raise ArchiveError("The header of the archive does not fit its model: the archive is damaged.")
    return Codec(integer_model, names[header.order], labels=header.labels, side=header.side)


def decode_records(
    codec: Codec,
    records: Iterable[tuple[Entry, RecordOrError]],
    threads: int = 1,
    on_share: OnShare | None = None,
    first: int = 0,
) -> Iterator[Part]:
    """Decode records, several at once in each thread, and join the tiles of a large picture.

    Args:
        records: the line of the index, and the record or why it cannot be read.
        first: number of their first picture.
    """
    joined: TiledPicture | None = None
    for number, (entry, outcome) in enumerate(_outcomes(codec, records, threads)):
        if joined is not None and (entry.size != joined.size or entry.tile != joined.due):
            yield joined.part(first)
            first, joined = first + 1, None
        if entry.tile is not None and entry.size is not None:
            joined = joined or TiledPicture(codec, entry.size, number)
            joined.add(entry.tile, outcome)
            if on_share is not None:
                on_share(first + joined.share)
            continue
        decoded, lost = (None, outcome) if isinstance(outcome, ArchiveError) else (outcome, None)
        yield Part(number, first, entry.count, decoded, lost)
        first += entry.count
    if joined is not None:
        yield joined.part(first)


class TiledPicture:
    """A large picture of which tiles are decoded, one after the other.

    Attributes:
        size: height and width.
        due: number of the next tile; None after the last one.
    """

    size: tuple[int, int]

    def __init__(self, codec: Codec, size: tuple[int, int], record: int) -> None:
        self.size, self._record, self._tiling = size, record, tiles_of(*size, codec.side)
        self.due: int | None = 0
        integer_model = codec.integer_model
        shape = (1, integer_model.image.channels, *size)
        self._levels = np.zeros(shape, np.min_scalar_type(integer_model.image.levels - 1))
        self._label, self._lost = -1, dict.fromkeys(range(self._tiling.count), "it is missing")

    @property
    def share(self) -> float:
        """Share of the tiles that have been read."""
        return 1.0 if self.due is None else self.due / self._tiling.count

    def add(self, tile: int, outcome: Decoded | ArchiveError) -> None:
        self.due = tile + 1 if tile + 1 < self._tiling.count else None
        if isinstance(outcome, ArchiveError):
            self._lost[tile] = str(outcome)
            return
        rows, columns = self._tiling.box(tile)
        self._levels[..., rows, columns] = outcome.levels
        self._label = int(outcome.labels[0])
        del self._lost[tile]

    def part(self, number: int) -> Part:
        """Return the picture; its error names the first tile that is lost."""
        error = None
        for tile, reason in list(self._lost.items())[:1]:
            rows, columns = self._tiling.box(tile)
            error = ArchiveError(
                f"Picture {number} misses {len(self._lost):,} of its {self._tiling.count:,} tiles, the first in rows "
                f"{rows.start} to {rows.stop - 1}, columns {columns.start} to {columns.stop - 1}: {reason}"
            )
        whole = len(self._lost) < self._tiling.count
        return Part(self._record, number, 1, Decoded(self._levels, np.array([self._label])) if whole else None, error)


def _outcomes(
    codec: Codec, records: Iterable[tuple[Entry, RecordOrError]], threads: int
) -> Iterator[tuple[Entry, Decoded | ArchiveError]]:
    for group in _grouped(codec, records, threads):
        whole = [record for _, record in group if isinstance(record, Record)]
        decoded = iter(list(in_threads(codec.decode, whole, threads)))
        for entry, record in group:
            yield entry, record if isinstance(record, ArchiveError) else next(decoded)


def _grouped(
    codec: Codec, records: Iterable[tuple[Entry, RecordOrError]], threads: int
) -> Iterator[list[tuple[Entry, RecordOrError]]]:
    """Collect consecutive records of pictures of one size; of large ones as many as there are threads."""
    group: list[tuple[Entry, RecordOrError]] = []
    held: tuple[tuple[int, int], int] | None = None  # size of the pictures, and sub-pixels of the group
    for entry, result in records:
        if isinstance(result, Record):
            size = codec.size(result)
            area = entry.count * codec.integer_model.image.channels * size[0] * size[1]
            most = max(TOGETHER, area if entry.tile is not None else 0) * threads
            if held is not None and (size != held[0] or held[1] + area > most):
                yield group
                group, held = [], None
            held = (size, area + (held[1] if held else 0))
        group.append((entry, result))
    if group:
        yield group
