"""The bytes of an archive: a header, records, an end with an index. Nothing here knows what a picture is.

    header   8B 50 58 | version << 4 and flags | first 4 bytes of the fingerprint of the program
             flag 1: number of the generation order (var) | of versions 2 and 3, and with flag 4: side of a tile (var) |
             of version 3, and with flag 8: type and first value of an array (2 var); or, in version 5, 32 +
             length (var) and short metadata
    record   count << 2 and kind (var) | of kind 2: height, width (var), and where one exceeds the side of a tile the
             number of the tile (var) | length (var) | content | CRC-32C
    end      0 | with several records: their number (var), and for each its fields before the length and its bytes
             (var) | CRC-32C | 3 bytes: length of the end, from its 0 on

Integers are little-endian; `var` is LEB128, seven bits a byte, in its shortest form. A CRC covers the header and its
own record, so that a flipped bit anywhere is found before anything is decoded. A record can be read without those
before it, and a stream without seeking.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO

from pointillist.compression.about import from_header, parse_json
from pointillist.engine.library import load_library
from pointillist.errors import ArchiveError
from pointillist.images.pictures import tiles_of

MAGIC = b"\x8bPX"
VERSION, VERSION_OF_TILES, VERSION_OF_ARRAYS, VERSION_OF_PACKED, VERSION_OF_LEARNED = range(1, 6)
LABELS, ORDER, SIDE, ARRAY = 2, 1, 4, 8
"""Flags: images have labels; the order is given; from version 4 on: the side of tiles, the type of values."""
SHORT, MAX_SHORT = 32, 255
"""Added to the length of metadata in place of the type of values; most bytes of metadata that stand in a header."""
END, PICTURES, SIZED, METADATA = range(4)
"""Kinds of record: pictures of the size of the model, pictures of another size, data about the archive."""
PREFIX = 4
"""Bytes of the fingerprint."""
MAX_VAR = 1 << 32
MAX_CONTENT = 1 << 31
"""Most bytes of a record."""
_CRC = struct.Struct("<I")
_ONES, _POLYNOMIAL = 0xFFFFFFFF, 0x82F63B78
TAIL = 3
"""Bytes of the last field."""
BinaryFile = BinaryIO | io.BufferedIOBase
"""A file of bytes, open for reading or writing."""


@dataclass(frozen=True)
class Header:
    """The beginning of an archive.

    Attributes:
        fingerprint: the first bytes of the fingerprint of the program.
        labels: whether images have labels.
        order: number of the generation order.
        side: pixels of the side of a tile; 0 where pictures are not cut, as in version 1.
        array: type and first value of an array, as `to_header` has them; None for pictures.
        packed, learned: whether records may be packed, as in version 4, and learned, as in version 5.
        text: short metadata, as `encode_json` has them; empty for an array, or without metadata.
    """

    fingerprint: bytes
    labels: bool = False
    order: int = 0
    side: int = 0
    array: tuple[int, int] | None = None
    packed: bool = False
    learned: bool = False
    text: bytes = b""

    def encode(self) -> bytes:
        flags = LABELS * self.labels | ORDER * (self.order > 0)
        order, side = ([number] if number else [] for number in (self.order, self.side))
        version = VERSION_OF_TILES if side else VERSION
        array = (SHORT + len(self.text),) if self.text else self.array
        if self.packed or self.learned or self.text:
            version = VERSION_OF_LEARNED if self.learned or self.text else VERSION_OF_PACKED
            flags = flags | SIDE * bool(side) | ARRAY * (array is not None)
        elif array is not None:
            version, side = VERSION_OF_ARRAYS, [self.side]
        extra = b"".join(map(encode_var, (*order, *side, *(array or ()))))
        return MAGIC + bytes([version << 4 | flags]) + self.fingerprint[:PREFIX] + extra + self.text

    @property
    def metadata(self) -> dict[str, Any]:
        """Short metadata, or the type of an array as metadata.

        Raises:
            ArchiveError: if they are not valid.
        """
        if self.text:
            return parse_json(self.text, "the header of the archive", short=True)
        return {} if self.array is None else from_header(*self.array)


@dataclass(frozen=True)
class Record:
    """A part of an archive that is decoded by itself.

    Attributes:
        kind: `PICTURES`, `SIZED` or `METADATA`.
        count: number of pictures, or the kind of metadata.
        size: height and width of pictures of kind `SIZED`.
        content: the coded bytes.
        tile: number of the tile of the picture that it holds; None for whole pictures.
        bits: of the likelihood of pictures that were coded, which is not stored.
    """

    kind: int
    count: int
    content: bytes
    size: tuple[int, int] | None = None
    tile: int | None = None
    bits: float = 0.0

    def encode(self, header: bytes) -> bytes:
        body = _encode_first(self.kind, self.count, self.size, self.tile) + encode_var(len(self.content)) + self.content
        return body + _CRC.pack(crc32c(header + body))


@dataclass(frozen=True)
class Entry:
    """A line of the index.

    Attributes:
        kind, count, size, tile: of the record.
        length: its bytes.
    """

    kind: int
    count: int
    length: int
    size: tuple[int, int] | None = None
    tile: int | None = None

    def encode(self) -> bytes:
        return _encode_first(self.kind, self.count, self.size, self.tile) + encode_var(self.length)


def encode_end(header: bytes, entries: Sequence[Entry]) -> bytes:
    """Return the end of an archive; an index only where there are several records."""
    if len(entries) < 2:
        return b"\0"
    body = b"\0" + encode_var(len(entries)) + b"".join(entry.encode() for entry in entries)
    length = len(body) + _CRC.size + TAIL
    # an index that the last field cannot describe is not found from the end, only by reading through the archive
    tail = (length if length < 1 << 8 * TAIL else 0).to_bytes(TAIL, "little")
    return body + _CRC.pack(crc32c(header + body + tail)) + tail


def _encode_first(kind: int, count: int, size: tuple[int, int] | None, tile: int | None) -> bytes:
    further = (*(size or ()), *(() if tile is None else (tile,)))
    return encode_var(count << 2 | kind) + b"".join(map(encode_var, further))


def encode_var(value: int) -> bytes:
    """Return an integer as LEB128."""
    result = bytearray()
    while value >= 0x80:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)


class Source:
    """Bytes that are read in order, and remembered since the last `mark`.

    Args:
        file: a binary file.
        name: what it is called in messages.
        position: where in the archive the file is.
    """

    name: str
    position: int

    def __init__(self, file: BinaryFile, name: str, position: int = 0) -> None:
        self._file, self.name, self.position = file, name, position
        self.marked: bytearray = bytearray()

    def mark(self) -> None:
        """Forget what was read so far."""
        self.marked.clear()

    def take(self, count: int) -> bytes:
        """Read `count` bytes.

        Raises:
            ArchiveError: if there are fewer.
        """
        result = bytearray()
        while len(result) < count:
            part = self._file.read(min(count - len(result), 1 << 20))  # never more memory than there are bytes
            if not part and not self.position + len(result):
                raise ArchiveError(f"{self.name} is empty: give an archive, as `compress` writes it.")
            if not part:
                raise ArchiveError(
                    f"{self.name} ends after {self.position + len(result):,} bytes, within a record: it is cut off, so "
                    "copy it again, or salvage what is whole."
                )
            result += part
        self.position += count
        self.marked += result
        return bytes(result)

    def var(self) -> int:
        """Read an integer.

        Raises:
            ArchiveError: if it is cut off, larger than an archive has, or not in its shortest form.
        """
        value = shift = 0
        while True:
            (byte,) = self.take(1)
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
            shift += 7
            if shift > 35:
                value = MAX_VAR
                break
        if value >= MAX_VAR or (byte == 0 and shift):
            raise self.damaged("a number of it is none that is written")
        return value

    def at_end(self) -> bool:
        """Return True if nothing is left."""
        return not self._file.read(1)

    def damaged(self, reason: str) -> ArchiveError:
        return ArchiveError(f"{self.name} is damaged near byte {self.position:,} ({reason}): copy it again.")


def read_header(source: Source) -> tuple[Header, bytes]:
    """Read the beginning of an archive.

    Returns:
        The header, and its bytes.

    Raises:
        ArchiveError: if it is not an archive, or of another version.
    """
    if source.take(len(MAGIC)) != MAGIC:
        raise ArchiveError(f"{source.name} is not an archive of pointillist: it does not begin like one.")
    (byte,) = source.take(1)
    version = byte >> 4
    packed = version in (VERSION_OF_PACKED, VERSION_OF_LEARNED)
    if not (packed or (VERSION <= version <= VERSION_OF_ARRAYS and not byte & (SIDE | ARRAY))):
        raise ArchiveError(
            f"{source.name} is an archive of version {version}.{byte & 15}, which this release does not read: "
            "upgrade pointillist."
        )
    fingerprint = source.take(PREFIX)
    order = source.var() if byte & ORDER else 0
    side = source.var() if byte & SIDE or version in (VERSION_OF_TILES, VERSION_OF_ARRAYS) else 0
    if not side and (byte & SIDE or version == VERSION_OF_TILES):
        raise source.damaged("its tiles have no pixels")
    kind = source.var() if byte & ARRAY or version == VERSION_OF_ARRAYS else None
    learned, array, text = version == VERSION_OF_LEARNED, None, b""
    if kind is not None and learned and kind >= SHORT:
        if not 0 < kind - SHORT <= MAX_SHORT:
            raise source.damaged("the length of its metadata")
        text = source.take(kind - SHORT)
    elif kind is not None:
        array = kind, source.var()
    header = Header(fingerprint, bool(byte & LABELS), order, side, array, packed, learned, text)
    _ = header.metadata  # checked before anything is decoded
    return header, bytes(source.marked)


def read_record(source: Source, header: bytes) -> Record | None:
    """Read the next record; None at the end, which is read too.

    Raises:
        ArchiveError: if it is damaged or cut off.
    """
    source.mark()
    kind, count, size, tile = _read_first(source, header)
    if kind == END:
        if count:
            raise source.damaged("the end has a count")
        return None
    length = source.var()
    if length > MAX_CONTENT or not count:
        raise source.damaged("the length of a record")
    content = source.take(length)
    body = bytes(source.marked)
    if _CRC.unpack(source.take(_CRC.size))[0] != crc32c(header + body):
        raise source.damaged("a checksum is wrong")
    return Record(kind, count, content, size, tile)


def _read_first(source: Source, header: bytes) -> tuple[int, int, tuple[int, int] | None, int | None]:
    """Read the kind of a record, its count, the size of its pictures if it is given, and the number of a tile.

    Raises:
        ArchiveError: if there is no such tile.
    """
    first = source.var()
    if first & 3 != SIZED:
        return first & 3, first >> 2, None, None
    size, side = (source.var(), source.var()), _side_of(header)
    if not side or max(size) <= side or not min(size):
        return SIZED, first >> 2, size, None
    tile = source.var()
    if first >> 2 != 1 or tile >= tiles_of(*size, side).count:
        raise source.damaged("the number of a tile")
    return SIZED, 1, size, tile


@cache
def _side_of(header: bytes) -> int:
    return read_header(Source(io.BytesIO(header), "The archive"))[0].side


def read_index(source: Source, header: bytes, records: Sequence[Entry]) -> None:
    """Read what follows the 0 of the end, and check that it agrees with the records and that nothing follows.

    Raises:
        ArchiveError: if it does not.
    """
    expected = encode_end(header, records)[1:]
    if source.take(len(expected)) != expected:
        raise source.damaged("the index does not fit the records")
    if not source.at_end():
        raise source.damaged("something follows its end")


def parse_index(name: str, data: bytes, header: bytes) -> list[Entry] | None:
    """Return the index that the end of an archive holds; None if it is none or damaged."""
    if len(data) <= _CRC.size + TAIL:
        return None
    body, check = data[: -_CRC.size - TAIL], data[-_CRC.size - TAIL : -TAIL]
    if _CRC.unpack(check)[0] != crc32c(header + body + data[-TAIL:]):
        return None
    source = Source(io.BytesIO(body), name)
    try:
        if source.var() != 0:
            return None
        entries = []
        for _ in range(source.var()):
            kind, count, size, tile = _read_first(source, header)
            entries.append(Entry(kind, count, source.var(), size, tile))
        return entries if source.at_end() else None
    except ArchiveError:
        return None


def crc32c(data: bytes) -> int:
    """Return the CRC-32C (Castagnoli) of bytes."""
    library = load_library()
    return crc32c_in_python(data) if library is None else int(library.pt_crc32c(data, len(data)))


def crc32c_in_python(data: bytes) -> int:
    """Return the CRC-32C of bytes, for a platform without the library in C.

    ```python
    crc32c_in_python(b"123456789")  # 0xE3069283
    ```
    """
    check = _ONES
    for byte in data:
        check = (check >> 8) ^ _crc_table()[(check ^ byte) & 255]
    return check ^ _ONES


@cache
def _crc_table() -> list[int]:
    table = list(range(256))
    for _ in range(8):
        table = [(value >> 1) ^ (_POLYNOMIAL if value & 1 else 0) for value in table]
    return table


JSON = 1
"""Kind of metadata."""
