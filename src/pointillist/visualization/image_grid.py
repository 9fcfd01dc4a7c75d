"""Many images on one sheet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from pointillist.visualization.colour import PAPER, Colour, check_images, as_colour, enlarge, text_colour
from pointillist.visualization.grid import Grid, font, plan_grid


def image_grid(
    images: np.ndarray,
    *,
    captions: Sequence[str] | None = None,
    columns: int | None = None,
    scale: int | None = None,
    background: str | Colour = PAPER,
) -> Image.Image:
    """Images side by side, each pixel a crisp square.

    Args:
        images: uint8 `n h w c`; grey, RGB or RGBA (over a checkerboard).
        captions: one short text for each image, shown below it.
        columns: images in a row; None for a sheet a little wider than high.
        scale: edge of the square that shows a pixel; None for a sensible size.
        background: a colour by name, `#rrggbb` or numbers.

    Raises:
        ShapeError, ConfigError: if images, captions and settings do not fit together.
    """
    images = check_images(images)
    grid = plan_grid(len(images), *images.shape[1:3], captions=captions, columns=columns, scale=scale)
    return compose(images, grid, captions, as_colour(background))


def compose(images: np.ndarray, grid: Grid, captions: Sequence[str] | None, background: Colour) -> Image.Image:
    """The images on a layout that is already chosen."""
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
        where = (left + grid.width / 2, top + grid.height + 4)
        draw.text(where, text, colour, font(), anchor="ma")
    if grid.footer:
        text = truncate_text(f"and {len(images) - grid.count:,} more", width - 2 * grid.margin)
        draw.text((grid.margin, height - grid.margin - grid.footer + 9), text, colour, font(), anchor="la")
    return picture


def truncate_text(text: str, width: int) -> str:
    """The text, or its beginning and an ellipsis, within `width` pixels."""
    text = " ".join(text.split())
    if font().getlength(text) <= width:
        return text
    while text and font().getlength(text + "\u2026") > width:
        text = text[:-1]
    return text.rstrip() + "\u2026"
