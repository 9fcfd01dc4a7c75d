"""Write maps that are larger than memory, a band of rows at a time: Tiled's infinite maps in chunks, CSV, pictures."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from jaxtyping import Integer

from pointillist.data.tilemaps.write import MapFiles, tmj_table

Bands = Iterable[Integer[np.ndarray, "h w"]]
"""Bands of whole rows of a map, from the top down, each as high as a chunk."""
_EMPTY = '"chunks": []'


def _tmj(files: MapFiles, bands: Bands, at: tuple[int, int], size: tuple[int, int]) -> Iterator[bytes]:
    """Yield a map of Tiled that has no borders: square chunks at row `at[0]` and column `at[1]` of the world."""
    layer = {"startx": at[1], "starty": at[0], "width": size[1], "height": size[0], "chunks": []}
    table = tmj_table(files, size, layer) | {"infinite": True}
    head, tail = json.dumps(table, ensure_ascii=False).split(_EMPTY)
    yield (head + '"chunks": [').encode()
    row, comma = at[0], ""
    for band in bands:
        side = len(band)
        for column in range(0, size[1], side):
            tiles = files.tile_numbers[band[:, column : column + side]].reshape(-1).tolist()
            chunk = {"x": at[1] + column, "y": row, "width": side, "height": side, "data": tiles}
            yield (comma + "\n" + json.dumps(chunk)).encode()
            comma = ","
        row += side
    yield ("]" + tail + "\n").encode()


def _csv(files: MapFiles, bands: Bands, at: tuple[int, int], size: tuple[int, int]) -> Iterator[bytes]:
    for band in bands:
        yield files.encode(band.astype(np.int64), "csv")


def _png(files: MapFiles, bands: Bands, at: tuple[int, int], size: tuple[int, int]) -> Iterator[bytes]:
    """Yield a picture, drawn with the tiles, without filters (PNG, ISO/IEC 15948)."""
    tiles = files.tileset
    height, width = (length * side for length, side in zip(size, tiles.tile_size, strict=True))
    opaque = bool((tiles.tiles[..., 3] == 255).all())
    yield b"\x89PNG\r\n\x1a\n" + _part(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2 if opaque else 6, 0, 0, 0))
    packer = zlib.compressobj(6)
    for band in bands:
        for row in band.astype(np.int64):
            drawn = tiles.draw(row[None])[..., : 3 if opaque else 4]
            lines = np.pad(drawn.reshape(len(drawn), -1), ((0, 0), (1, 0)))  # each line begins with its filter: none
            packed = packer.compress(lines.tobytes())
            if packed:
                yield _part(b"IDAT", packed)
    yield _part(b"IDAT", packer.flush()) + _part(b"IEND", b"")


def _part(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


STREAMS: Mapping[str, Callable[[MapFiles, Bands, tuple[int, int], tuple[int, int]], Iterator[bytes]]] = {
    "tmj": _tmj,
    "csv": _csv,
    "png": _png,
}
"""Function that encodes a map band by band, by the ending of the file: writer, bands, first row and column, size."""
