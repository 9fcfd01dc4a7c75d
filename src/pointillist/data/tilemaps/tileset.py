"""Tilesets, a picture for each level of a map, and a map as a file holds it, before its kinds become levels."""

from __future__ import annotations

import colorsys
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from pointillist import system
from pointillist.data.pixels import read_picture
from pointillist.errors import CheckpointError, DataError
from pointillist.files.reading import MAX_NAME
from pointillist.images import MAX_LEVELS, clean_alpha
from pointillist.images.array_types import Int, UInt8

SIDE = 16
"""Side of a plain tile, in pixels."""
_SOURCE = "pointillist-source"  # text of a PNG: where its tiles are from
_GOLDEN = (math.sqrt(5) - 1) / 2  # steps of this part of the circle keep hues apart, however many there are


@dataclass(frozen=True)
class Tileset:
    """A picture for each level of a map.

    ```python
    tileset = plain_tileset(4)
    tileset.draw(np.array([[0, 1], [2, 3]])).shape  # (32, 32, 4)
    ```

    Attributes:
        tiles: RGBA pixels, `[k th tw 4]`, one tile for each level; transparent pixels are zero.
        source: the tileset of Tiled that the maps name, such as `tiles.tsx`; empty for none, or several.
        numbers: number of each tile in `source`; -1 for a level that is not in it.
    """

    tiles: UInt8[np.ndarray, "k th tw 4"]
    source: str = ""
    numbers: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.tiles)

    def __repr__(self) -> str:
        count, height, width = self.tiles.shape[:3]
        return f"Tileset({count:,} tiles of {height}x{width})"

    def take(self, rows: Sequence[int]) -> Tileset:
        """Return the tiles of some rows; beyond the last one a transparent tile, which is not in the source."""
        pixels = np.zeros((len(rows), *self.tiles.shape[1:]), np.uint8)
        here = [row < len(self) for row in rows]
        pixels[here] = self.tiles[[row for row in rows if row < len(self)]]
        numbers = tuple(self.numbers[row] if row < len(self) else -1 for row in rows) if self.source else ()
        return Tileset(pixels, self.source, numbers)

    @property
    def tile_size(self) -> tuple[int, int]:
        """Height and width of a tile in pixels."""
        return self.tiles.shape[1], self.tiles.shape[2]

    @property
    def columns(self) -> int:
        """Number of columns of the picture: the least whose square holds all tiles."""
        return columns_of(len(self))

    def draw(self, levels: Int[np.ndarray, "*n h w"]) -> UInt8[np.ndarray, "*n H W 4"]:
        """Draw maps with the tiles, side by side.

        Raises:
            DataError: if the picture does not fit in memory.
        """
        height, width = self.tile_size
        system.check_memory(levels.size * height * width * 8, "A picture of the map", "draw a smaller part")
        drawn = self.tiles[levels]  # (..., h, w, th, tw, 4)
        *n, h, w = levels.shape
        picture: np.ndarray = np.moveaxis(drawn, -4, -3).reshape(*n, h * height, w * width, 4)
        return picture

    def fitting(self, cells: int, max_pixels: int) -> Tileset:
        """Return the set, its tiles shrunk by a whole factor if `cells` of them would have more than `max_pixels`."""
        height, width = self.tile_size
        factors = [f for f in range(1, min(height, width) + 1) if height % f == 0 == width % f]
        factor = next((f for f in factors if cells * (height // f) * (width // f) <= max_pixels), factors[-1])
        return self if factor == 1 else Tileset(self._means(factor, factor))

    def mean_colours(self) -> UInt8[np.ndarray, "k 4"]:
        """Return the mean RGBA colour of each tile, in which opaque pixels count most.

        ```python
        plain_tileset(4).mean_colours()[0].tolist()  # [26, 26, 31, 255]
        ```
        """
        return self._means(*self.tile_size)[:, 0, 0]

    def _means(self, high: int, wide: int) -> UInt8[np.ndarray, "k th tw 4"]:
        """Average each block of `high` x `wide` pixels; colours are weighted by their alpha."""
        height, width = self.tile_size
        blocks = self.tiles.reshape(len(self), height // high, high, width // wide, wide, 4).astype(np.float64)
        weight = blocks[..., 3:].sum((2, 4))
        colour = (blocks[..., :3] * blocks[..., 3:]).sum((2, 4)) / np.maximum(weight, 1)
        alpha = blocks[..., 3:].mean((2, 4))
        means: np.ndarray = np.rint(np.concatenate([colour, alpha], -1)).astype(np.uint8)
        return means

    def cut(self, picture: UInt8[np.ndarray, "H W 4"], name: str) -> Int[np.ndarray, "h w"]:
        """Find the tile of every cell of a drawn map; `draw` inverts it. Of equal tiles the first is found.

        Raises:
            DataError: if the sides are not multiples of the sides of a tile, or a cell shows no tile of the set.
        """
        height, width = self.tile_size
        h, w = picture.shape[0] // height, picture.shape[1] // width
        if picture.shape[:2] != (h * height, w * width) or not h * w:
            raise DataError(
                f"{name} has {picture.shape[0]}x{picture.shape[1]} pixels, no multiple of the tiles of "
                f"{height}x{width}: give its own tileset, and `tile_size`."
            )
        cells = clean_alpha(picture).reshape(h, height, w, width, 4).swapaxes(1, 2).reshape(h * w, -1)
        known: dict[bytes, int] = {}
        for number, tile in enumerate(self.tiles):
            known.setdefault(tile.tobytes(), number)
        result = np.array([known.get(cell.tobytes(), -1) for cell in cells], np.int32).reshape(h, w)
        if (result < 0).any():
            row, column = np.argwhere(result < 0)[0].tolist()
            raise DataError(
                f"{name} shows at row {row}, column {column} no tile of the set: give the tileset that it was "
                "drawn with."
            )
        return result

    def picture(self) -> Image.Image:
        """Draw the set itself: its tiles in reading order, near a square."""
        rows = -(-len(self) // self.columns)
        height, width = self.tile_size
        sheet = np.zeros((rows * height, self.columns * width, 4), np.uint8)
        for number, tile in enumerate(self.tiles):
            row, column = divmod(number, self.columns)
            sheet[row * height : (row + 1) * height, column * width : (column + 1) * width] = tile
        image = Image.fromarray(sheet)
        return image if (sheet[..., 3] < 255).any() else image.convert("RGB")

    def write(self, path: Path) -> None:
        """Write the picture of the set as PNG, in which a text names the source of the tiles; `read` reads it."""
        info = PngImagePlugin.PngInfo()
        if self.source:
            info.add_itxt(_SOURCE, json.dumps([self.source, *self.numbers], ensure_ascii=False))
        self.picture().save(path, format="PNG", pnginfo=info)

    @classmethod
    def read(cls, path: Path, count: int) -> Tileset:
        """Read the tileset of a model folder, a picture of `count` tiles.

        Raises:
            CheckpointError: if it cannot be read, or has another number of tiles.
        """
        try:
            picture = read_picture(path, str(path))
            return replace(cls.from_picture(picture, count, str(path)), **_source_of(picture, count))
        except DataError as error:
            raise CheckpointError(str(error)) from error

    @classmethod
    def from_picture(cls, image: Image.Image, count: int, name: str) -> Tileset:
        """Read the picture that `picture` draws of a set of `count` tiles.

        Raises:
            DataError: if its sides do not divide into the rows and columns.
        """
        columns = columns_of(count)
        rows = -(-count // columns)
        if image.height % rows or image.width % columns or not image.width or not image.height:
            raise DataError(
                f"{name} of {image.width}x{image.height} pixels does not divide into {columns} columns and {rows} "
                f"rows, for {count:,} tiles: write it again."
            )
        return cls(cut_tiles(image, (image.height // rows, image.width // columns), count=count))


def _source_of(picture: Image.Image, count: int) -> dict[str, Any]:
    """Read the source of the tiles, which a stranger may have written; another text is ignored."""
    try:
        source, *numbers = json.loads(picture.info.get(_SOURCE, ""))
    except (ValueError, TypeError, RecursionError):
        return {}
    name = isinstance(source, str) and 0 < len(source) <= MAX_NAME and source.isprintable()
    known = len(numbers) == count and all(type(number) is int and -1 <= number < MAX_LEVELS for number in numbers)
    return {"source": source, "numbers": tuple(numbers)} if name and known else {}


def columns_of(count: int) -> int:
    """Return the number of columns of the picture of `count` tiles."""
    return math.isqrt(max(count, 1) - 1) + 1


def cut_tiles(
    image: Image.Image, tile_size: tuple[int, int], *, margin: int = 0, spacing: int = 0, count: int | None = None
) -> UInt8[np.ndarray, "k th tw 4"]:
    """Cut a picture into tiles in reading order; a part at the right or the bottom that holds no whole tile is left.

    Args:
        tile_size: height and width of a tile.
        margin: pixels around all tiles.
        spacing: pixels between tiles.
        count: most tiles to cut.
    """
    pixels = clean_alpha(np.asarray(image.convert("RGBA")))
    height, width = tile_size
    tops = range(margin, pixels.shape[0] - height - margin + 1, height + spacing)
    lefts = range(margin, pixels.shape[1] - width - margin + 1, width + spacing)
    places = [(top, left) for top in tops for left in lefts][:count]
    if not places:
        return np.zeros((0, height, width, 4), np.uint8)
    return np.stack([pixels[top : top + height, left : left + width] for top, left in places])


def plain_tileset(levels: int) -> Tileset:
    """Make plain tiles of distinct colours, for maps without pictures."""
    colours = [
        colorsys.hsv_to_rgb(k * _GOLDEN % 1, 0.55 + 0.35 * (k % 2), 0.95 - 0.25 * (k % 3)) for k in range(levels)
    ]
    colours[0] = (0.1, 0.1, 0.12)
    rgb = np.rint(255 * np.array(colours)).astype(np.uint8)
    tiles = np.full((levels, SIDE, SIDE, 4), 255, np.uint8)
    tiles[..., :3] = rgb[:, None, None]
    return Tileset(tiles)


MAX_CELLS = 16_777_216
"""Most cells of a map: 4,096 x 4,096."""
EMPTY = -1
"""Value of a cell without a tile."""


@dataclass(frozen=True)
class TileMap:
    """A map.

    Attributes:
        cells: int32 `[h w]`: positions in `names`, or numbers of levels if they have no names; EMPTY for none.
        names: kinds of cell, or None where the file only numbers them.
        tileset: a picture of each name or number, or None.
    """

    cells: np.ndarray
    names: tuple[str, ...] | None = None
    tileset: Tileset | None = None


def check_cells(height: int, width: int, name: str) -> None:
    """Reject a map of no cells, or of more than MAX_CELLS, before memory is taken for it.

    Raises:
        DataError: naming the size.
    """
    if height < 1 or width < 1 or height * width > MAX_CELLS:
        raise DataError(
            f"{name} claims {height:,} x {width:,} cells, which must be 1 to {MAX_CELLS:,} together: cut it into parts."
        )
