"""Write maps in the formats that are read: Tiled, CSV, text with a legend, drawn pictures; or a band of rows at a time.

Maps that are larger than memory are streams: infinite maps of Tiled in chunks, CSV, pictures.
"""

from __future__ import annotations

import io
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pointillist.data.tilemaps.text_grids import LEGEND, legend_text, symbols_of
from pointillist.data.tilemaps.tileset import Tileset, plain_tileset
from pointillist.files.arrays import TILESET
from pointillist.images import ImageSpec
from pointillist.images.array_types import Int, Integer
from pointillist.images.pictures import PNG, png_chunk

_VERSION, _TILED = "1.10", "1.10.2"  # of the format, and of the program, whose tiles have a `type` again


@dataclass(frozen=True)
class MapFiles:
    """Writes maps of one kind.

    ```python
    files = MapFiles.of(model.image, model.tileset)
    Path("tileset.png").write_bytes(files.companions("tmj")["tileset.png"])
    Path("map.tmj").write_bytes(files.encode(samples.levels[0, 0].numpy(), "tmj"))
    ```

    Attributes:
        names: name of each level, or None.
        tileset: picture of each level.
    """

    names: tuple[str, ...] | None
    tileset: Tileset

    @classmethod
    def of(cls, image: ImageSpec, tileset: Tileset | None, folder: Path | None = None) -> MapFiles:
        """Make a writer for images of a kind; without a tileset, its tiles are plain.

        Args:
            folder: where the maps will lie. They name the tileset of the maps that were read if it is there, or in the
                folder above; elsewhere they get a copy of its tiles.
        """
        tileset = tileset or plain_tileset(image.levels)
        if tileset.source:
            source = "" if folder is None else _nearest(folder, tileset.source)
            tileset = replace(tileset, source=source, numbers=tileset.numbers if source else ())
        return cls(image.level_names, tileset)

    def encode(self, levels: Int[np.ndarray, "h w"], form: str) -> bytes:
        return MAP_FORMATS[form](self, np.asarray(levels, np.int64))

    @property
    def uses_source(self) -> bool:
        """True if maps of Tiled name the tileset of the maps that were read, which lies next to them."""
        return bool(self.tileset.source)

    @property
    def tile_numbers(self) -> Int[np.ndarray, " k"]:
        """Number of the tile of each level in a map of Tiled, from 1 on; 0 for an empty cell."""
        numbers = self.tileset.numbers if self.uses_source else range(len(self.tileset))
        return np.array(numbers, np.int64) + 1

    def companions(self, form: str) -> dict[str, bytes]:
        """Return the files that a map needs next to it, by their names."""
        if form in ("tmj", "tmx"):
            if self.uses_source:
                return {}
            return {TILESET: _png(self.tileset.picture())}
        return {LEGEND: legend_text(self.symbols).encode()} if form == "txt" else {}

    @property
    def symbols(self) -> dict[str, str]:
        """Character of each level, with its name."""
        return symbols_of(self.names or [str(level) for level in range(len(self.tileset))])


def _nearest(folder: Path, source: str) -> str:
    """Return the path of a tileset in a folder, which may not exist yet, or above it; empty if in neither."""
    return next((p for p in (source, f"../{source}") if os.path.isfile(os.path.normpath(folder / p))), "")


def tmj_table(files: MapFiles, size: tuple[int, int], layer: Mapping[str, object]) -> dict[str, Any]:
    """Return what a `.tmj` holds, with one layer of tiles.

    Args:
        size: height and width of the map.
        layer: tiles of the layer, and what belongs to them.
    """
    tileset, (height, width) = files.tileset, size
    picture, tile = tileset.picture(), dict(zip(("tileheight", "tilewidth"), tileset.tile_size, strict=True))
    counts = {"tilecount": len(tileset), "columns": tileset.columns, "margin": 0, "spacing": 0}
    image = {"image": TILESET, "imagewidth": picture.width, "imageheight": picture.height}
    classes = (
        {"tiles": [{"id": number, "type": name} for number, name in enumerate(files.names)]} if files.names else {}
    )
    described = {"name": "levels", **tile, **counts, **image, **classes}
    kind = {"id": 1, "name": "map", "type": "tilelayer", "visible": True, "opacity": 1, "x": 0, "y": 0}
    return {
        "type": "map",
        "version": _VERSION,
        "tiledversion": _TILED,
        "orientation": "orthogonal",
        "renderorder": "right-down",
        "infinite": False,
        "width": width,
        "height": height,
        **tile,
        "nextlayerid": 2,
        "nextobjectid": 1,
        "tilesets": [{"firstgid": 1, **({"source": tileset.source} if files.uses_source else described)}],
        "layers": [{**kind, "width": width, "height": height, **layer}],
    }


def _tmj(files: MapFiles, levels: np.ndarray) -> bytes:
    height, width = levels.shape
    table = tmj_table(files, (height, width), {"data": files.tile_numbers[levels].reshape(-1).tolist()})
    return (json.dumps(table, ensure_ascii=False) + "\n").encode()


def _tmx(files: MapFiles, levels: np.ndarray) -> bytes:
    """Write the table of a `.tmj` as XML, in which the picture of a tileset and its tiles are elements."""
    height, width = levels.shape
    table = tmj_table(files, (height, width), {})
    (tileset,), (layer,) = table["tilesets"], table["layers"]
    image = {key: tileset.pop(f"image{end}") for key, end in _IMAGE.items() if not files.uses_source}
    tiles = [_element("tile", tile) for tile in tileset.get("tiles", ())]
    inner = "".join([_element("image", image), *tiles]) if image else ""
    rows = ",\n".join(",".join(map(str, row)) for row in files.tile_numbers[levels].tolist())
    del table["type"], layer["type"]
    layers = _element("layer", layer, _element("data", {"encoding": "csv"}, f"{rows}\n"))
    text = _element("map", table, _element("tileset", tileset, inner) + layers)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()


_IMAGE = {"source": "", "width": "width", "height": "height"}  # attributes of a picture, by the ends of keys of JSON


def _element(tag: str, attributes: Mapping[str, object], content: str = "") -> str:
    from xml.sax.saxutils import quoteattr  # waits for the network modules of Python

    plain = {key: int(value) if isinstance(value, bool) else value for key, value in attributes.items()}
    shown = "".join(f" {k}={quoteattr(str(v))}" for k, v in plain.items() if not isinstance(v, list))
    return f"<{tag}{shown}>\n{content}</{tag}>\n" if content else f"<{tag}{shown}/>\n"


def _csv(files: MapFiles, levels: np.ndarray) -> bytes:
    return "".join(",".join(map(str, row)) + "\n" for row in levels.tolist()).encode()


def _txt(files: MapFiles, levels: np.ndarray) -> bytes:
    characters = list(files.symbols)
    return "".join("".join(characters[level] for level in row) + "\n" for row in levels.tolist()).encode()


def _drawn(files: MapFiles, levels: np.ndarray) -> bytes:
    return _png(Image.fromarray(files.tileset.draw(levels)))


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    opaque = image.mode == "RGBA" and image.getchannel("A").getextrema()[0] == 255
    (image.convert("RGB") if opaque else image).save(stream, format="PNG")
    return stream.getvalue()


MAP_FORMATS: Mapping[str, Callable[[MapFiles, np.ndarray], bytes]] = {
    "tmj": _tmj,
    "tmx": _tmx,
    "csv": _csv,
    "txt": _txt,
    "png": _drawn,
}
"""Function that encodes a map, by the ending of the file."""


Bands = Iterable[Integer[np.ndarray, "h w"]]
"""Bands of whole rows of a map, from the top down, each as high as a chunk."""
_EMPTY = '"chunks": []'


def _stream_tmj(files: MapFiles, bands: Bands, at: tuple[int, int], size: tuple[int, int]) -> Iterator[bytes]:
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


def _stream_csv(files: MapFiles, bands: Bands, at: tuple[int, int], size: tuple[int, int]) -> Iterator[bytes]:
    for band in bands:
        yield files.encode(band.astype(np.int64), "csv")


def _stream_png(files: MapFiles, bands: Bands, at: tuple[int, int], size: tuple[int, int]) -> Iterator[bytes]:
    """Yield a picture, drawn with the tiles, without filters (PNG, ISO/IEC 15948)."""
    tiles = files.tileset
    height, width = (length * side for length, side in zip(size, tiles.tile_size, strict=True))
    opaque = bool((tiles.tiles[..., 3] == 255).all())
    yield PNG + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2 if opaque else 6, 0, 0, 0))
    packer = zlib.compressobj(6)
    for band in bands:
        for row in band.astype(np.int64):
            drawn = tiles.draw(row[None])[..., : 3 if opaque else 4]
            lines = np.pad(drawn.reshape(len(drawn), -1), ((0, 0), (1, 0)))  # each line begins with its filter: none
            packed = packer.compress(lines.tobytes())
            if packed:
                yield png_chunk(b"IDAT", packed)
    yield png_chunk(b"IDAT", packer.flush()) + png_chunk(b"IEND", b"")


STREAMS: Mapping[str, Callable[[MapFiles, Bands, tuple[int, int], tuple[int, int]], Iterator[bytes]]] = {
    "tmj": _stream_tmj,
    "csv": _stream_csv,
    "png": _stream_png,
}
"""Function that encodes a map band by band, by the ending of the file: writer, bands, first row and column, size."""
