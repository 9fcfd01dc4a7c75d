"""Read Tiled's XML (`.tmx`, `.tsx`) as the tables of its JSON; a document type, and so every entity, is rejected."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from xml.parsers import expat

from pointillist.errors import DataError
from pointillist.files.reading import MAX_DEPTH, check_file

MAX_BYTES = 256 * 2**20
_WHOLE = {
    "id",
    "x",
    "y",
    "firstgid",
    "width",
    "height",
    "tilewidth",
    "tileheight",
    "tilecount",
    "columns",
    "margin",
    "spacing",
    "infinite",
    "gid",
}


def read_xml(path: Path, name: str) -> dict[str, Any]:
    """Read a map or a tileset as a table with the keys of Tiled's JSON.

    Raises:
        DataError: if it is not Tiled XML, has a document type, or is nested too deeply.
    """
    root = _parse(path, name)
    if root.tag == "map":
        return _map(root, name)
    if root.tag == "tileset":
        return _tileset(root, name)
    raise DataError(f"{name} is XML, but no map or tileset of Tiled: its first element is <{root.tag[:50]}>.")


def _parse(path: Path, name: str) -> ET.Element:
    builder, depth = ET.TreeBuilder(), 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise DataError(f"{name} is nested more than {MAX_DEPTH} deep: save it again with Tiled.")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def reject(*_: object) -> None:
        raise DataError(f"{name} declares a document type, which no map of Tiled does: remove it.")

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, builder.data
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = reject
    parser.buffer_text = True
    try:
        check_file(path)
        if path.stat().st_size > MAX_BYTES:
            raise DataError(f"{name} has over {MAX_BYTES:,} bytes: save its layers compressed, or cut it into parts.")
        parser.Parse(path.read_bytes(), True)
    except (OSError, expat.ExpatError, ValueError, LookupError) as error:  # the last for an unknown encoding
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} cannot be read as XML ({error}): save it again with Tiled.") from error
    return builder.close()


def _attributes(element: ET.Element, name: str) -> dict[str, Any]:
    """Return the attributes of an element, those that count as integers."""
    result: dict[str, Any] = {}
    for key, text in element.attrib.items():
        if key in _WHOLE:
            if not text.lstrip("-").isdecimal() or len(text) > 18:
                raise DataError(f"{name} has {key}={text[:50]!r} in <{element.tag[:50]}>: it must be a whole number.")
            result[key] = int(text)
        else:
            result[key] = text
    return result


def _map(root: ET.Element, name: str) -> dict[str, Any]:
    result = _attributes(root, name)
    result["layers"] = _layers(root, name)
    result["tilesets"] = [_tileset(element, name) for element in root.iterfind("tileset")]
    return result


def _layers(parent: ET.Element, name: str) -> list[dict[str, Any]]:
    layers: list[dict[str, Any]] = []
    for element in parent:
        if element.tag == "group":
            layers.append({"type": "group", "layers": _layers(element, name)})
        elif element.tag == "layer":
            layers.append({**_attributes(element, name), "type": "tilelayer", **_data(element, name)})
    return layers


def _data(layer: ET.Element, name: str) -> dict[str, Any]:
    element = layer.find("data")
    if element is None:
        raise DataError(f"{name} has a layer without data: save it again with Tiled.")
    encoding = element.get("encoding")
    keys = {} if encoding is None else {"encoding": encoding, "compression": element.get("compression", "")}
    if element.find("chunk") is not None:
        chunks = [{**_attributes(chunk, name), "data": _numbers(chunk, encoding, name)} for chunk in element]
        return {**keys, "chunks": chunks}
    return {**keys, "data": _numbers(element, encoding, name)}


def _numbers(element: ET.Element, encoding: str | None, name: str) -> Any:
    """Return the tiles of a layer or a chunk: text, or numbers where each is an element."""
    if encoding is None:
        return [_attributes(tile, name).get("gid", 0) for tile in element.iterfind("tile")]
    return element.text or ""


def _tileset(element: ET.Element, name: str) -> dict[str, Any]:
    result = _attributes(element, name)
    image = element.find("image")
    if image is not None:
        result["image"] = image.get("source", "")
    result["tiles"] = [_attributes(tile, name) for tile in element.iterfind("tile")]
    return result
