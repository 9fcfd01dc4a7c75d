"""Read maps and tilesets of Tiled, in JSON or XML, with every size checked before memory is taken for it.

https://doc.mapeditor.org/en/stable/reference/json-map-format/ and .../tmx-map-format/ describe the files. Tile layers
are flattened, the upper over the lower; objects and images are left out. A file that a map names is read only within
the folder of the data.
"""

from __future__ import annotations

import base64
import os
import xml.etree.ElementTree as ET
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from pointillist.data.pixels import read_picture
from pointillist.data.tilemaps.tileset import EMPTY, MAX_CELLS, TileMap, Tileset, check_cells, cut_tiles
from pointillist.errors import DataError, quote
from pointillist.files.reading import MAX_DEPTH, MAX_NAME, check_file, parse_model, read_json
from pointillist.images import MAX_LEVELS

MAX_BYTES = 256 * 2**20
_FLAGS = np.uint32(0xF000_0000)  # a tile may be flipped or rotated: its level is the same
_SAVE = "save it again with Tiled"
_Number = Annotated[int, Field(ge=0, lt=2**32)]
_Place = Annotated[int, Field(ge=-(2**30), le=2**30)]
_Side = Annotated[int, Field(ge=1, le=MAX_CELLS)]
_Pixels = Annotated[int, Field(ge=0, le=4096)]
_Data = Annotated[list[_Number] | str, Field(union_mode="left_to_right")]


class _Table(BaseModel):
    """A table of Tiled, with the keys that are read; numbers of XML are texts."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, defer_build=True)


class _Chunk(_Table):
    """A part of an infinite layer."""

    height: _Side
    width: _Side
    y: _Place
    x: _Place
    data: _Data


class _Layer(_Table):
    """A layer of any type; a group has layers, a layer of an infinite map chunks."""

    type: str = ""
    layers: list[_Layer] = []
    chunks: list[_Chunk] = []
    height: int = 0
    width: int = 0
    data: _Data = ""
    encoding: Literal["csv", "base64"] = "csv"
    compression: Literal["", "zlib", "gzip"] = ""


class _Tile(_Table):
    """A tile and its class, which has had two names."""

    id: Annotated[int, Field(ge=0, lt=MAX_LEVELS)]
    label: Annotated[str, Field(max_length=MAX_NAME, validation_alias=AliasChoices("class", "type"))] = ""


class _TileSet(_Table):
    """A tileset, or where in a map which file of one belongs."""

    firstgid: Annotated[int, Field(ge=1, le=2**28)] = 1
    source: str = ""
    tiles: list[_Tile] = []
    tilecount: Annotated[int, Field(ge=0, le=MAX_LEVELS)] = 0
    image: str = ""
    tileheight: _Pixels = 0
    tilewidth: _Pixels = 0
    margin: _Pixels = 0
    spacing: _Pixels = 0


class _Map(_Table):
    orientation: Literal["orthogonal"] = "orthogonal"
    infinite: bool = False
    height: _Side
    width: _Side
    layers: list[_Layer]
    tilesets: list[_TileSet]


def _read(path: Path, name: str) -> Any:
    """Read JSON, or XML as a table with the keys of Tiled's JSON.

    Raises:
        DataError: if it is neither, has a document type, or is nested too deeply.
    """
    if path.suffix.lower() not in (".tmx", ".tsx", ".xml"):
        return read_json(path, _SAVE)
    root = _parse(path, name)
    if root.tag == "map":
        tilesets = [_tileset_of_xml(element) for element in root.iterfind("tileset")]
        return {**root.attrib, "layers": _layers(root, name), "tilesets": tilesets}
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


def _layers(parent: ET.Element, name: str, depth: int = 0) -> list[object]:
    if depth > MAX_DEPTH:
        raise DataError(f"{name} is nested more than {MAX_DEPTH} deep: save it again with Tiled.")
    layers: list[object] = []
    for element in parent:
        if element.tag == "group":
            layers.append({"type": "group", "layers": _layers(element, name, depth + 1)})
        elif element.tag == "layer":
            data = element.find("data")
            if data is None:
                raise DataError(f"{name} has a layer without data: save it again with Tiled.")
            chunks = [{**chunk.attrib, "data": _numbers(chunk, data)} for chunk in data.iterfind("chunk")]
            content = {"chunks": chunks} if chunks else {"data": _numbers(data, data)}
            layers.append({**element.attrib, "type": "tilelayer", **data.attrib, **content})
    return layers


def _numbers(cells: ET.Element, data: ET.Element) -> str | list[str]:
    """Return the tiles of a layer or a chunk: text, or numbers where each is an element."""
    return (
        [tile.get("gid", "0") for tile in cells.iterfind("tile")] if data.get("encoding") is None else cells.text or ""
    )


def _tileset_of_xml(element: ET.Element) -> dict[str, object]:
    image = element.find("image")
    picture = {} if image is None else {"image": image.get("source", "")}
    return {**element.attrib, **picture, "tiles": [tile.attrib for tile in element.iterfind("tile")]}


@dataclass(frozen=True)
class TiledTileset:
    """Tiles that a map refers to by number.

    Attributes:
        classes: class of each tile that has one, by its number in the set.
        count: number of tiles.
        tileset: their pictures, or None where the picture is not there.
        source: name of its file as the map has it; empty where it is in the map.
        first: number of its first tile in the map.
    """

    classes: Mapping[int, str]
    count: int
    tileset: Tileset | None
    source: str = ""
    first: int = 1


def read_tiled_map(path: Path, root: Path, name: str) -> TileMap:
    """Read a `.tmj` or `.tmx`: the classes of its tiles are the names of levels; without any, their numbers count.

    Of an infinite map it is the smallest rectangle that holds all tiles.

    Args:
        root: folder out of which no file is read.
        name: what the map is called in messages.

    Raises:
        DataError: if it is damaged, not orthogonal, without tiles, or refers to a file outside `root`.
    """
    tree = parse_model(_Map, _read(path, name), "a map of Tiled", name, _SAVE)
    layers = list(_tile_layers(tree.layers))
    if not layers:
        raise DataError(f"{name} has no tile layer: draw the map on one in Tiled.")
    gids = _flattened(tree, layers, name)
    return _named(gids, [_placed(tile_set, path, root, name) for tile_set in tree.tilesets], name)


def read_tiled_tileset(path: Path, root: Path, name: str) -> TiledTileset:
    """Read a `.tsx` or `.tsj`.

    Raises:
        DataError: if it is damaged, or its picture lies outside `root`.
    """
    table = parse_model(_TileSet, _read(path, name), "a tileset of Tiled", name, _SAVE)
    return _tileset(table, path, root, name)


def _tile_layers(layers: Sequence[_Layer]) -> Iterator[_Layer]:
    """Yield the tile layers from the lowest to the highest, layers of groups in their place."""
    for layer in layers:
        if layer.type == "group":
            yield from _tile_layers(layer.layers)
        elif layer.type == "tilelayer":
            yield layer


def _flattened(tree: _Map, layers: list[_Layer], name: str) -> np.ndarray:
    """Flatten the layers of a map, uint32 `[h w]`; of the chunks of an infinite map, the rectangle with its tiles."""
    if not tree.infinite and any((layer.height, layer.width) != (tree.height, tree.width) for layer in layers):
        raise DataError(f"{name} has a layer of another size than the map: {_SAVE}.")
    whole = _Chunk(height=tree.height, width=tree.width, y=0, x=0, data="")
    chunks = [(chunk, layer) for layer in layers for chunk in (layer.chunks if tree.infinite else [whole])]
    if sum(chunk.height * chunk.width for chunk, _ in chunks) > len(layers) * MAX_CELLS:
        raise DataError(f"{name} has chunks of over {MAX_CELLS:,} cells in a layer: cut it into parts.")
    top, left = (min((getattr(chunk, axis) for chunk, _ in chunks), default=0) for axis in "yx")
    height = max((chunk.y + chunk.height for chunk, _ in chunks), default=top + 1) - top
    width = max((chunk.x + chunk.width for chunk, _ in chunks), default=left + 1) - left
    check_cells(height, width, name)
    gids = np.zeros((height, width), np.uint32)
    for chunk, layer in chunks:
        cells = _cells(layer.data if chunk is whole else chunk.data, layer, chunk.height * chunk.width, name)
        above = cells.reshape(chunk.height, chunk.width) & ~_FLAGS
        below = gids[chunk.y - top :, chunk.x - left :][: chunk.height, : chunk.width]
        np.copyto(below, above, where=above > 0)
    if not tree.infinite:
        return gids
    rows, columns = (np.flatnonzero(gids.any(axis)) for axis in (1, 0))
    if not len(rows):
        raise DataError(f"{name} is an infinite map without tiles: draw some in Tiled.")
    return gids[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _cells(data: list[int] | str, layer: _Layer, count: int, name: str) -> np.ndarray:
    """Decode cells, uint32 `[count]`; of compressed ones at most one more, as a short file can claim any number."""
    try:
        if isinstance(data, list):
            cells = np.array(data, np.uint32)
        elif layer.encoding == "csv":
            cells = np.array(data.split(","), np.int64).astype(np.uint32)
        else:
            packed = base64.b64decode("".join(data.split()), validate=True)
            if layer.compression:
                packed = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(packed, 4 * count + 1)
            cells = np.frombuffer(packed, "<u4")
    except (ValueError, zlib.error, OverflowError) as error:
        raise DataError(f"{name} has a damaged layer ({error}): {_SAVE}.") from error
    if len(cells) != count:
        raise DataError(f"{name} has a layer that does not hold the {count:,} cells of the map: {_SAVE}.")
    return cells


def _placed(table: _TileSet, path: Path, root: Path, name: str) -> TiledTileset:
    """Read the tileset of a map, in a separate file or in the map."""
    if not table.source:
        return replace(_tileset(table, path, root, name), first=table.firstgid)
    inner = inside(path, table.source, root, name)
    if not inner.is_file():
        raise DataError(
            f"{name} uses the tileset {quote(table.source)}, which is not there: embed it in the map in Tiled."
        )
    result = read_tiled_tileset(inner, root, f"The tileset {quote(table.source)} of {name}")
    return replace(result, source=table.source.replace("\\", "/"), first=table.firstgid)


def _tileset(table: _TileSet, path: Path, root: Path, name: str) -> TiledTileset:
    classes = {tile.id: tile.label for tile in table.tiles if tile.label}
    pictures = _pictures(table, path, root, name)
    known = max([len(pictures) if pictures else 0, *(number + 1 for number in classes)])
    return TiledTileset(classes, max(table.tilecount, known), pictures)


def _pictures(table: _TileSet, path: Path, root: Path, name: str) -> Tileset | None:
    """Cut the picture of a tileset; None where it has none, or it is not there."""
    if not (table.image and table.tileheight and table.tilewidth):
        return None
    picture = inside(path, table.image, root, name)
    if not picture.is_file():
        return None
    image = read_picture(picture, f"The picture {quote(table.image)} of {name}")
    size = table.tileheight, table.tilewidth
    tiles = cut_tiles(image, size, margin=table.margin, spacing=table.spacing, count=MAX_LEVELS)
    return Tileset(tiles) if len(tiles) else None


def inside(path: Path, source: str, root: Path, name: str) -> Path:
    """Return the file that `path` names relative to itself.

    Raises:
        DataError: if it lies outside the folder `root`, or is not a relative path.
    """
    text = source.replace("\\", "/")
    if "\0" in text or os.path.isabs(text) or ":" in text.split("/")[0]:
        raise DataError(f"{name} names the file {quote(source)}: it must be a path relative to the map.")
    result = Path(os.path.realpath(path.parent / text))
    if not result.is_relative_to(os.path.realpath(root)):
        raise DataError(f"{name} names {quote(source)}, outside {root}: put the file into that folder.")
    return result


def _named(gids: np.ndarray, sets: list[TiledTileset], name: str) -> TileMap:
    """Number the tiles of all sets one after another, and name them by their classes where any has one."""
    cells = np.full(gids.shape, EMPTY, np.int32)
    starts = np.cumsum([0, *(tile_set.count for tile_set in sets)])
    for tile_set, start in zip(sets, starts, strict=False):
        here = (gids >= tile_set.first) & (gids < tile_set.first + tile_set.count)
        cells[here] = gids[here].astype(np.int64) - tile_set.first + start
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
