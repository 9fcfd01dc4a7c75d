"""Decode the records of an archive in order, from a file or a pipe, and say what is damaged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pointillist.compression.codec import TOGETHER, Codec, Decoded
from pointillist.compression.container import (
    METADATA,
    BinaryFile,
    Entry,
    Header,
    Record,
    Source,
    read_header,
    read_index,
    read_record,
)
from pointillist.compression.metadata import decode_metadata
from pointillist.compression.models import find_integer_model
from pointillist.compression.threads import in_threads
from pointillist.errors import ArchiveError
from pointillist.portable import IntegerModel

MAX_SUB_PIXELS = 1 << 28
"""Most sub-pixels of a record: an archive can declare any number, whatever its size."""

Found = Record | ArchiveError
"""A record, or why it cannot be read."""


@dataclass(frozen=True)
class Part:
    """Consecutive pictures of an archive.

    Attributes:
        record: number of their record, from 0.
        first: number of the first one.
        count: how many; 0 where that is unknown.
        decoded: levels and labels; None if they are lost.
        error: why they are lost; None if they are not.
    """

    record: int
    first: int
    count: int
    decoded: Decoded | None
    error: ArchiveError | None = None


def open_codec(header: Header, integer_model: IntegerModel) -> Codec:
    """Return the codec of an archive.

    Raises:
        ArchiveError: if its header does not fit the model.
    """
    names = list(integer_model.orders)
    if header.order >= len(names) or (header.labels and not integer_model.classes):
        raise ArchiveError("The header of the archive does not fit its model: the archive is damaged.")
    return Codec(integer_model, names[header.order], labels=header.labels)


def stream(
    file: BinaryFile, name: str, model: Any = None, threads: int = 1
) -> Iterator[Header | dict[str, Any] | Part]:
    """Read an archive once, from a pipe too: yield its header, and its pictures and metadata record by record.

    Raises:
        ArchiveError: at the first damage that leaves the place of the next record unknown, and at the end if it is cut
            off.
    """
    source = Source(file, name)
    header, prefix = read_header(source)
    yield header
    codec = open_codec(header, find_integer_model(header.fingerprint, model))
    entries: list[Entry] = []
    waiting: list[dict[str, Any]] = []

    def pictures() -> Iterator[tuple[int, Found]]:
        while (record := read_record(source, prefix)) is not None:
            entries.append(Entry(record.kind, record.count, len(source.marked), record.size))
            if record.kind == METADATA:
                waiting.append(decode_metadata(record, name))
            else:
                check_size(codec, record)
                yield record.count, record

    for part in decode_records(codec, pictures(), threads):
        while waiting:  # read before this part
            yield waiting.pop(0)
        yield part
    yield from waiting
    read_index(source, prefix, entries)


def decode_records(codec: Codec, records: Iterable[tuple[int, Found]], threads: int = 1) -> Iterator[Part]:
    """Decode records, several in lockstep in each thread.

    Args:
        records: the number of pictures, 0 if unknown, and the record or why it cannot be read.
    """
    number = first = 0
    for group in _grouped(codec, records, threads):
        for (count, _), outcome in zip(group, _decode(codec, [result for _, result in group], threads), strict=True):
            lost = outcome if isinstance(outcome, ArchiveError) else None
            yield Part(number, first, count, None if isinstance(outcome, ArchiveError) else outcome, lost)
            number, first = number + 1, first + count


def check_size(codec: Codec, record: Record) -> None:
    """Check what a record declares before anything is allocated.

    Raises:
        ArchiveError: if it has too many pixels, or none.
    """
    height, width = codec.size(record)
    declared = record.count * codec.integer_model.channels * height * width
    if not 0 < declared <= MAX_SUB_PIXELS:
        raise ArchiveError(
            f"A record declares {record.count:,} pictures of {height}x{width}, over the limit of {MAX_SUB_PIXELS:,} "
            "sub-pixels: the archive is damaged, or was not written by this package."
        )


def _grouped(codec: Codec, records: Iterable[tuple[int, Found]], threads: int) -> Iterator[list[tuple[int, Found]]]:
    """Collect consecutive records of pictures of one size."""
    group: list[tuple[int, Found]] = []
    held: tuple[tuple[int, int], int] | None = None  # size of the pictures, and sub-pixels of the group
    for count, result in records:
        if isinstance(result, Record):
            size = codec.size(result)
            area = count * codec.integer_model.channels * size[0] * size[1]
            if held is not None and (size != held[0] or held[1] + area > TOGETHER * threads):
                yield group
                group, held = [], None
            held = (size, area + (held[1] if held else 0))
        group.append((count, result))
    if group:
        yield group


def _decode(codec: Codec, group: Sequence[Found], threads: int) -> list[Decoded | ArchiveError]:
    whole = [result for result in group if isinstance(result, Record)]
    outcomes = iter(list(in_threads(codec.decode, whole, threads)))
    return [result if isinstance(result, ArchiveError) else next(outcomes) for result in group]
