"""Charts as lists of marks, rendered as SVG for a page, as an SVG file, or as an image.

This is the only chart library of the package: analysis, demo, bench and tools build their charts from it.

    axes = Axes(44, 14, 470, 156, x=(0, 4), y=(0, 1))
    marks = [*axes.y_ticks([(0.5, "0.5"), (1, "1")]), axes.bar(0, 1, 0, 0.7, "bar")]
    Chart(480, 188, "One bar", tuple(marks)).image().save("chart.png")
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape

from PIL import Image

from pointillist.images.visualization.marks import (
    TEXT_SIZE,
    Dot,
    Kind,
    Mark,
    Path,
    Point,
    Raster,
    Rect,
    Text,
    draw_mark,
    mark_svg,
    style_rule,
)
from pointillist.images.visualization.pixels import PAPER, Colour

__all__ = ["Axes", "Chart", "Dot", "Kind", "Mark", "Path", "Point", "Raster", "Rect", "Text", "round_steps"]


@dataclass(frozen=True)
class Chart:
    """Marks on a canvas.

    ```python
    axes = Axes(44, 14, 470, 156, x=(0, 4), y=(0, 1))
    Chart(480, 188, "One bar", (axes.bar(0, 1, 0, 0.7, "bar"),)).image().save("chart.png")
    ```

    Attributes:
        width, height: size of the canvas, in units of the chart (CSS pixels at scale 1).
        label: one sentence on what the chart shows, for readers who cannot see it.
        marks: drawn in this order.
    """

    width: float
    height: float
    label: str
    marks: tuple[Mark, ...] = field(repr=False)

    def svg(self) -> str:
        """Render SVG for a page, whose style sheet gives each kind of mark its colours."""
        return f'<svg class="chart" {self._size}>{self._body}</svg>'

    def svg_file(self) -> str:
        """Render an SVG file with colours and its own white background."""
        size = f'xmlns="http://www.w3.org/2000/svg" width="{self.width:g}" height="{self.height:g}" {self._size}'
        kinds = sorted({mark.kind for mark in self.marks if not isinstance(mark, Raster)})
        style = f"text{{font:{TEXT_SIZE}px sans-serif}}" + "".join(map(style_rule, kinds))
        ground = f'<path fill="#fff" d="M0 0h{self.width:g}v{self.height:g}H0z"/>'
        return f"<svg {size}><style>{style}</style>{ground}{self._body}</svg>\n"

    def image(self, scale: int = 2) -> Image.Image:
        """Render an image with `scale` pixels a unit."""
        fine = scale * 2  # drawn larger and reduced, so that lines are smooth
        picture = Image.new("RGB", (round(self.width * fine), round(self.height * fine)), PAPER)
        for mark in self.marks:
            draw_mark(picture, mark, fine)
        return picture.resize((round(self.width * scale), round(self.height * scale)), Image.Resampling.LANCZOS)

    @property
    def _size(self) -> str:
        return f'viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-label="{escape(self.label)}"'

    @property
    def _body(self) -> str:
        return "".join(mark_svg(mark) for mark in self.marks)


@dataclass(frozen=True)
class Axes:
    """Map values to positions on a chart.

    ```python
    axes = Axes(44, 14, 470, 156, x=(0, 4), y=(0, 1))
    axes.path([(0, 0.2), (4, 0.9)], "line")
    ```

    Attributes:
        left, top, right, bottom: the frame, in units of the chart.
        x, y: the values at the ends of the axes.
        x_map, y_map: scale of each axis, such as `math.log`; linear by default.
    """

    left: float
    top: float
    right: float
    bottom: float
    x: Point
    y: Point
    x_map: Callable[[float], float] = float
    y_map: Callable[[float], float] = float

    def at_x(self, value: float) -> float:
        """Return the horizontal position of a value."""
        low, high = self.x_map(self.x[0]), self.x_map(self.x[1])
        return self.left + (self.right - self.left) * (self.x_map(value) - low) / (high - low)

    def at_y(self, value: float) -> float:
        """Return the vertical position of a value, from the top."""
        low, high = self.y_map(self.y[0]), self.y_map(self.y[1])
        return self.bottom - (self.bottom - self.top) * (self.y_map(value) - low) / (high - low)

    def path(self, points: Iterable[Point], kind: Kind, *, closed: bool = False, color: Colour | None = None) -> Path:
        """Make a line through values `(x, y)`, or a polygon."""
        return Path(tuple((self.at_x(x), self.at_y(y)) for x, y in points), kind, closed, color)

    def dot(self, x: float, y: float, radius: float, kind: Kind = "dot", color: Colour | None = None) -> Dot:
        return Dot(self.at_x(x), self.at_y(y), radius, kind, color)

    def bar(self, low: float, high: float, start: float, end: float, kind: Kind) -> Rect:
        """Make a bar from `low` to `high` in x, and from `start` to `end` in y."""
        a, b = sorted((self.at_y(start), self.at_y(end)))
        return Rect(self.at_x(low), a, self.at_x(high) - self.at_x(low), b - a, kind)

    def x_ticks(self, ticks: Sequence[tuple[float, str]], name: str = "") -> list[Mark]:
        """Make the x axis, with labels below some values, and its name."""
        marks: list[Mark] = [Path(((self.left, self.bottom), (self.right, self.bottom)), "axis")]
        marks += [Text(self.at_x(value), self.bottom + 16, text, kind="soft") for value, text in ticks]
        return [*marks, Text((self.left + self.right) / 2, self.bottom + 33, name, kind="soft")] if name else marks

    def y_ticks(self, ticks: Sequence[tuple[float, str]], name: str = "") -> list[Mark]:
        """Make grid lines at some values of y, with labels left of them, and the name of the axis above it."""
        marks: list[Mark] = [Text(0, self.top - 12, name, "start", "soft")] if name else []
        for value, text in ticks:
            y = self.at_y(value)
            marks += [Path(((self.left, y), (self.right, y)), "grid")]
            marks += [Text(self.left - 7, y + 4, text, "end", "soft")]
        return marks

    def x_grid(self, ticks: Sequence[tuple[float, str]]) -> list[Mark]:
        """Make grid lines at some values of x, with labels below them."""
        marks: list[Mark] = []
        for value, text in ticks:
            x = self.at_x(value)
            marks += [Path(((x, self.top), (x, self.bottom)), "grid"), Text(x, self.bottom + 16, text, kind="soft")]
        return marks


def round_steps(low: float, high: float, most: int = 5) -> list[float]:
    """Return round values from `low` to `high`, at most about `most` of them.

    ```python
    round_steps(0, 0.93)  # [0.0, 0.2, 0.4, 0.6, 0.8]
    ```
    """
    if not high > low:
        return [low]
    raw = (high - low) / most
    power: float = 10.0 ** int(f"{raw:e}".split("e")[1])
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= raw * 0.999)
    first = -int(-low // step)
    return [n * step for n in range(first, int(high / step + 1e-9) + 1)]
