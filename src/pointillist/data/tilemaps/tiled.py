"""Read maps and tilesets of Tiled, in JSON or XML, with every size checked before memory is taken for it.

https://doc.mapeditor.org/en/stable/reference/json-map-format/ and .../tmx-map-format/ describe the files. Tile layers
are flattened, the upper over the lower; objects and images are left out. A file that a map names is read only within
the folder of the data.
"""

from __future__ import annotations

import base64
import binascii
import os
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pointillist.data.pixels import read_picture
from pointillist.data.tilemaps.tileset import EMPTY, MAX_CELLS, TileMap, Tileset, check_cells, cut_tiles
from pointillist.errors import DataError, quote
from pointillist.files.reading import MAX_DEPTH, MAX_NAME, check_file, check_texts, read_json
from pointillist.images import MAX_LEVELS

MAX_BYTES = 256 * 2**20


def read_xml(path: Path, name: str) -> dict[str, Any]:
    """Read a map or a tileset as a table with the keys of Tiled's JSON.

    Raises:
        DataError: if it is not Tiled XML, has a document type, or is nested too deeply.
    """
    root = _parse(path, name)
    if root.tag == "map":
        return _map(root, name)
    if root.tag == "tileset":
        return _tileset_of_xml(root)
    raise DataError(f"{name} is XML, but no map or tileset of Tiled: its first element is <{root.tag[:50]}>.")


class _Builder(ET.TreeBuilder):
    """Builds the tree of a document."""

    def doctype(self, *_: object) -> None:
        """Reject a document type, by which a short file could hold more text than memory."""
        raise ValueError("it declares a document type, which no map of Tiled does")


def _parse(path: Path, name: str) -> ET.Element:
    try:
        check_file(path)
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{name} has over {MAX_BYTES:,} bytes: save its layers compressed, or cut it into parts.")
        return ET.fromstring(path.read_bytes(), ET.XMLParser(target=_Builder()))
    except DataError:
        raise
    except (OSError, ET.ParseError, ValueError, LookupError) as error:  # the last for an unknown encoding
        raise DataError(f"{name} cannot be read as XML ({error}): save it again with Tiled.") from error


def _map(root: ET.Element, name: str) -> dict[str, Any]:
    tilesets = [_tileset_of_xml(element) for element in root.iterfind("tileset")]
    return {**root.attrib, "layers": _layers(root, name), "tilesets": tilesets}


def _layers(parent: ET.Element, name: str, depth: int = 0) -> list[dict[str, Any]]:
    if depth > MAX_DEPTH:
        raise DataError(f"{name} is nested more than {MAX_DEPTH} deep: save it again with Tiled.")
    layers: list[dict[str, Any]] = []
    for element in parent:
        if element.tag == "group":
            layers.append({"type": "group", "layers": _layers(element, name, depth + 1)})
        elif element.tag == "layer":
            layers.append({**element.attrib, "type": "tilelayer", **_data(element, name)})
    return layers


def _data(layer: ET.Element, name: str) -> dict[str, Any]:
    element = layer.find("data")
    if element is None:
        raise DataError(f"{name} has a layer without data: save it again with Tiled.")
    if element.find("chunk") is not None:
        return {**element.attrib, "chunks": [{**chunk.attrib, "data": _numbers(chunk, element)} for chunk in element]}
    return {**element.attrib, "data": _numbers(element, element)}


def _numbers(cells: ET.Element, data: ET.Element) -> str | list[str]:
    """Return the tiles of a layer or a chunk: text, or numbers where each is an element."""
    return (
        [tile.get("gid", "0") for tile in cells.iterfind("tile")] if data.get("encoding") is None else cells.text or ""
    )


def _tileset_of_xml(element: ET.Element) -> dict[str, Any]:
    image = element.find("image")
    picture = {} if image is None else {"image": image.get("source", "")}
    return {**element.attrib, **picture, "tiles": [tile.attrib for tile in element.iterfind("tile")]}


Table = Mapping[str, Any]
_FLAGS = np.uint32(0xF000_0000)  # a tile may be flipped or rotated: its level is the same
_SAVE = "save it again with Tiled"


@dataclass(frozen=True)
class TiledTileset:
    """Tiles that a map refers to by number.

    Attributes:
        classes: class of each tile that has one, by its number in the set.
        count: number of tiles.
        tileset: their pictures, or None where the picture is not there.
        source: name of its file as the map has it; empty where it is in the map.
    """

    classes: Mapping[int, str]
    count: int
    tileset: Tileset | None
    source: str = ""


def read_tiled_map(path: Path, root: Path, name: str) -> TileMap:
    """Read a `.tmj` or `.tmx`: the classes of its tiles are the names of levels; without any, their numbers count.

    Of an infinite map it is the smallest rectangle that holds all tiles.

    Args:
        root: folder out of which no file is read.
        name: what the map is called in messages.

    Raises:
        DataError: if it is damaged, not orthogonal, without tiles, or refers to a file outside `root`.
    """
    tree = _table(_read(path, name), name)
    if tree.get("orientation", "orthogonal") != "orthogonal":
        raise DataError(f"{name} is {quote(tree['orientation'])}: only orthogonal maps are read.")
    layers = list(_tile_layers(tree.get("layers"), name))
    if not layers:
        raise DataError(f"{name} has no tile layer: draw the map on one in Tiled.")
    gids = _flattened(tree, layers, name)
    sets = _list(tree.get("tilesets"), name)
    firsts = [_whole(_table(tile_set, name), "firstgid", 1, 2**28, name) for tile_set in sets]
    result = [_tileset_of(tile_set, path, root, name) for tile_set in sets]
    return _named(gids, firsts, result, name)


def read_tiled_tileset(path: Path, root: Path, name: str) -> TiledTileset:
    """Read a `.tsx` or `.tsj`.

    Raises:
        DataError: if it is damaged, or its picture lies outside `root`.
    """
    return _tileset(_table(_read(path, name), name), path, root, name)


def _read(path: Path, name: str) -> Any:
    return read_xml(path, name) if path.suffix.lower() in (".tmx", ".tsx", ".xml") else read_json(path, _SAVE)


def _table(value: Any, name: str) -> Table:
    if not isinstance(value, dict):
        raise DataError(f"{name} is not a Tiled map: a table is missing in it, so {_SAVE}.")
    return value


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise DataError(f"{name} is not a Tiled map: a list is missing in it, so {_SAVE}.")
    return value


def _whole(table: Table, key: str, low: int, high: int, name: str, default: int | None = None) -> int:
    value = table.get(key, default)
    if isinstance(value, str) and len(value) < 18 and value.removeprefix("-").isdecimal():  # of XML
        value = int(value)
    if not isinstance(value, int) or not low <= value <= high:
        raise DataError(f"{name} has {key} {quote(value)}: it must be a whole number from {low:,} to {high:,}.")
    return int(value)


def _tile_layers(layers: Any, name: str) -> Iterator[Table]:
    """Yield the tile layers from the lowest to the highest, layers of groups in their place."""
    for layer in _list(layers, name):
        table = _table(layer, name)
        if table.get("type") == "group":
            yield from _tile_layers(table.get("layers"), name)
        elif table.get("type") == "tilelayer":
            yield table


def _flattened(tree: Table, layers: list[Table], name: str) -> np.ndarray:
    """Flatten the layers of a map, uint32 `[h w]`; of the chunks of an infinite map, the rectangle with its tiles."""
    chunks, is_infinite = [], bool(_whole(tree, "infinite", 0, 1, name, 0))
    for layer in layers:
        if not is_infinite and _size(layer, name) != _size(tree, name):
            raise DataError(f"{name} has a layer of another size than the map: {_SAVE}.")
        keys = {key: layer[key] for key in ("encoding", "compression") if key in layer}
        entries = _list(layer.get("chunks", []), name) if is_infinite else [{**layer, "y": 0, "x": 0}]
        for entry in entries:
            row, column = (_whole(_table(entry, name), key, -(2**30), 2**30, name) for key in ("y", "x"))
            chunks.append(((row, column, *_size(entry, name)), {**entry, **keys}))
    if sum(height * width for (_, _, height, width), _ in chunks) > len(layers) * MAX_CELLS:
        raise DataError(f"{name} has chunks of over {MAX_CELLS:,} cells in a layer: cut it into parts.")
    places = np.array([place for place, _ in chunks], np.int64).reshape(-1, 4)
    first = places[:, :2].min(0, initial=2**31)
    height, width = ((places[:, :2] + places[:, 2:]).max(0, initial=-(2**31)) - first).tolist() if chunks else (1, 1)
    check_cells(height, width, name)
    gids = np.zeros((height, width), np.uint32)
    for (row, column, *size), table in chunks:
        top, left = row - int(first[0]), column - int(first[1])
        above = _cells(table, size[0] * size[1], name).reshape(size) & ~_FLAGS
        np.copyto(gids[top : top + size[0], left : left + size[1]], above, where=above > 0)
    if not is_infinite:
        return gids
    rows, columns = (np.flatnonzero(gids.any(axis)) for axis in (1, 0))
    if not len(rows):
        raise DataError(f"{name} is an infinite map without tiles: draw some in Tiled.")
    return gids[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _size(table: Table, name: str) -> tuple[int, int]:
    height, width = (_whole(table, side, 1, MAX_CELLS, name) for side in ("height", "width"))
    check_cells(height, width, name)
    return height, width


def _cells(layer: Table, count: int, name: str) -> np.ndarray:
    """Decode the cells of a layer, uint32 `[count]`."""
    data, encoding = layer.get("data"), layer.get("encoding", "csv")
    try:
        if encoding == "base64" and isinstance(data, str):
            packed = base64.b64decode("".join(data.split()), validate=True)
            cells = np.frombuffer(_unpacked(packed, layer.get("compression") or "", 4 * count, name), "<u4")
        elif encoding == "csv" and isinstance(data, (str, list)):
            numbers = data.split(",") if isinstance(data, str) else data
            if len(numbers) == count and all(isinstance(n, (int, str)) and len(str(n)) < 20 for n in numbers):
                cells = np.array([int(n) for n in numbers], np.int64).astype(np.uint32)
            else:
                cells = np.zeros(0, np.uint32)
        else:
            raise DataError(f"{name} has layers in the encoding {quote(encoding)}: save them as CSV or base64.")
    except (ValueError, binascii.Error, zlib.error, OverflowError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} has a damaged layer ({error}): {_SAVE}.") from error
    if len(cells) != count:
        raise DataError(f"{name} has a layer that does not hold the {count:,} cells of the map: {_SAVE}.")
    return cells


def _unpacked(packed: bytes, compression: Any, size: int, name: str) -> bytes:
    """Decompress `size` bytes, or one more where there are more: a short file can claim to be larger than memory."""
    if compression == "":
        return packed
    if compression not in ("zlib", "gzip"):
        raise DataError(f"{name} has layers compressed by {quote(compression)}: choose zlib or gzip in Tiled.")
    return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(packed, size + 1)


def _tileset_of(entry: Table, path: Path, root: Path, name: str) -> TiledTileset:
    """Read the tileset of a map, in a separate file or in the map."""
    source = entry.get("source")
    if source is None:
        return _tileset(entry, path, root, name)
    inner = inside(path, source, root, name)
    if not inner.is_file():
        raise DataError(f"{name} uses the tileset {quote(source)}, which is not there: embed it in the map in Tiled.")
    result = read_tiled_tileset(inner, root, f"The tileset {quote(source)} of {name}")
    return replace(result, source=source.replace("\\", "/"))


def _tileset(table: Table, path: Path, root: Path, name: str) -> TiledTileset:
    classes: dict[int, str] = {}
    for tile in _list(table.get("tiles", []), name):
        label = _table(tile, name).get("class") or tile.get("type") or ""
        if not isinstance(label, str):
            raise DataError(f"{name} has a tile of class {quote(label)}: it must be a text.")
        if label:
            classes[_whole(tile, "id", 0, MAX_LEVELS - 1, name)] = label
    check_texts(classes.values(), f"A class of a tile of {name}", MAX_NAME, DataError)
    pictures = _pictures(table, path, root, name)
    known = max([len(pictures) if pictures else 0, *(number + 1 for number in classes)], default=0)
    count = _whole(table, "tilecount", 0, MAX_LEVELS, name, known)
    return TiledTileset(classes, max(count, known), pictures)


def _pictures(table: Table, path: Path, root: Path, name: str) -> Tileset | None:
    """Cut the picture of a tileset; None where it has none, or it is not there."""
    source = table.get("image")
    if source is None:
        return None
    picture = inside(path, source, root, name)
    if not picture.is_file():
        return None
    height, width = (_whole(table, side, 1, 4096, name) for side in ("tileheight", "tilewidth"))
    margin, spacing = (_whole(table, key, 0, 4096, name, 0) for key in ("margin", "spacing"))
    image = read_picture(picture, f"The picture {quote(source)} of {name}")
    tiles = cut_tiles(image, (height, width), margin=margin, spacing=spacing, count=MAX_LEVELS)
    return Tileset(tiles) if len(tiles) else None


def inside(path: Path, source: Any, root: Path, name: str) -> Path:
    """Return the file that `path` names relative to itself.

    Raises:
        DataError: if it lies outside the folder `root`, or is not a relative path.
    """
    text = source.replace("\\", "/") if isinstance(source, str) else ""
    if not text or "\0" in text or os.path.isabs(text) or ":" in text.split("/")[0]:
        raise DataError(f"{name} names the file {quote(source)}: it must be a path relative to the map.")
    result = Path(os.path.realpath(path.parent / text))
    if not result.is_relative_to(os.path.realpath(root)):
        raise DataError(f"{name} names {quote(source)}, outside {root}: put the file into that folder.")
    return result


def _named(gids: np.ndarray, firsts: list[int], sets: list[TiledTileset], name: str) -> TileMap:
    """Number the tiles of all sets one after another, and name them by their classes where any has one."""
    cells = np.full(gids.shape, EMPTY, np.int32)
    starts = np.cumsum([0, *(tile_set.count for tile_set in sets)])
    for first, tile_set, start in zip(firsts, sets, starts, strict=False):
        here = (gids >= first) & (gids < first + tile_set.count)
        cells[here] = gids[here].astype(np.int64) - first + start
    lost = (gids > 0) & (cells == EMPTY)
    if lost.any():
        raise DataError(f"{name} has the tile {int(gids[lost][0]):,}, which none of its tilesets holds: {_SAVE}.")
    total = int(starts[-1])
    if total > MAX_LEVELS:
        raise DataError(
            f"{name} has tilesets of {total:,} tiles, over the limit of {MAX_LEVELS:,}: remove unused ones."
        )
    pictures = _joined(sets)
    classes = {
        int(s) + i: label for tile_set, s in zip(sets, starts, strict=False) for i, label in tile_set.classes.items()
    }
    if not classes:
        return TileMap(cells, None, pictures)
    used = sorted({*classes, *np.unique(cells[cells >= 0]).tolist()})
    labels = [classes.get(number, f"tile {number}") for number in used]
    names = tuple(dict.fromkeys(labels))
    entry = np.zeros(total + 1, np.int32)
    entry[used] = [names.index(label) for label in labels]
    shown = [used[labels.index(label)] for label in names]  # the first tile of a class stands for it
    chosen = None if pictures is None or max(shown) >= len(pictures) else pictures.take(shown)
    return TileMap(np.where(cells >= 0, entry[cells], EMPTY).astype(np.int32), names, chosen)


def _joined(sets: list[TiledTileset]) -> Tileset | None:
    """Join the pictures of all sets; None where some are missing, or differ in size."""
    if not sets or any(tile_set.tileset is None for tile_set in sets):
        return None
    result = [tile_set.tileset for tile_set in sets if tile_set.tileset is not None]
    if len({tileset.tile_size for tileset in result}) > 1:
        return None
    parts = []
    for tile_set, tileset in zip(sets, result, strict=True):
        blank = np.zeros((max(0, tile_set.count - len(tileset)), *tileset.tiles.shape[1:]), np.uint8)
        parts.append(np.concatenate([tileset.tiles[: tile_set.count], blank]))
    joined = np.concatenate(parts)
    source = sets[0].source if len(sets) == 1 else ""  # numbers of one file
    return Tileset(joined, source, tuple(range(len(joined))) if source else ())
