"""A grid of images with a name for each row and each column, such as prompts by styles."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from pointillist.errors import ShapeError
from pointillist.visualization.image_grid import CAPTION, compose, font, plan_grid, truncate_text
from pointillist.visualization.pixels import PAPER, Colour, as_colour, check_images, text_colour

_NAME_WIDTH = 200  # of the names of rows, at most
_GAP = 8


def named_grid(
    images: np.ndarray,
    row_names: Sequence[str],
    column_names: Sequence[str],
    *,
    columns: int,
    scale: int | None = None,
    background: str | Colour = PAPER,
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
        background: a colour by name, `#rrggbb` or numbers.

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
    colour = as_colour(background)
    grid = plan_grid(len(images), *images.shape[1:3], columns=columns, scale=scale)
    inner = compose(images, grid, None, colour)
    left = min(_NAME_WIDTH, max(math.ceil(font().getlength(name)) for name in row_names)) + 2 * _GAP
    top = CAPTION + _GAP + 5  # letters reach below the font size
    picture = Image.new("RGB", (left + inner.width, top + inner.height), colour)
    picture.paste(inner, (left, top))
    draw, ink = ImageDraw.Draw(picture), text_colour(colour)
    wide = columns // len(column_names) * (grid.cell_width + grid.gap)
    for number, name in enumerate(column_names):
        centre = left + grid.margin + number * wide + (wide - grid.gap) / 2
        draw.text((centre, _GAP), truncate_text(name, wide - grid.gap), ink, font(), anchor="ma")
    high = grid.rows // len(row_names) * (grid.cell_height + grid.gap)
    for number, name in enumerate(row_names):
        middle = top + grid.margin + number * high + (high - grid.gap) / 2
        draw.text((_GAP, middle), truncate_text(name, left - 2 * _GAP), ink, font(), anchor="lm")
    return picture
