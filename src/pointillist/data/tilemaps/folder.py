"""Maps of many files as one array of levels: their names joined, all of one size."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pointillist import system
from pointillist.data.options import DataOptions
from pointillist.data.pixels import EXTENSIONS, read_picture
from pointillist.data.raw import RawImages
from pointillist.data.tilemaps.text_grids import (
    LEGEND,
    find_legend,
    given_names,
    read_csv_map,
    read_gslib_map,
    read_text_map,
    symbols_of,
)
from pointillist.data.tilemaps.tiled import read_tiled_map, read_tiled_tileset
from pointillist.data.tilemaps.tileset import EMPTY, SIDE, TileMap, Tileset, cut_tiles
from pointillist.errors import ConfigError, DataError, counted, quote
from pointillist.files.reading import MAX_NAME, check_file, check_texts
from pointillist.images import MAX_LEVELS

TILED = frozenset({".tmj", ".tmx"})
GRIDS = frozenset({".csv", ".txt", ".gslib", ".dat"})
MAP_SUFFIXES = TILED | GRIDS
"""Endings of files that are maps; a picture is one where a tileset is given."""
_SHOWN_NAMES = 20
METADATA = ("metadata.jsonl", "metadata.csv")
"""Names of the files that describe the images of a folder."""


@dataclass(frozen=True)
class MapReader:
    """Reads the maps of a folder.

    Attributes:
        root: folder out of which no file is read.
        options: names, tileset, size.
        suffixes: endings of the files that are maps.
        tileset: pictures of the model's levels, or None.
    """

    root: Path
    options: DataOptions
    suffixes: frozenset[str]
    tileset: Tileset | None = None

    @classmethod
    def find(cls, paths: Iterable[Path], root: Path, options: DataOptions, tiles: Tileset | None) -> MapReader | None:
        """Choose the maps among some files, Tiled's before pictures before text; None if the pictures are not maps.

        Args:
            paths: files of a folder, or one file.
            root: the folder.
            options: how they are to be read.
            tiles: tileset of a model, or None.
        """
        drawn = tiles is not None or options.tileset is not None
        reader = cls(root, options, frozenset(EXTENSIONS), tiles)
        kinds = {p.suffix.lower() for p in paths if not reader.uses(p) and p.name not in METADATA}
        if kinds & TILED:
            return replace(reader, suffixes=TILED)
        if kinds & EXTENSIONS:
            return reader if drawn else None
        return replace(reader, suffixes=GRIDS) if kinds & GRIDS else None

    def takes(self, path: Path) -> bool:
        """Return True if a file is one of the maps."""
        return path.suffix.lower() in self.suffixes and path.name not in METADATA and not self.uses(path)

    def uses(self, path: Path) -> bool:
        """Return True if a file belongs to the maps: a legend, a tileset or its picture."""
        is_tileset = self.options.tileset is not None and path == Path(self.options.tileset)
        tiled = self.suffixes == TILED and path.suffix.lower() in EXTENSIONS
        return is_tileset or tiled or path.name == LEGEND or path.suffix.lower() in (".tsx", ".tsj")

    def read(self, paths: Sequence[Path], name: str) -> tuple[RawImages, np.ndarray]:
        """Read maps into levels `n 1 h w`, and return the index of each map that could be read.

        Smaller maps are in the middle, surrounded by the level `outside`.

        Args:
            paths: the files.
            name: what they are called in messages.

        Raises:
            DataError: if one cannot be read (unless `skip_bad`), or has a cell that is none of the levels.
            ConfigError: if the size is to be changed by stretching.
        """
        bad: list[str] = []
        maps: dict[int, TileMap] = {}
        names, legend = given_names(self.options.level_names)
        pictures = self.read_tileset(names)
        for number, path in enumerate(paths):
            try:
                maps[number] = self._map(path, names, legend, pictures)
            except DataError as error:
                if not self.options.skip_bad:
                    raise
                bad.append(str(error).rstrip("."))
        if not maps:
            raise DataError(f"{name} holds no map that can be read: {bad[0] if bad else 'it is empty'}.")
        result = list(maps.values())
        levels = names or _joined_names(result, name)
        check_texts(levels or (), f"A name of a level of {name}", MAX_NAME, DataError)
        values, notes, levels, count = self._stacked(result, levels, name)
        if bad:
            notes = [f"{counted(len(bad), 'unreadable file')} skipped, the first: {bad[0]}", *notes]
        tileset = pictures or _joined_tileset(result, levels, count)
        if tileset is not None and len(tileset) + 1 < count:  # more is missing than a picture of the outside
            if self.options.tileset is not None:
                raise ConfigError(
                    f"`tileset` (={self.options.tileset}) has {counted(len(tileset), 'tile')}, and the maps have "
                    f"{count:,} levels: give a picture with a tile for each."
                )
            tileset = None
        raw = RawImages(
            values=values,
            kind="levels",
            name=name,
            levels=count,
            notes=tuple(notes),
            level_names=levels,
            tileset=None if tileset is None else tileset.take(range(count)),
        )
        return raw, np.array(list(maps))

    def _map(
        self, path: Path, names: tuple[str, ...] | None, legend: Mapping[str, str] | None, pictures: Tileset | None
    ) -> TileMap:
        name, kind = str(path), path.suffix.lower()
        try:
            if kind in TILED:
                return read_tiled_map(path, self.root, name)
            if kind == ".csv":
                return read_csv_map(path, name)
            if kind in (".gslib", ".dat"):
                return read_gslib_map(path, name)
            if kind == ".txt":
                symbols = legend or find_legend(path, self.root)
                return read_text_map(path, name, symbols or (symbols_of(names) if names else None))
        except OSError as error:
            raise DataError(f"{name} cannot be read ({error}): check the path.") from error
        if pictures is None:
            raise ConfigError(f"{name} is a drawn map: give the `tileset` with which it was drawn.")
        picture = np.asarray(read_picture(path, name).convert("RGBA"))
        return TileMap(pictures.cut(picture, name), names, pictures)

    def read_tileset(self, names: tuple[str, ...] | None) -> Tileset | None:
        """Read the tileset of the options, with a tile for each name; else the tileset of the model.

        Raises:
            DataError: if it is not there, or holds no tiles.
        """
        if self.options.tileset is None:
            return self.tileset
        path = Path(self.options.tileset)
        name = f"`tileset` (={path})"
        check_file(path, name=name, remedy="give a PNG, or a tileset of Tiled (.tsx, .tsj)")
        if path.suffix.lower() in (".tsx", ".tsj", ".json", ".xml"):
            result = read_tiled_tileset(path, path.parent, name)
            if result.tileset is None:
                raise DataError(f"{name} has no picture next to it: put the PNG there that it names.")
            tiled = replace(result.tileset, source=path.name, numbers=tuple(range(len(result.tileset))))
            if names is not None and result.classes:
                number = {label: i for i, label in sorted(result.classes.items(), reverse=True)}
                missing = [label for label in names if label not in number]
                if not missing:
                    return tiled.take([number[label] for label in names])
            return tiled
        height, width = self.options.tile_size or (SIDE, SIDE)
        tiles = cut_tiles(read_picture(path, name), (height, width), count=MAX_LEVELS)
        if not len(tiles):
            raise DataError(f"{name} holds no tile of {height}x{width}: set `tile_size`.")
        return Tileset(tiles)

    def _stacked(
        self, maps: Sequence[TileMap], names: tuple[str, ...] | None, name: str
    ) -> tuple[np.ndarray, list[str], tuple[str, ...] | None, int]:
        """Return the levels of all maps at one size, notes, and the names and number of levels."""
        options = self.options
        sizes = {m.cells.shape for m in maps}
        height, width = options.size or (max(h for h, _ in sizes), max(w for _, w in sizes))
        other = sizes - {(height, width)}
        if other and options.resize_mode in ("stretch", "require"):
            h, w = min(other)
            raise DataError(
                f"{name} has a map of {h}x{w}, not {height}x{width}, and `resize_mode` is {options.resize_mode!r}: "
                "maps are cropped or padded, never scaled, so leave it out."
            )
        smaller = any(h < height or w < width for h, w in sizes)
        system.check_memory(len(maps) * height * width * 2, name, "choose a smaller `size` or fewer maps")
        values = np.full((len(maps), 1, height, width), EMPTY, np.int32)
        for out, each in zip(values, maps, strict=True):
            _place(_levels(each, names, name), out[0])
        count = len(names) if names else int(values.max()) + 1
        notes = [_described(names)] if names else []
        if smaller or (values == EMPTY).any():
            outside, names, count = self._outside(names, count, name)
            called = f"the level {options.outside!r}" if names else f"level {outside}, the {options.outside}"
            notes.append(f"empty cells are {called}")
            values[values == EMPTY] = outside
        if other:
            small, large = min(sizes), max(sizes)
            notes.append(
                f"maps of {small[0]}x{small[1]} to {large[0]}x{large[1]} brought to {height}x{width}: the middle of "
                "larger ones, and smaller ones in the middle of empty cells"
            )
        count = max(2, count)
        return values.astype(np.uint8 if count <= 256 else np.uint16), notes, names, count

    def _outside(self, names: tuple[str, ...] | None, count: int, name: str) -> tuple[int, tuple[str, ...] | None, int]:
        """Return the level of empty cells, which is added where the levels are not fixed by a model."""
        outside, fixed = self.options.outside, self.options.levels
        if names is not None and outside in names:
            return names.index(outside), names, count
        if fixed is not None and count >= fixed:
            raise DataError(
                f"{name} has empty cells, or a map that is smaller than the others, and no level is called "
                f"{outside!r}: fill the cells, or name the level for them with `outside`."
            )
        return count, None if names is None else (*names, outside), count + 1


def add_names(raw: RawImages, options: DataOptions) -> RawImages:
    """Add the names and the tileset of the options to levels that come without."""
    names = raw.level_names or given_names(options.level_names)[0]
    tileset = raw.tileset
    if tileset is None and options.tileset is not None:
        tileset = MapReader(Path(), options, MAP_SUFFIXES).read_tileset(names)
    return replace(raw, level_names=names, tileset=tileset)


def _joined_names(maps: Sequence[TileMap], name: str) -> tuple[str, ...] | None:
    """Join the names of all maps, in the order in which they appear; None where none has names.

    Names that each map has in alphabetical order, as cells that are names have, stay so: a tileset is drawn in that
    order, and a further map must not change it.
    """
    if all(m.names is None for m in maps):
        return None
    if any(m.names is None for m in maps):
        raise DataError(f"{name} has maps with names of cells and maps with numbers: give the names as `level_names`.")
    joined = tuple(dict.fromkeys(label for m in maps for label in m.names or ()))
    alphabetical = all(list(m.names or ()) == sorted(m.names or ()) for m in maps)
    return tuple(sorted(joined)) if alphabetical else joined


def _described(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _SHOWN_NAMES else ""
    return f"{len(names):,} named levels: {', '.join(names[:_SHOWN_NAMES])}{more}"


def _levels(each: TileMap, names: tuple[str, ...] | None, name: str) -> np.ndarray:
    if each.names is None or names is None or each.names == names:
        if names is not None and each.cells.max() >= len(names):
            raise DataError(f"{name} has the level {each.cells.max()}, and {len(names)} names: name them all.")
        return each.cells
    used = set(np.unique(each.cells[each.cells >= 0]).tolist())
    unknown = [label for i, label in enumerate(each.names) if i in used and label not in names]
    if unknown:
        raise DataError(
            f"{name} has a cell of {quote(unknown[0])}, which is none of the levels {', '.join(names[:20])}: rename it."
        )
    place = {label: i for i, label in enumerate(names)}
    entry = np.array([*(place.get(label, EMPTY) for label in each.names), EMPTY], np.int32)
    result: np.ndarray = entry[each.cells]  # the last entry is for empty cells
    return result


def _joined_tileset(maps: Sequence[TileMap], names: tuple[str, ...] | None, count: int) -> Tileset | None:
    """Choose the first picture of each level; None where one is missing, but for the outside."""
    sized = [m for m in maps if m.tileset is not None]
    if not sized:
        return None
    first = sized[0].tileset
    if names is None:
        return first
    assert first is not None
    result: dict[str, Tileset] = {}
    for each in sized:
        if each.tileset is not None and each.tileset.tile_size == first.tile_size:
            for row, label in enumerate((each.names or ())[: len(each.tileset)]):
                result.setdefault(label, each.tileset.take([row]))
    missing = [label for label in names if label not in result]
    if len(missing) > 1:
        return None
    tiles = [result.get(label, first.take([len(first)])) for label in names]
    sources = {tile.source for tile in tiles}
    numbers = tuple(number for tile in tiles for number in tile.numbers) if len(sources) == 1 else ()
    return Tileset(np.concatenate([tile.tiles for tile in tiles]), sources.pop() if numbers else "", numbers)


def _place(cells: np.ndarray, out: np.ndarray) -> None:
    """Write the middle of `cells` into the middle of `out`."""
    ours, theirs = [], []
    for have, want in zip(cells.shape, out.shape, strict=True):
        length = min(have, want)
        ours.append(slice((have - length) // 2, (have - length) // 2 + length))
        theirs.append(slice((want - length) // 2, (want - length) // 2 + length))
    out[tuple(theirs)] = cells[tuple(ours)]
