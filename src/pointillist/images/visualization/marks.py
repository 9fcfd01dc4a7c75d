"""The marks of charts, and how each is rendered as SVG and on an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw

from pointillist.images.visualization.html import data_uri
from pointillist.images.visualization.image_grid import font
from pointillist.images.visualization.pixels import ACCENT, INK, Colour, png_bytes

Kind = Literal[
    "bar",
    "seen",
    "good",
    "bad",
    "band",
    "grid",
    "axis",
    "line",
    "thin",
    "strong",
    "dash",
    "dot",
    "text",
    "soft",
    "title",
    "whisker",
]
Point = tuple[float, float]

# colours of kinds of marks in images and SVG files; the style sheet of a page has its own for the class of each kind
_COLOURS: dict[str, Colour] = {
    "bar": (160, 153, 166),
    "seen": ACCENT,
    "good": (46, 125, 110),
    "bad": ACCENT,
    "band": (226, 222, 214),
    "grid": (224, 219, 209),
    "axis": INK,
    "line": (41, 107, 178),
    "thin": (160, 153, 166),
    "strong": ACCENT,
    "dash": INK,
    "dot": ACCENT,
    "text": INK,
    "soft": (102, 98, 108),
    "title": INK,
    "whisker": (160, 153, 166),
}
_WIDTHS = {"strong": 2.2, "line": 2.0, "thin": 1.2, "whisker": 3.0}
_TEXT_SIZES = {"title": 14}
TEXT_SIZE = 12


@dataclass(frozen=True)
class Rect:
    """A filled rectangle. In every mark `color` replaces the colour of its kind.

    ```python
    Rect(10, 10, 80, 20, "bar")
    ```
    """

    x: float
    y: float
    width: float
    height: float
    kind: Kind
    color: Colour | None = None


@dataclass(frozen=True)
class Path:
    """A line through points, or a filled polygon if it is closed.

    ```python
    Path(((0, 0), (80, 20)), "line")
    ```
    """

    points: tuple[Point, ...]
    kind: Kind
    closed: bool = False
    color: Colour | None = None


@dataclass(frozen=True)
class Dot:
    """A disc.

    ```python
    Dot(120, 40, 3)
    ```
    """

    x: float
    y: float
    radius: float
    kind: Kind
    color: Colour | None = None


@dataclass(frozen=True)
class Text:
    """Text on the base line `y`; `x` is the position of its `anchor`.

    ```python
    Text(40, 20, "bits", anchor="start")
    ```
    """

    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "middle"
    kind: Kind = "text"
    color: Colour | None = None


@dataclass(frozen=True, eq=False)
class Raster:
    """An image, uint8 `h w 3`, whose pixels are shown as crisp squares of edge `scale`.

    ```python
    Raster(10, 10, np.zeros((8, 8, 3), np.uint8), scale=4)
    ```
    """

    x: float
    y: float
    pixels: np.ndarray = field(repr=False)
    scale: int


Mark = Rect | Path | Dot | Text | Raster


def style_rule(kind: Kind) -> str:
    color, width = _hex(_COLOURS[kind]), _WIDTHS.get(kind, 1.0)
    fill = f"rect.{kind},polygon.{kind},circle.{kind},text.{kind}{{fill:{color}}}"
    dashes = ";stroke-dasharray:3 3" if kind == "dash" else ""
    size = f"text.{kind}{{font-size:{_TEXT_SIZES[kind]}px}}" if kind in _TEXT_SIZES else ""
    return f"{fill}polyline.{kind}{{fill:none;stroke:{color};stroke-width:{width:g}{dashes}}}{size}"


def _hex(color: Colour) -> str:
    return f"#{bytes(color).hex()}"


def mark_svg(mark: Mark) -> str:
    """Render a mark as an SVG element."""
    if isinstance(mark, Raster):
        height, width = (side * mark.scale for side in mark.pixels.shape[:2])
        source = data_uri(png_bytes(Image.fromarray(mark.pixels)), "png")
        frame = f'x="{mark.x:.2f}" y="{mark.y:.2f}" width="{width}" height="{height}"'
        return f'<image {frame} style="image-rendering:pixelated" href="{source}"/>'
    line = isinstance(mark, Path) and not mark.closed
    style = "" if mark.color is None else f' style="{"stroke" if line else "fill"}:{_hex(mark.color)}"'
    if isinstance(mark, Rect):
        size = f'width="{max(mark.width, 0):.2f}" height="{max(mark.height, 0):.2f}"'
        return f'<rect class="{mark.kind}" x="{mark.x:.2f}" y="{mark.y:.2f}" {size}{style}/>'
    if isinstance(mark, Path):
        points = " ".join(f"{x:.2f},{y:.2f}" for x, y in mark.points)
        return f'<{"polygon" if mark.closed else "polyline"} class="{mark.kind}" points="{points}"{style}/>'
    if isinstance(mark, Dot):
        return f'<circle class="{mark.kind}" cx="{mark.x:.2f}" cy="{mark.y:.2f}" r="{mark.radius:g}"{style}/>'
    position = f'x="{mark.x:.2f}" y="{mark.y:.2f}" text-anchor="{mark.anchor}"'
    return f'<text class="{mark.kind}" {position}{style}>{escape(mark.text)}</text>'


def draw_mark(picture: Image.Image, mark: Mark, scale: int) -> None:
    """Draw a mark on an image with `scale` pixels a unit."""
    draw = ImageDraw.Draw(picture)
    if isinstance(mark, Raster):
        big = mark.pixels.repeat(mark.scale * scale, 0).repeat(mark.scale * scale, 1)
        picture.paste(Image.fromarray(big), (round(mark.x * scale), round(mark.y * scale)))
        return
    color = mark.color or _COLOURS[mark.kind]
    if isinstance(mark, Rect):
        if mark.width > 0 and mark.height > 0:
            x, y = mark.x * scale, mark.y * scale
            draw.rectangle((x, y, x + mark.width * scale - 1, y + mark.height * scale - 1), fill=color)
    elif isinstance(mark, Dot):
        x, y, r = mark.x * scale, mark.y * scale, mark.radius * scale
        draw.ellipse((x - r, y - r, x + r, y + r), fill=color)
    elif isinstance(mark, Text):
        anchor = {"start": "ls", "middle": "ms", "end": "rs"}[mark.anchor]
        size = _TEXT_SIZES.get(mark.kind, TEXT_SIZE)
        draw.text((mark.x * scale, mark.y * scale), mark.text, color, font(size * scale), anchor=anchor)
    else:
        points = [(x * scale, y * scale) for x, y in mark.points]
        if mark.closed:
            draw.polygon(points, fill=color)
        elif mark.kind == "dash":
            _dashes(draw, points, color, scale)
        else:
            draw.line(points, fill=color, width=max(1, round(_WIDTHS.get(mark.kind, 1.0) * scale)), joint="curve")


def _dashes(draw: ImageDraw.ImageDraw, points: Sequence[Point], colour: Colour, scale: int) -> None:
    """Draw dashes of 3 units along straight segments."""
    for (x1, y1), (x2, y2) in pairwise(points):
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        count = max(1, int(length / (6 * scale)))
        for k in range(count):
            a, b = k / count, (k + 0.5) / count
            draw.line(
                ((x1 + a * (x2 - x1), y1 + a * (y2 - y1)), (x1 + b * (x2 - x1), y1 + b * (y2 - y1))), colour, scale
            )
