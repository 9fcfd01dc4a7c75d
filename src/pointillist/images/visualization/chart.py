"""Charts as lists of marks, rendered as SVG for a page or as an image.

This is the only chart library of the package: analysis, demo, bench and tools build their charts from it.

    axes = Axes(44, 14, 470, 156, x=(0, 4), y=(0, 1))
    marks = [*axes.y_ticks([(0.5, "0.5"), (1, "1")]), axes.bar(0, 1, 0, 0.7, "bar")]
    Chart(480, 188, "One bar", tuple(marks)).image().save("chart.png")
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Literal

from PIL import Image, ImageDraw

from pointillist.images.visualization.image_grid import font
from pointillist.images.visualization.pixels import ACCENT, INK, PAPER, Colour

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

# colours of kinds of marks in images; the style sheet of a page has its own for the class of each kind
COLOURS: dict[str, Colour] = {
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
WIDTHS = {"strong": 2.2, "line": 2.0, "thin": 1.2, "whisker": 3.0}
TEXT_SIZES = {"title": 14}
TEXT_SIZE = 12


class Mark(ABC):
    """A mark on a chart; its `color` replaces the colour of its kind."""

    kind: Kind
    color: Colour | None

    @abstractmethod
    def svg(self) -> str:
        """Render an SVG element."""

    @abstractmethod
    def draw(self, picture: Image.Image, scale: int) -> None:
        """Draw on an image with `scale` pixels a unit."""

    def _tag(self, name: str, attributes: str, paint: str = "fill") -> str:
        style = "" if self.color is None else f' style="{paint}:#{bytes(self.color).hex()}"'
        return f'<{name} class="{self.kind}" {attributes}{style}'

    @property
    def _colour(self) -> Colour:
        return self.color or COLOURS[self.kind]


@dataclass(frozen=True)
class Rect(Mark):
    """A filled rectangle.

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

    def svg(self) -> str:
        size = f'width="{max(self.width, 0):.2f}" height="{max(self.height, 0):.2f}"'
        return self._tag("rect", f'x="{self.x:.2f}" y="{self.y:.2f}" {size}') + "/>"

    def draw(self, picture: Image.Image, scale: int) -> None:
        if self.width > 0 and self.height > 0:
            x, y = self.x * scale, self.y * scale
            box = (x, y, x + self.width * scale - 1, y + self.height * scale - 1)
            ImageDraw.Draw(picture).rectangle(box, fill=self._colour)


@dataclass(frozen=True)
class Path(Mark):
    """A line through points, or a filled polygon if it is closed.

    ```python
    Path(((0, 0), (80, 20)), "line")
    ```
    """

    points: tuple[Point, ...]
    kind: Kind
    closed: bool = False
    color: Colour | None = None

    def svg(self) -> str:
        points = " ".join(f"{x:.2f},{y:.2f}" for x, y in self.points)
        tag, paint = ("polygon", "fill") if self.closed else ("polyline", "stroke")
        return self._tag(tag, f'points="{points}"', paint) + "/>"

    def draw(self, picture: Image.Image, scale: int) -> None:
        draw, points = ImageDraw.Draw(picture), [(x * scale, y * scale) for x, y in self.points]
        if self.closed:
            draw.polygon(points, fill=self._colour)
        elif self.kind == "dash":
            _dashes(draw, points, self._colour, scale)
        else:
            draw.line(points, self._colour, max(1, round(WIDTHS.get(self.kind, 1.0) * scale)), joint="curve")


@dataclass(frozen=True)
class Dot(Mark):
    """A disc.

    ```python
    Dot(120, 40, 3, "dot")
    ```
    """

    x: float
    y: float
    radius: float
    kind: Kind
    color: Colour | None = None

    def svg(self) -> str:
        return self._tag("circle", f'cx="{self.x:.2f}" cy="{self.y:.2f}" r="{self.radius:g}"') + "/>"

    def draw(self, picture: Image.Image, scale: int) -> None:
        x, y, r = self.x * scale, self.y * scale, self.radius * scale
        ImageDraw.Draw(picture).ellipse((x - r, y - r, x + r, y + r), fill=self._colour)


@dataclass(frozen=True)
class Text(Mark):
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

    def svg(self) -> str:
        position = f'x="{self.x:.2f}" y="{self.y:.2f}" text-anchor="{self.anchor}"'
        return f"{self._tag('text', position)}>{escape(self.text)}</text>"

    def draw(self, picture: Image.Image, scale: int) -> None:
        size, anchor = TEXT_SIZES.get(self.kind, TEXT_SIZE), {"start": "ls", "middle": "ms", "end": "rs"}[self.anchor]
        place = (self.x * scale, self.y * scale)
        ImageDraw.Draw(picture).text(place, self.text, self._colour, font(size * scale), anchor=anchor)


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
        size = f'viewBox="0 0 {self.width:g} {self.height:g}" role="img" aria-label="{escape(self.label)}"'
        return f'<svg class="chart" {size}>{"".join(mark.svg() for mark in self.marks)}</svg>'

    def image(self, scale: int = 2) -> Image.Image:
        """Render an image with `scale` pixels a unit."""
        fine = scale * 2  # drawn larger and reduced, so that lines are smooth
        picture = Image.new("RGB", (round(self.width * fine), round(self.height * fine)), PAPER)
        for mark in self.marks:
            mark.draw(picture, fine)
        return picture.resize((round(self.width * scale), round(self.height * scale)), Image.Resampling.LANCZOS)


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
