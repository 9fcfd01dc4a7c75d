"""Read Tiled's XML (`.tmx`, `.tsx`) as the tables of its JSON, with numbers as text; a document type is rejected."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from pointillist.errors import DataError
from pointillist.files.reading import MAX_DEPTH, check_file

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
        return _tileset(root)
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
    tilesets = [_tileset(element) for element in root.iterfind("tileset")]
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


def _tileset(element: ET.Element) -> dict[str, Any]:
    image = element.find("image")
    picture = {} if image is None else {"image": image.get("source", "")}
    return {**element.attrib, **picture, "tiles": [tile.attrib for tile in element.iterfind("tile")]}
