"""Write archives, picture by picture, to any binary file, also a pipe."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypedDict, Unpack

import numpy as np

from pointillist.compression.about import encode_json, to_header
from pointillist.compression.codec import TOGETHER, Codec
from pointillist.compression.container import (
    JSON,
    MAX_SHORT,
    METADATA,
    SIZED,
    BinaryFile,
    Entry,
    Header,
    Record,
    encode_end,
)
from pointillist.compression.models import as_integer_model, is_bundled, prefix_of
from pointillist.engine.batch import in_threads
from pointillist.engine.program import IntArray
from pointillist.errors import ArchiveError, ConfigError, EngineError, Range, optional
from pointillist.files.suggestions import arguments
from pointillist.images.pictures import tiles_of
from pointillist.model.portable import ProgramModel
from pointillist.model.protocols import check_levels

SUB_PIXELS = 32_768
"""Sub-pixels of a record, at least one picture: 41 digits of 28x28. A record costs about ten bytes."""
SIDE = 512
"""Pixels of the side of a tile of a large picture: one that is damaged loses no other, and threads share them."""
CHOOSE = 64
"""Rows or columns from which the class of a picture is worth choosing: it costs a byte at most."""


class Coding(TypedDict, total=False):
    """Options of a codec; see `ArchiveWriter`."""

    order: str | None
    labels: bool
    largest: int
    learn: bool | None


class ArchiveWriter:
    """Write pictures to an archive.

    ```python
    with open("digits.pxl", "wb") as file, ArchiveWriter(file, "digits") as archive:
        for levels in images:  # integers [c, h, w]
            archive.add(levels)
    ```

    Args:
        file: a binary file; it is never read or sought in.
        model: the model, as for `compress`.
        order: name of the generation order; None for the usual one.
        labels: whether pictures have labels; large pictures get them by `add` from any model with classes.
        per_record: pictures that are coded together, so that one of them costs less, but is decoded with the others;
            None for as many as have `SUB_PIXELS` sub-pixels.
        verify: decode everything again, and compare.
        threads: threads that share the work; the archive is the same for any number.
        largest: rows or columns of the largest picture. More than `SIDE` are cut into tiles: version 2 of the format. A
            model that knows one size only cuts pictures by its size.
        learn: whether a stage learns as it codes, a second likelihood; None where it pays.
    """

    @arguments(per_record=optional(Range(1)))
    def __init__(
        self,
        file: BinaryFile,
        model: Any,
        *,
        per_record: int | None = None,
        verify: bool = True,
        threads: int = 1,
        **coding: Unpack[Coding],
    ) -> None:
        integer_model = as_integer_model(model)
        if coding.get("labels") and not integer_model.classes:
            raise ConfigError("`labels` are given, and this model has none: leave them out.")
        self._verify, self._threads, self._per_record = verify, threads, per_record
        self._codec = make_codec(integer_model, **coding)
        self._records = RecordWriter(file, header_of(self._codec))
        self._waiting: list[tuple[IntArray, int | None]] = []

    @property
    def bytes_written(self) -> int:
        """Bytes so far."""
        return self._records.bytes_written

    @property
    def likelihood_bits(self) -> float:
        """Bits so far by the likelihood of the model."""
        return self._records.likelihood_bits

    def __enter__(self) -> ArchiveWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.close()

    def add(self, levels: IntArray, label: int | None = None, on_share: Callable[[float], None] | None = None) -> None:
        """Add a picture, `[c, h, w]`.

        Args:
            label: its class, -1 for none; None for the one by which it takes the fewest bits, of a large picture and a
                model of any size.
            on_share: called with the share of a large picture that is coded.

        Raises:
            ShapeError: if it does not fit the model.
        """
        check_levels(levels[None], self._codec.integer_model.image)
        if self._waiting and self._waiting[0][0].shape != levels.shape:
            self._flush()
        self._waiting.append((levels, label))
        is_cut = self._codec.is_cut(levels.shape[1], levels.shape[2])
        if is_cut or len(self._waiting) >= self._at_once(levels) * pictures_of(levels.size, self._per_record):
            self._flush(on_share if is_cut else None)

    def add_metadata(self, values: Mapping[str, Any]) -> None:
        """Add JSON values about the archive, such as the names of the pictures."""
        self._flush()
        self._records.write_metadata(values)

    def close(self) -> None:
        """Write what is waiting and the end; the file stays open."""
        self._flush()
        self._records.end()

    def _at_once(self, levels: IntArray) -> int:
        """Return how many records of pictures of this size are coded at once."""
        return max(1, TOGETHER // (pictures_of(levels.size, self._per_record) * levels.size)) * self._threads

    def _flush(self, on_share: Callable[[float], None] | None = None) -> None:
        """Code what is waiting, each thread some records, and write it."""
        if not self._waiting:
            return
        pictures = [levels for levels, _ in self._waiting]
        plans = plan_records(self._codec, [(x.shape[1], x.shape[2]) for x in pictures], self._per_record)
        labels = [label for _, label in self._waiting]
        code = partial(encode_records, self._codec, pictures, labels, verify=self._verify)
        step = self._at_once(pictures[0])
        for start in range(0, len(plans), step):
            for record in in_threads(code, plans[start : start + step], self._threads):
                self._records.write(record)
            if on_share is not None:
                on_share(min(1, (start + step) / len(plans)))
        self._waiting.clear()


class RecordWriter:
    """Write records that are coded already, and the header and the end of their archive.

    Args:
        file: a binary file; it is never read or sought in.
        header: the header.

    Attributes:
        bytes_written: bytes so far.
        likelihood_bits: bits so far by the likelihood of the model.
    """

    header: Header
    bytes_written: int
    likelihood_bits: float = 0.0

    def __init__(self, file: BinaryFile, header: Header) -> None:
        self._file, self.header, self.bytes_written = file, header, 0
        self._entries: list[Entry] = []

    def write_metadata(self, values: Mapping[str, Any]) -> None:
        """Write JSON values: in the header what is first and short, or the type of an array, else as a record.

        A bundled model is found without its name. Names of several files are a record, whose damage loses only them.
        """
        values = {key: value for key, value in values.items() if key != "model" or not is_bundled(value)}
        first = values and not self.bytes_written
        if first and (array := to_header(values)) is not None:
            self.header = replace(self.header, array=array)
        elif first and len(values.get("files", ())) < 2 and len(text := encode_json(values, short=True)) <= MAX_SHORT:
            self.header = replace(self.header, text=text)
        elif values:
            self.write(Record(METADATA, JSON, encode_json(values)))

    def write(self, record: Record) -> None:
        encoded = record.encode(self._begin())
        self._entries.append(Entry(record.kind, record.count, len(encoded), record.size, record.tile))
        self._put(encoded)
        self.likelihood_bits += record.bits

    def end(self) -> None:
        """Write the end; the file stays open."""
        self._put(encode_end(self._begin(), self._entries))

    def _begin(self) -> bytes:
        """Write the header before all else, and return it."""
        header = self.header.encode()
        if not self.bytes_written:
            self._put(header)
        return header

    def _put(self, data: bytes) -> None:
        self._file.write(data)
        self.bytes_written += len(data)


def make_codec(
    integer_model: ProgramModel,
    *,
    order: str | None = None,
    labels: bool = False,
    largest: int = 0,
    learn: bool | None = None,
) -> Codec:
    """Return the codec of pictures of up to so many rows or columns; see `ArchiveWriter`."""
    any_size = not integer_model.fixed_size
    chosen = any_size and largest >= CHOOSE and bool(integer_model.classes)
    side = SIDE if any_size and largest > SIDE else 0
    return Codec(integer_model, order, labels=labels or chosen, side=side, learn=learn)


def header_of(codec: Codec) -> Header:
    number = list(codec.integer_model.orders).index(codec.order.name)
    return Header(
        prefix_of(codec.integer_model), codec.labels, number, codec.side, packed=codec.packs, learned=codec.learns
    )


def pictures_of(sub_pixels: int, per_record: int | None) -> int:
    """Return how many pictures of so many sub-pixels a record holds."""
    return per_record or max(1, SUB_PIXELS // sub_pixels)


class RecordPlan(NamedTuple):
    """Pictures that a record codes: several of one size, or a tile of a large one."""

    pictures: slice
    tile: int | None = None


def plan_records(codec: Codec, sizes: Iterable[tuple[int, int] | None], per_record: int | None) -> list[RecordPlan]:
    """Divide pictures into records by their sizes; a picture of unknown size has a record."""
    plans: list[RecordPlan] = []
    start = 0
    for size, group in itertools.groupby(sizes):
        stop = start + len(list(group))
        if size is not None and codec.is_cut(*size):
            tiles = range(tiles_of(*size, codec.side).count)
            plans += [RecordPlan(slice(number, number + 1), tile) for number in range(start, stop) for tile in tiles]
        else:
            channels = codec.integer_model.image.channels
            each = 1 if size is None else pictures_of(channels * math.prod(size), per_record)
            plans += [RecordPlan(slice(first, min(first + each, stop))) for first in range(start, stop, each)]
        start = stop
    return plans


def encode_records(
    codec: Codec,
    pictures: Sequence[IntArray],
    labels: Sequence[int | None],
    plans: Sequence[RecordPlan],
    *,
    verify: bool = True,
) -> list[Record]:
    """Code pictures `[c, h, w]`, each plan as a record.

    Raises:
        EngineError: if one does not decode to its pixels.
        ShapeError: if they do not fit the model.
    """
    records: list[Record] = []
    expected: list[IntArray] = []
    for plan in plans:
        several = pictures[plan.pictures]
        if plan.tile is None:
            levels = np.stack(several)
            record = codec.encode(levels, labels[plan.pictures])
        else:
            height, width = several[0].shape[1:]
            rows, columns = tiles_of(height, width, codec.side).box(plan.tile)
            levels = several[0][None, :, rows, columns]
            record = codec.encode(levels, labels[plan.pictures])
            record = replace(record, kind=SIZED, size=(height, width), tile=plan.tile)
        records.append(record)
        expected.append(levels)
    if verify:
        _verify(codec, records, expected)
    return records


def _verify(codec: Codec, records: Sequence[Record], pictures: Sequence[IntArray]) -> None:
    for _, group in itertools.groupby(zip(records, pictures, strict=True), key=lambda each: each[1].shape[2:]):
        coded, expected = zip(*group, strict=True)
        for levels, result in zip(expected, codec.decode(coded), strict=True):
            if isinstance(result, ArchiveError) or not np.array_equal(result.levels, levels):
                raise EngineError(
                    "What was coded does not decode to the same pixels on this machine, and nothing was lost: please "
                    "report this model."
                )
