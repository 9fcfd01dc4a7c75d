"""Code pictures into the content of a record, and decode many records in lockstep.

The symbols of a record are, in this order: the labels, each one of the classes or none; the sub-pixels in generation
order, and at each of them the levels of all images; 16 bits of the CRC-32C of the levels, to show that they are right.

Pictures that the model would make larger are stored: all levels are equally likely, in raster order. Pictures that
repeat themselves, such as enlarged ones, are packed: LZMA codes the differences of neighbours. Of learned content a
level is some decisions, of a stage that learns as it reads (`runtime/core/stage.c`). Coded content has whole words,
stored content a byte more, packed content two, and learned content three; it may begin with a table of the levels that
occur, and then codes their numbers.

The library in C encodes; on a platform without it, the same steps in Python do.
"""

from __future__ import annotations

import ctypes
import itertools
import lzma
import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pointillist.compression.about import choose_used, levels_of, numbers_of
from pointillist.compression.container import PICTURES, SIZED, Record, crc32c
from pointillist.engine.c.run import decode_in_c
from pointillist.engine.executors import choose_executor
from pointillist.engine.head.frequencies import log_probs
from pointillist.engine.head.range_decoder import (
    BITS,
    MASK,
    WORD,
    EncoderState,
    RangeDecoder,
    encode_in_python,
    finish_in_python,
)
from pointillist.engine.library import chosen_level, load_library
from pointillist.engine.program import IntArray
from pointillist.errors import ArchiveError, EngineError
from pointillist.images.ordering import PixelOrder
from pointillist.images.pictures import Tiling, tiles_of
from pointillist.model.portable import ProgramModel


class RangeEncoder:
    """Code symbols into bytes.

    encoder = RangeEncoder()
    encoder.add_intervals(starts, sizes, precision=16)
    payload = encoder.finish()

    Args:
        rest: as of `RangeDecoder`.
    """

    def __init__(self, rest: int = 0) -> None:
        self._state, self._words = EncoderState(0, MASK, 0, 0, rest), bytearray()
        self._library = None if chosen_level() is None else load_library()

    def add_uniform(self, symbols: IntArray, count: int) -> None:
        """Code symbols `[n]` in [0, count), all equally likely; the last one has what is left of the range."""
        each = (1 << BITS) // count
        starts = symbols.astype(np.int64) * each
        self.add_intervals(starts, np.where(symbols == count - 1, (1 << BITS) - starts, each), BITS)

    def add_decisions(self, sizes: IntArray) -> None:
        """Code decisions, as `decode_in_c` returns them."""
        for first in range(0, len(sizes), TOGETHER):
            some = sizes[first : first + TOGETHER].astype(np.int64)
            self.add_intervals(np.where(some > 0, (1 << DECISION) - some, 0), np.abs(some), DECISION)

    def add_intervals(self, starts: IntArray, sizes: IntArray, precision: int) -> None:
        """Code symbols `[n]` that are intervals of [0, 2 ** precision): their start and their size."""
        scale, state = 1 << (BITS - precision), self._state
        below, size = (np.ascontiguousarray(numbers.astype(np.int64) * scale) for numbers in (starts, sizes))
        if self._library is None:
            self._words += encode_in_python(state, below, size).astype("<u4").tobytes()
            return
        words = np.empty(state.waiting + len(below), np.uint32)
        pointers = below.ctypes.data, size.ctypes.data, len(below), words.ctypes.data
        count = self._library.pt_encode(ctypes.byref(state), *pointers)
        self._words += words[:count].astype("<u4").tobytes()

    def finish(self) -> bytes:
        """Return the bytes, whole words; none if there were no symbols."""
        if not self._words and not self._state.waiting and self._state.range == MASK:
            return b""
        return bytes(self._words) + finish_in_python(self._state).astype("<u4").tobytes()

    def common(self) -> bytes:
        """Return the bytes with which all points of the interval begin; of each word the first byte is the highest."""
        state, count = self._state, 4 * self._state.waiting + 8
        waiting = (((state.first + 1) << 32 * (state.waiting - 1)) - 1) << 64 if state.waiting else 0
        first, last = waiting + state.lower, waiting + state.lower + state.range - 1
        known: bytes = first.to_bytes(count, "big")[: count - ((first ^ last).bit_length() + 7) // 8]
        return np.frombuffer(self._words, "<u4").astype(">u4").tobytes() + known


TOGETHER = 65_536
"""Sub-pixels of the records that a thread decodes in lockstep."""
DECISION, CHECK = 16, 1 << 16
"""Bits of the sizes of a decision, and number of values of the symbol that shows that the levels are right."""
BLOCK, BLOCKS, SPREAD = 16, 32, 7
"""Side of the blocks by which the class of a picture is chosen, most blocks, and how often they cross the picture."""
STORED, PACKED, LEARNED, TABLE = b"\1", b"\2", b"\3\0\0", b"\3\1\0"
"""How stored, packed, learned content, and learned content with a table begins; of as many bytes more than whole words
as the first one says."""
LEVELS_PACKED, LEVELS_LEARNED = 256, range(64, 257)
"""Fewest levels of a model whose pictures are packed: of fewer, LZMA would be no smaller; and levels of those for which
the stage is worth its time: of fewer it saves nothing, of more it is slow."""
FILTERS = [{"id": lzma.FILTER_LZMA1, "preset": 6 | lzma.PRESET_EXTREME, "dict_size": 1 << 22}]
"""Settings of LZMA: repetitions are sought within 4 MiB."""


@dataclass(frozen=True)
class Decoded:
    """The pictures of a record.

    Attributes:
        levels: `[n, c, h, w]`.
        labels: classes, -1 for none, `[n]`.
    """

    levels: IntArray
    labels: IntArray


class Codec:
    """Code pictures by the frequencies of an integer model.

    codec = Codec(exact)
    record = codec.encode(levels, np.full(len(levels), -1))
    codec.decode([record])[0].levels

    Args:
        exact: the model.
        order: name of the generation order; None for the usual one.
        labels: whether images have labels, which the model is conditioned on.
        side: pixels of the side of the tiles of large pictures, each coded as a record; 0 for none.
        learn: whether a stage learns as it codes; None for models of `LEVELS_LEARNED`. What it coded is always decoded.

    Attributes:
        packs: whether pictures may be packed: of a model of any size and of 256 levels or more.
    """

    integer_model: ProgramModel
    order: PixelOrder
    labels: bool

    def __init__(
        self,
        integer_model: ProgramModel,
        order: str | None = None,
        *,
        labels: bool = False,
        side: int = 0,
        learn: bool | None = None,
    ) -> None:
        self.side = side
        self.integer_model, self.order, self.labels = integer_model, integer_model.order(order), labels
        self._precision = integer_model.program(self.order).head.precision
        self._classes = len(integer_model.classes)
        self.packs: bool = integer_model.image.levels >= LEVELS_PACKED and not integer_model.fixed_size
        compiled = choose_executor(integer_model.program(self.order), integer_model.executor) == "compiled"
        if learn and not compiled:
            raise EngineError("`learn` needs the library in C, which does not run this model here: leave it out.")
        self.learns: bool = compiled and (integer_model.image.levels in LEVELS_LEARNED if learn is None else learn)
        self._dtype = np.dtype("<u2" if integer_model.image.levels > 256 else "u1")

    def tiling(self, height: int, width: int) -> Tiling:
        """Return how pictures of a size are cut."""
        image = self.integer_model.image
        tile = (image.height, image.width) if self.integer_model.fixed_size else (height, width)
        return Tiling(height, width, tile)

    def is_cut(self, height: int, width: int) -> bool:
        """Return True if pictures of a size are coded in tiles, each a record."""
        return 0 < self.side < max(height, width)

    def size(self, record: Record) -> tuple[int, int]:
        """Height and width of the pictures of a record, or of its tile."""
        if record.size is not None and record.tile is not None:
            rows, columns = tiles_of(*record.size, self.side).box(record.tile)
            return rows.stop - rows.start, columns.stop - columns.start
        return record.size or (self.integer_model.image.height, self.integer_model.image.width)

    def encode(self, levels: IntArray, classes: Sequence[int | None] | IntArray) -> Record:
        """Code pictures `[n, c, h, w]` of one size, with a class each, -1 for none; None chooses it.

        Raises:
            ShapeError: if they do not fit the model.
        """
        pairs = zip(levels, classes, strict=True)
        labels = np.array([self.choose_label(x) if each is None else each for x, each in pairs])
        height, width = levels.shape[2:]
        content, bits = (self._learn if self.learns else self._code)(levels, labels)
        if self.learns and (used := choose_used(levels, self.integer_model.image)) is not None:
            content = min(content, self._learn(levels, labels, used)[0], key=len)
        if len(content) > self._least_stored(levels.size):
            content = min(content, self._store(levels, labels), key=len)
        content = self._pack(levels, labels, content) if self.packs else content
        usual = (height, width) == (self.integer_model.image.height, self.integer_model.image.width)
        return Record(PICTURES if usual else SIZED, len(levels), content, None if usual else (height, width), bits=bits)

    def _code(self, levels: IntArray, labels: IntArray) -> tuple[bytes, float]:
        """Return the content of pictures `[n, c, h, w]` by the model, and the bits of their likelihood."""
        tiling, encoder = self.tiling(*levels.shape[2:]), self._encoder(labels)
        tiles = tiling.split(levels)
        starts, sizes = self.integer_model.intervals(tiles, self._inputs(labels, tiling), self.order)
        inside = self.order.sequence(np.broadcast_to(np.tile(tiling.inside(), (len(levels), 1, 1, 1)), tiles.shape))
        sizes = self.order.sequence(sizes)[inside]
        encoder.add_intervals(self.order.sequence(starts)[inside], sizes, self._precision)
        return self._finish(encoder, levels), -float(log_probs(sizes, self._precision).sum()) / math.log(2)

    def _learn(self, levels: IntArray, labels: IntArray, used: IntArray | None = None) -> tuple[bytes, float]:
        """Return the content of pictures by the stage, with a table of the levels used, and bits of the likelihood."""
        tiling, encoder = self.tiling(*levels.shape[2:]), self._encoder(labels)
        if used is not None:
            encoder.add_uniform(used.reshape(-1), 2)
        tiles = tiling.split(levels if used is None else numbers_of(levels, used))
        raster = np.ascontiguousarray(self.order.array_to_raster(tiles), np.int64)
        sites = self.order.array_to_raster(np.tile(tiling.inside(), (len(levels), 1, 1, 1)))[:, 0]
        program, inputs = self.integer_model.program(self.order), self._inputs(labels, tiling)
        decisions, bits = decode_in_c(program, raster, sites, (), np.zeros(len(tiles), np.int64), inputs, learns=True)
        encoder.add_decisions(decisions)
        return (LEARNED if used is None else TABLE) + self._finish(encoder, levels), bits

    def _finish(self, encoder: RangeEncoder, levels: IntArray) -> bytes:
        """Return the content of pictures that are coded, with their check."""
        encoder.add_uniform(np.array([checksum(levels)]), CHECK)
        return encoder.finish()

    def choose_label(self, picture: IntArray) -> int:
        """Return the class by which some blocks of a picture `[c, h, w]` take the fewest bits, -1 for none.

        All classes together code at most as many pixels as the picture has.
        """
        height, width = picture.shape[1:]
        count = min(BLOCKS, height * width // (BLOCK * BLOCK * (self._classes + 1)))
        if not self.labels or self.integer_model.fixed_size or count == 0 or min(height, width) < BLOCK:
            return -1
        along = (np.arange(count) + 0.5) / count
        tops, lefts = along * (height - BLOCK), along * SPREAD % 1 * (width - BLOCK)
        corners = zip(tops.astype(int), lefts.astype(int), strict=True)
        blocks = np.stack([picture[:, top : top + BLOCK, left : left + BLOCK] for top, left in corners])
        tiling = self.tiling(BLOCK, BLOCK)
        inputs = (self._inputs(np.full(count, label), tiling) for label in range(-1, self._classes))
        sizes = (self.integer_model.intervals(blocks, each, self.order)[1] for each in inputs)
        return int(np.argmax([log_probs(each, self._precision).sum() for each in sizes])) - 1

    def _encoder(self, labels: IntArray) -> RangeEncoder:
        encoder = RangeEncoder()
        if self.labels:
            encoder.add_uniform(labels + 1, self._classes + 1)
        return encoder

    def _store(self, levels: IntArray, labels: IntArray) -> bytes:
        """Return the content of pictures `[n, c, h, w]` whose levels are equally likely."""
        encoder = self._encoder(labels)
        encoder.add_uniform(np.asarray(levels).reshape(-1), self.integer_model.image.levels)
        return STORED + self._finish(encoder, levels)

    def _pack(self, levels: IntArray, labels: IntArray, content: bytes) -> bytes:
        """Return the packed content of pictures `[n, c, h, w]` if it is smaller than other content."""
        differences = np.diff(np.diff(levels.astype(np.int64), axis=2, prepend=0), axis=3, prepend=0)
        numbers, check = (labels + 1).astype("<u4"), np.array([checksum(levels)], "<u2")
        data = b"".join(part.tobytes() for part in (numbers, check, differences.astype(self._dtype)))
        if len(zlib.compress(data)) >= 1.25 * len(content):  # seven times as fast as LZMA, and hardly a fifth larger
            return content
        packed = PACKED + lzma.compress(data, lzma.FORMAT_RAW, filters=FILTERS)
        return min(content, packed + bytes((PACKED[0] - len(packed)) % WORD), key=len)

    def _unpack(self, record: Record, shape: tuple[int, ...]) -> Decoded | ArchiveError:
        start = 4 * record.count + 2
        length = start + math.prod(shape) * self._dtype.itemsize
        decoder = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=FILTERS)
        wrong = ArchiveError("A packed record does not hold its pictures: the archive is damaged.")
        try:
            data = decoder.decompress(record.content[len(PACKED) :], length + 1)
        except lzma.LZMAError:
            return wrong
        if len(data) != length or not decoder.eof or decoder.unused_data.strip(b"\0"):
            return wrong
        labels = np.frombuffer(data, "<u4", record.count).astype(np.int64) - 1
        differences = np.frombuffer(data, self._dtype, offset=start).reshape(shape)
        levels = differences.cumsum(2, self._dtype).cumsum(3, self._dtype)
        valid = levels.max() < self.integer_model.image.levels and labels.max() < self._classes
        valid &= int.from_bytes(data[start - 2 : start], "little") == checksum(levels)
        return Decoded(levels, labels) if valid else wrong

    def _least_stored(self, sub_pixels: int) -> int:
        """Return bytes below which no stored content of so many sub-pixels is: the last level has the largest share."""
        count = self.integer_model.image.levels
        largest = (1 << BITS) - (count - 1) * ((1 << BITS) // count)
        return int(sub_pixels * math.log2((1 << BITS) / largest) / 8)

    def decode(self, records: Sequence[Record]) -> list[Decoded | ArchiveError]:
        """Decode same-size records in lockstep. A damaged record does not affect the others.

        Returns:
            The pictures of each record, or why they cannot be had.
        """
        (size,) = {self.size(record) for record in records}
        pairs = [(record, record.content[: len(record.content) % WORD]) for record in records]
        decoded = {}
        for kind in {b"", LEARNED, TABLE} & {each for _, each in pairs}:
            decoded[kind] = iter(self._decode_coded([record for record, each in pairs if each == kind], size, kind))
        return [next(decoded[kind]) if kind in decoded else self._load(record, size) for record, kind in pairs]

    def _load(self, record: Record, size: tuple[int, int]) -> Decoded | ArchiveError:
        shape = (record.count, self.integer_model.image.channels, *size)
        if len(record.content) % WORD == PACKED[0]:
            return self._unpack(record, shape)
        # before anything of the declared size is allocated, or its symbols are counted
        if not record.content.startswith(STORED) or len(record.content) < self._least_stored(math.prod(shape)):
            return ArchiveError("A stored record is shorter than its pictures: the archive is damaged.")
        decoder = RangeDecoder(record.content[len(STORED) :])
        labels = self._decode_labels(decoder, record.count)
        levels = decoder.uniform(math.prod(shape), self.integer_model.image.levels).reshape(shape)
        return _checked(decoder, levels.astype(np.min_scalar_type(self.integer_model.image.levels - 1)), labels)

    def _decode_coded(self, records: list[Record], size: tuple[int, int], kind: bytes) -> list[Decoded | ArchiveError]:
        tiling, decoders = self.tiling(*size), [RangeDecoder(record.content[len(kind) :]) for record in records]
        labels = [self._decode_labels(decoder, record.count) for decoder, record in zip(decoders, records, strict=True)]
        shape = (self.integer_model.image.channels, self.integer_model.image.levels)
        used = [decoder.uniform(math.prod(shape), 2).reshape(shape) for decoder in decoders if kind == TABLE]
        counts = [record.count * tiling.count for record in records]
        pixels = self.order.array_to_raster(tiling.inside())[:, 0]
        tiles = self.integer_model.decode(
            np.tile(pixels, (sum(counts) // tiling.count, 1, 1)),
            decoders,
            np.repeat(np.arange(len(records)), counts),
            self._inputs(np.concatenate(labels), tiling),
            self.order,
            learns=len(kind) > 0,
        )
        bounds = np.cumsum([0, *counts])
        tiles = tiles.astype(np.min_scalar_type(self.integer_model.image.levels - 1))
        parts = [tiling.join(tiles[start:end]) for start, end in itertools.pairwise(bounds)]
        parts = [levels_of(*each) for each in zip(parts, used, strict=True)] if used else parts
        return [_checked(*each) for each in zip(decoders, parts, labels, strict=True)]

    def _decode_labels(self, decoder: RangeDecoder, count: int) -> IntArray:
        return decoder.uniform(count, self._classes + 1) - 1 if self.labels else np.full(count, -1)

    def _inputs(self, labels: IntArray, tiling: Tiling) -> dict[str, IntArray]:
        each = np.repeat(labels, tiling.count)
        model, size = self.integer_model, tiling.tile
        inputs = model.conditions.inputs(each if self.labels else None, len(each), size=size)
        return model.encode(inputs, len(each), size, self.order)


def _checked(decoder: RangeDecoder, levels: IntArray, labels: IntArray) -> Decoded | ArchiveError:
    """Check levels against the last symbol of their record."""
    (check,) = decoder.uniform(1, CHECK)
    if decoder.is_wrong:
        return ArchiveError("These bytes are not a code of this model: the archive is damaged.")
    if check != checksum(levels) or not decoder.is_exhausted:
        return ArchiveError("The check of the decoded pixels is wrong: the archive is damaged.")
    return Decoded(levels, labels)


def checksum(levels: IntArray) -> int:
    """Return the last 16 bits of the CRC-32C of levels."""
    return crc32c(np.ascontiguousarray(levels, "<u2").tobytes()) % CHECK
