"""Grids of images with captions, or with a name for each row and each column, such as prompts by styles."""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pointillist.errors import ConfigError, ShapeError, counted
from pointillist.images import SHEET
from pointillist.images.visualization.pixels import INK, PAPER, Colour, as_colour, check_images, enlarge, text_colour

MAX_IMAGES = 1024
MAX_PIXELS = 16_000_000  # of a whole grid
MAX_SIDE = 4096  # of one image on it, if enlarging would pass it
CAPTION = 13  # font size in pixels
_CAPTION_WIDTH = 160  # captions widen narrow images up to this
_MEASURED = 4  # characters of a text that are measured for each pixel of its place
_ASPECT = 1.5  # target ratio of width to height


@dataclass(frozen=True)
class Grid:
    """Layout of an image grid, in pixels of the result.

    Attributes:
        count, columns: number of images shown, and of columns.
        scale: edge of the square that shows one pixel.
        width, height: size of one enlarged image.
        cell_width, cell_height: size of a cell, caption included.
        gap, margin: space between cells, and around all of them.
        footer: height of the line below the cells.
    """

    count: int
    columns: int
    scale: int
    width: int
    height: int
    cell_width: int
    cell_height: int
    gap: int
    margin: int
    footer: int = 0

    @property
    def rows(self) -> int:
        return math.ceil(self.count / self.columns)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the whole grid."""
        width = 2 * self.margin + self.columns * (self.cell_width + self.gap) - self.gap
        height = 2 * self.margin + self.rows * (self.cell_height + self.gap) - self.gap + self.footer
        return width, height

    def corner(self, index: int) -> tuple[int, int]:
        """Return the left and top of an image."""
        row, column = divmod(index, self.columns)
        left = self.margin + column * (self.cell_width + self.gap) + (self.cell_width - self.width) // 2
        return left, self.margin + row * (self.cell_height + self.gap)


@lru_cache
def font(size: int = CAPTION) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Return Pillow's default font."""
    return ImageFont.load_default(size)


def plan_grid(
    count: int,
    height: int,
    width: int,
    *,
    captions: Sequence[str] | None = None,
    columns: int | None = None,
    scale: int | None = None,
    max_pixels: int = MAX_PIXELS,
    max_images: int = MAX_IMAGES,
) -> Grid:
    """Choose the largest layout within the limits; images beyond `max_images` are counted in the footer.

    Raises:
        ConfigError, ShapeError: if a setting or the number of captions is wrong.
    """
    for name, value in (("columns", columns), ("scale", scale)):
        if value is not None and value < 1:
            raise ConfigError(f"`{name}` (={value}) must be at least 1: leave it out to have it chosen.")
    if captions is not None and len(captions) != count:
        raise ShapeError(f"{len(captions)} captions for {count} images: give one for each image.")
    shown = min(count, max_images)
    lines = [_clipped(text, _CAPTION_WIDTH) for text in (captions or ())[:shown]]
    text_width = max((math.ceil(font().getlength(line)) for line in lines), default=0)
    tries = [scale] if scale is not None else range(_natural_scale(shown, height, width), 0, -1)
    for size in tries:
        grid = _layout(
            shown, height * size, width * size, size, columns, min(text_width, _CAPTION_WIDTH), count > shown
        )
        if grid.size[0] * grid.size[1] <= max_pixels:
            return grid
    # even at the smallest (or given) scale it is too large: show fewer images
    while shown > 1 and grid.size[0] * grid.size[1] > max_pixels:
        shown = max(1, shown // 2)
        grid = _layout(shown, grid.height, grid.width, grid.scale, columns, min(text_width, _CAPTION_WIDTH), True)
    return grid


def _natural_scale(count: int, height: int, width: int) -> int:
    """Choose a scale: few images are shown large, many small; thin ones are enlarged until they are visible."""
    target = 256 if count == 1 else 128 if count <= 16 else 72 if count <= 144 else 40
    long, short = max(height, width), min(height, width)
    scale = max(1, round(target / long))
    while short * scale < 8 and long * (scale + 1) <= MAX_SIDE:
        scale += 1
    return scale


def _even_columns(count: int, wanted: float) -> int:
    """Return about the wanted number of columns, preferably one that fills all rows."""
    near = [c for c in range(1, count + 1) if count % c == 0 and 0.7 * wanted <= c <= 1.4 * wanted]
    return min(near, key=lambda c: abs(c - wanted)) if near else max(1, round(wanted))


def _layout(
    count: int, height: int, width: int, scale: int, columns: int | None, text_width: int, footer: bool
) -> Grid:
    cell_width = max(width, text_width)
    cell_height = height + (CAPTION + 7 if text_width else 0)
    gap = max(3, min(12, max(height, width) // 12)) + (4 if text_width else 0)
    if columns is None:
        columns = _even_columns(count, math.sqrt(count * _ASPECT * (cell_height + gap) / (cell_width + gap)))
    return Grid(
        count=count,
        columns=min(columns, count),
        scale=scale,
        width=width,
        height=height,
        cell_width=cell_width,
        cell_height=cell_height,
        gap=gap,
        margin=max(8, gap),
        footer=CAPTION + 9 if footer else 0,
    )


def image_grid(
    images: np.ndarray,
    *,
    captions: Sequence[str] | None = None,
    columns: int | None = None,
    scale: int | None = None,
    background: str | Colour = PAPER,
) -> Image.Image:
    """Draw images side by side, each pixel a crisp square.

        image_grid(samples.array, captions=["3"] * 8, columns=4).save("samples.png")

    ```python
    image_grid(samples.array, captions=["three"] * 4, columns=2).save("sheet.png")
    ```

    Args:
        images: uint8 `n h w c`; grey, RGB or RGBA (over a checkerboard).
        captions: one short text for each image, shown below it.
        columns: images in a row; None for a grid a little wider than high.
        scale: edge of the square that shows a pixel; None to choose it by the number and size of images.
        background: a colour by name, `#rrggbb` or numbers.

    Raises:
        ShapeError, ConfigError: if images, captions and settings do not fit together.
    """
    images = check_images(images)
    grid = plan_grid(len(images), *images.shape[1:3], captions=captions, columns=columns, scale=scale)
    sheet = compose(images, grid, captions, as_colour(background))
    count, (height, width) = len(images), images.shape[1:3]
    sheet.info[SHEET] = f"{counted(count, 'image')} of {height}x{width}"  # `save_png` writes it
    return sheet


def compose(images: np.ndarray, grid: Grid, captions: Sequence[str] | None, background: Colour) -> Image.Image:
    """Draw images on a given layout."""
    width, height = grid.size
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = background
    for index in range(grid.count):
        left, top = grid.corner(index)
        canvas[top : top + grid.height, left : left + grid.width] = enlarge(images[index], grid.scale)
    picture = Image.fromarray(canvas)
    draw = ImageDraw.Draw(picture)
    colour = text_colour(background)
    for index in range(grid.count if captions is not None else 0):
        left, top = grid.corner(index)
        text = truncate_text((captions or ())[index], grid.cell_width)
        anchor = (left + grid.width / 2, top + grid.height + 4)
        draw.text(anchor, text, colour, font(), anchor="ma")
    if grid.footer:
        text = truncate_text(f"and {len(images) - grid.count:,} more", width - 2 * grid.margin)
        draw.text((grid.margin, height - grid.margin - grid.footer + 9), text, colour, font(), anchor="la")
    return picture


def _clipped(text: str, width: int) -> str:
    """Join the lines of a text, and drop what lies far beyond `width` pixels: most characters are a pixel wide."""
    return " ".join(text[: _MEASURED * max(1, width)].split())


def truncate_text(text: str, width: int) -> str:
    text = _clipped(text, width)
    if font().getlength(text) <= width:
        return text
    fitting = bisect(range(len(text)), width, key=lambda count: math.ceil(font().getlength(text[:count] + "\u2026")))
    return text[: max(0, fitting - 1)].rstrip() + "\u2026"


_NAME_WIDTH = 200  # of the names of rows, at most
_GAP = 8


def named_grid(
    images: np.ndarray, row_names: Sequence[str], column_names: Sequence[str], *, columns: int, scale: int | None = None
) -> Image.Image:
    """Draw images row by row, with names at the left and above.

    ```python
    named_grid(samples.array, ["a heart", "a house"], ["line", "filled"], columns=2).save("sheet.png")
    ```

    Args:
        images: uint8 `n h w c`.
        row_names, column_names: a name stands for the same number of rows, or columns, as every other.
        columns: images in a row.
        scale: edge of the square that shows a pixel; None to choose it.

    Raises:
        ShapeError: if the images do not fill the rows, or the names do not divide rows and columns.
    """
    images = check_images(images)
    rows = len(images) / columns
    if rows % len(row_names) or columns % len(column_names):
        raise ShapeError(
            f"{len(images)} images in {columns} columns do not fit {len(row_names)} names of rows and "
            f"{len(column_names)} of columns: give as many images for each pair."
        )
    grid = plan_grid(len(images), *images.shape[1:3], columns=columns, scale=scale)
    inner = compose(images, grid, None, PAPER)
    left = min(_NAME_WIDTH, max(math.ceil(font().getlength(name)) for name in row_names)) + 2 * _GAP
    top = CAPTION + _GAP + 5  # letters reach below the font size
    picture = Image.new("RGB", (left + inner.width, top + inner.height), PAPER)
    picture.paste(inner, (left, top))
    draw, ink = ImageDraw.Draw(picture), INK
    wide = columns // len(column_names) * (grid.cell_width + grid.gap)
    for number, name in enumerate(column_names):
        centre = left + grid.margin + number * wide + (wide - grid.gap) / 2
        draw.text((centre, _GAP), truncate_text(name, wide - grid.gap), ink, font(), anchor="ma")
    high = grid.rows // len(row_names) * (grid.cell_height + grid.gap)
    for number, name in enumerate(row_names):
        middle = top + grid.margin + number * high + (high - grid.gap) / 2
        draw.text((_GAP, middle), truncate_text(name, left - 2 * _GAP), ink, font(), anchor="lm")
    return picture
