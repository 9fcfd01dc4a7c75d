"""Draw maps of numbers as colours, with a colour scale."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from pointillist.errors import ConfigError, ShapeError
from pointillist.images.visualization.image_grid import CAPTION, font, image_grid
from pointillist.images.visualization.pixels import (
    PAPER,
    Colour,
    as_colour,
    diverging_colors,
    sequential_colors,
    text_colour,
)

_BAR = 12  # height of the scale bar
_BAR_WIDTH = 260
_SIDE = 12  # space left and right of it
_FOOT = 62


def heat_map(
    values: np.ndarray,
    *,
    top: float,
    unit: str = "bits",
    captions: Sequence[str] | None = None,
    columns: int | None = None,
    scale: int | None = None,
    background: str | Colour = PAPER,
    both: bool = False,
) -> Image.Image:
    """Draw maps side by side with one fixed colour scale from 0 to `top` below them.

        heat_map(entropy, top=8, unit="bits", captions=names).save("entropy.png")

    ```python
    heat_map(surprisal[None, 0], top=8.0).save("surprisal.png")
    ```

    Args:
        values: `n h w`; NaN is shown in grey.
        top: the value that takes the last colour; larger ones take it too, and the scale says so.
        unit: unit of the numbers.
        captions, columns, scale, background: as `image_grid`.
        both: True if the scale runs from -`top` to `top`, in colours that leave 0 blank.

    Raises:
        ConfigError, ShapeError: if `top` is not positive or `values` are not `n h w`.
    """
    values = np.asarray(values)
    if values.ndim != 3:
        raise ShapeError(f"Maps of shape {values.shape} must be (n, h, w).")
    if not (np.isfinite(top) and top > 0):
        raise ConfigError(f"`top` (={top}) must be a positive number: the value of the last colour.")
    ground = as_colour(background)
    colours = diverging_colors(values, top) if both else sequential_colors(values, top)
    maps = image_grid(colours, captions=captions, columns=columns, scale=scale, background=ground)
    picture = Image.new("RGB", (max(maps.width, 160), maps.height + _FOOT), ground)
    picture.paste(maps, ((picture.width - maps.width) // 2, 0))
    with np.errstate(invalid="ignore"):
        over = bool((values > top).any()), both and bool((values < -top).any())
    _draw_scale(picture, maps.height + 6, top, unit, over, text_colour(ground), both)
    return picture


def _draw_scale(
    picture: Image.Image, y: int, top: float, unit: str, over: tuple[bool, bool], colour: Colour, both: bool
) -> None:
    width = min(_BAR_WIDTH, picture.width - 2 * _SIDE)
    left = (picture.width - width) // 2
    steps = np.linspace(-top if both else 0, top, width)[None].repeat(_BAR, 0)
    ramp = diverging_colors(steps, top) if both else sequential_colors(steps, top)
    picture.paste(Image.fromarray(ramp), (left, y))
    draw = ImageDraw.Draw(picture)
    end = _three_digits(top)
    low = f"-{end}" + (" or less" if over[1] else "") if both else "0"
    middle = "0" if both else _three_digits(top / 2)
    labels = ((low, "la"), (middle, "ma"), (end + (" or more" if over[0] else ""), "ra"))
    for share, (text, anchor) in zip((0.0, 0.5, 1.0), labels, strict=True):
        x = left + share * (width - 1)
        draw.line([(x, y + _BAR), (x, y + _BAR + 4)], colour)
        draw.text((x, y + _BAR + 7), text, colour, font(), anchor=anchor)
    draw.text((left + width / 2, y + _BAR + 9 + CAPTION), unit, colour, font(), anchor="ma")


def _three_digits(value: float) -> str:
    """Format a positive number by three significant digits, or by all of its integer part."""
    return f"{round(value, max(0, 2 - math.floor(math.log10(value)))):g}"
