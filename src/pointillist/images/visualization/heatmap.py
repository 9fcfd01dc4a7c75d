"""Draw maps of numbers as colours, with a colour scale, and receptive fields."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from pointillist.errors import ConfigError, ShapeError
from pointillist.images.visualization.image_grid import CAPTION, font, image_grid, truncate_text
from pointillist.images.visualization.pixels import ACCENT, INK, PAPER, Colour, diverging_colors, sequential_colors

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
        captions, columns: as `image_grid`.
        both: True if the scale runs from -`top` to `top`, in colours that leave 0 blank.

    Raises:
        ConfigError, ShapeError: if `top` is not positive or `values` are not `n h w`.
    """
    values = np.asarray(values)
    if values.ndim != 3:
        raise ShapeError(f"Maps of shape {values.shape} must be (n, h, w).")
    if not (np.isfinite(top) and top > 0):
        raise ConfigError(f"`top` (={top}) must be a positive number: the value of the last colour.")
    colours = diverging_colors(values, top) if both else sequential_colors(values, top)
    maps = image_grid(colours, captions=captions, columns=columns)
    picture = Image.new("RGB", (max(maps.width, 160), maps.height + _FOOT), PAPER)
    picture.paste(maps, ((picture.width - maps.width) // 2, 0))
    with np.errstate(invalid="ignore"):
        over = bool((values > top).any()), both and bool((values < -top).any())
    _draw_scale(picture, maps.height + 6, top, unit, over, INK, both)
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


SEEN: Colour = (44, 110, 158)
MISSED: Colour = (232, 224, 208)
LATER: Colour = (74, 72, 80)
LEAKED: Colour = (196, 30, 110)
_HATCH: Colour = (170, 156, 132)
_DECADES = 4  # of strength on the colour scale
_SIDE, _GAP, _LINE = 14, 18, 20
_MIN_WIDTH = 430  # of the legend
_COLUMNS = 4


def plot_receptive_field(
    depends: np.ndarray,
    earlier: np.ndarray,
    site: tuple[int, int, int],
    *,
    strength: np.ndarray | None = None,
    caption: str = "",
    names: Sequence[str] = (),
) -> Image.Image:
    """Plot one map a channel: the site, earlier sub-pixels it depends on, other earlier ones (hatched), and later ones.

    ```python
    field = pt.receptive_field(model, 4, 4)
    plot_receptive_field(field.depends, field.earlier, (0, 4, 4)).save("field.png")
    ```

    Args:
        depends, earlier: bool `c h w`.
        site: channel, row, column.
        strength: `c h w`, for more maps whose colours are logarithmic, from the strongest down.
        caption: a line below the maps.
        names: of the channels.
    """
    scale = _scale(depends.shape)
    maps = [_cells(*layer, scale) for layer in zip(_kinds(depends, earlier, site), depends, earlier, strict=True)]
    titles, single = list(names) or [""] * len(maps), len(maps) == 1
    if strength is not None:
        maps += _strength_maps(strength, depends, earlier, site, scale)
        titles = (
            ["what it can see", "how strongly"] if single else titles + [f"how strongly: {name}" for name in titles]
        )
    for tile in maps[site[0] :: len(depends)]:
        _dot(tile, site[1] * scale, site[2] * scale, scale)
    body = _arranged(maps, titles, min(len(maps), 2 if single else len(depends), _COLUMNS))
    leaks = bool((depends & ~earlier).any())
    width = max(body.width, _MIN_WIDTH, min(math.ceil(font().getlength(caption)), 900)) + 2 * _SIDE
    below = _SIDE + body.height + 10
    foot = _LINE * (2 + leaks) + (52 if strength is not None else 0)
    picture = Image.new("RGB", (width, below + foot + _SIDE - 6), PAPER)
    picture.paste(body, ((width - body.width) // 2, _SIDE))
    _draw_legend(picture, below, truncate_text(caption, width - 2 * _SIDE), leaks)
    if strength is not None:
        _draw_ramp(picture, below + _LINE * (2 + leaks) + 6, float(strength.max()))
    return picture


def _arranged(maps: list[np.ndarray], titles: Sequence[str], columns: int) -> Image.Image:
    title = _LINE if any(titles) else 0
    high, wide = maps[0].shape[0] + title, maps[0].shape[1]
    rows = math.ceil(len(maps) / columns)
    picture = Image.new("RGB", (columns * (wide + _GAP) - _GAP, rows * (high + _GAP) - _GAP), PAPER)
    draw = ImageDraw.Draw(picture)
    for index, (tile, text) in enumerate(zip(maps, titles, strict=True)):
        down, across = divmod(index, columns)
        x, y = across * (wide + _GAP), down * (high + _GAP)
        if title:
            draw.text((x + wide / 2, y), truncate_text(text, wide + _GAP), INK, font(), anchor="ma")
        picture.paste(Image.fromarray(tile), (x, y + title))
    return picture


def _scale(shape: tuple[int, ...]) -> int:
    """Choose the edge of a cell, so that maps of several channels fit side by side."""
    side = 400 if shape[0] == 1 else 270
    return max(1, min(24, round(side / max(shape[1:]))))


def _kinds(depends: np.ndarray, earlier: np.ndarray, site: tuple[int, int, int]) -> np.ndarray:
    """Return the colour of each cell, uint8 `c h w 3`."""
    kinds = np.full((*depends.shape, 3), LATER, np.uint8)
    kinds[earlier & depends] = SEEN
    kinds[earlier & ~depends] = MISSED
    kinds[depends & ~earlier] = LEAKED
    if not depends[site]:  # a site that depends on itself is an error, which stays visible
        kinds[site] = ACCENT
    return kinds


def _cells(colours: np.ndarray, depends: np.ndarray, earlier: np.ndarray, scale: int) -> np.ndarray:
    """Enlarge colours `h w 3`, with thin lines between cells and a hatch over earlier cells without influence."""
    big = colours.repeat(scale, 0).repeat(scale, 1)
    rows, columns = np.indices(big.shape[:2])
    missed = (earlier & ~depends).repeat(scale, 0).repeat(scale, 1)
    if scale >= 4:
        step = max(4, scale // 2)
        big[missed & ((rows + columns) % step == 0)] = _HATCH
        edge = (rows % scale == 0) | (columns % scale == 0)
        # lines only round what is earlier: what comes later is one dark mass
        line = (big.astype(np.int64) * 3 + np.asarray(PAPER) * 2) // 5
        past = (colours != np.asarray(LATER)).any(-1).repeat(scale, 0).repeat(scale, 1)
        big = np.where((edge & past)[..., None], line, big).astype(np.uint8)
    return big


def _dot(tile: np.ndarray, top: int, left: int, size: int) -> None:
    """Draw a light dot in a square, which sets the site apart from the colour map."""
    edge = size // 3
    if edge:
        tile[top + edge : top + size - edge + 1, left + edge : left + size - edge + 1] = PAPER


def _strength_maps(
    strength: np.ndarray, depends: np.ndarray, earlier: np.ndarray, site: tuple[int, int, int], scale: int
) -> list[np.ndarray]:
    """Draw earlier sub-pixels on a logarithmic colour scale, all else as in the other maps."""
    top = float(strength.max()) or 1.0
    with np.errstate(divide="ignore"):
        decades = np.log10(strength / top) + _DECADES
    warm = sequential_colors(np.maximum(decades, 0), _DECADES)
    kinds = _kinds(depends, earlier, site)
    colours = np.where((depends & earlier)[..., None], warm, kinds).astype(np.uint8)
    return [_cells(*layer, scale) for layer in zip(colours, depends, earlier, strict=True)]


def _draw_legend(picture: Image.Image, y: int, caption: str, leaks: bool) -> None:
    entries = [("this site", ACCENT), ("earlier, seen", SEEN), ("earlier, not seen", MISSED), ("later", LATER)]
    lines = [entries, [("seen, but not earlier: a leak", LEAKED)]] if leaks else [entries]
    draw, box = ImageDraw.Draw(picture), 11
    draw.text((picture.width / 2, y), caption, INK, font(), anchor="ma")
    y += _LINE + 4
    for line in lines:
        widths = [box + 6 + math.ceil(font().getlength(text)) for text, _ in line]
        x = (picture.width - sum(widths) - 18 * (len(line) - 1)) // 2
        for (text, colour), width in zip(line, widths, strict=True):
            draw.text((x + box + 6, y), text, INK, font(), anchor="la")
            swatch = np.full((box, box, 3), colour, np.uint8)
            if colour == MISSED:
                rows, columns = np.indices((box, box))
                swatch[(rows + columns) % 4 == 0] = _HATCH
            if colour == ACCENT:
                _dot(swatch, 0, 0, box - 1)
            picture.paste(Image.fromarray(swatch), (x, y + 2))
            x += width + 18
        y += _LINE


def _draw_ramp(picture: Image.Image, y: int, top: float) -> None:
    """Draw the colour scale: from a ten-thousandth of the greatest strength to the greatest."""
    width, high = 260, 10
    left = (picture.width - width) // 2
    ramp = sequential_colors(np.linspace(0, 1, width)[None].repeat(high, 0), 1)
    picture.paste(Image.fromarray(ramp), (left, y))
    draw = ImageDraw.Draw(picture)
    for share, text, anchor in ((0.0, f"1/{10**_DECADES:,}", "la"), (0.5, "1/100", "ma"), (1.0, "strongest", "ra")):
        draw.text((left + share * width, y + high + 3), text, INK, font(), anchor=anchor)
    line = f"strongest: {top:.2g} nats per unit of the canvas"
    draw.text((picture.width / 2, y + high + 20), line, INK, font(), anchor="ma")
