"""Charts as a list of marks, which becomes SVG for a page or a PNG: drawn once, shown anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from itertools import pairwise
from typing import Literal

from PIL import Image, ImageDraw

from pointillist.visualization.colour import ACCENT, INK, PAPER, Colour
from pointillist.visualization.grid import font

Kind = Literal[
    "bar", "seen", "good", "bad", "band", "grid", "axis", "line", "thin", "strong", "dash", "dot", "text", "soft"
]
Point = tuple[float, float]

# what a kind of mark looks like in a PNG; a page gives the class of the same name its own colours
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
}
_WIDTHS = {"strong": 2.2, "line": 2.0, "thin": 1.2}
_TEXT = 12


@dataclass(frozen=True)
class Rect:
    """A filled rectangle."""

    x: float
    y: float
    width: float
    height: float
    kind: Kind


@dataclass(frozen=True)
class Path:
    """A line through points, or a filled shape if it is closed."""

    points: tuple[Point, ...]
    kind: Kind
    closed: bool = False


@dataclass(frozen=True)
class Dot:
    """A disc."""

    x: float
    y: float
    radius: float
    kind: Kind


@dataclass(frozen=True)
class Text:
    """A word on a base line; `anchor` is where of it `x` lies."""

    x: float
    y: float
    text: str
    anchor: Literal["start", "middle", "end"] = "middle"
    kind: Kind = "text"


Mark = Rect | Path | Dot | Text


@dataclass(frozen=True)
class Chart:
    """Marks on a ground of a size, and what they show in one sentence."""

    width: float
    height: float
    label: str
    marks: tuple[Mark, ...] = field(repr=False)

    def svg(self) -> str:
        """For a page: colours come from its style sheet, by the kind of each mark."""
        body = "".join(_svg(mark) for mark in self.marks)
        size = f'viewBox="0 0 {self.width:g} {self.height:g}"'
        return f'<svg class="chart" {size} role="img" aria-label="{escape(self.label)}">{body}</svg>'

    def image(self, scale: int = 2) -> Image.Image:
        """As a picture on paper, `scale` pixels a unit."""
        fine = scale * 2  # drawn larger and brought down, so that lines are smooth
        picture = Image.new("RGB", (round(self.width * fine), round(self.height * fine)), PAPER)
        draw = ImageDraw.Draw(picture)
        for mark in self.marks:
            _draw(draw, mark, fine)
        return picture.resize((round(self.width * scale), round(self.height * scale)), Image.Resampling.LANCZOS)


@dataclass(frozen=True)
class Axes:
    """From values to places on a chart. `x_map` and `y_map` bend an axis, such as a logarithm.

    Attributes:
        left, top, right, bottom: the frame, in units of the chart.
        x, y: the values at its ends.
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
        """Where a value lies across."""
        low, high = self.x_map(self.x[0]), self.x_map(self.x[1])
        return self.left + (self.right - self.left) * (self.x_map(value) - low) / (high - low)

    def at_y(self, value: float) -> float:
        """Where a value lies from the top."""
        low, high = self.y_map(self.y[0]), self.y_map(self.y[1])
        return self.bottom - (self.bottom - self.top) * (self.y_map(value) - low) / (high - low)

    def path(self, points: Iterable[Point], kind: Kind, *, closed: bool = False) -> Path:
        """A line through values."""
        return Path(tuple((self.at_x(x), self.at_y(y)) for x, y in points), kind, closed)

    def bar(self, low: float, high: float, start: float, end: float, kind: Kind) -> Rect:
        """A bar from `low` to `high` across, and between two values upright."""
        a, b = sorted((self.at_y(start), self.at_y(end)))
        return Rect(self.at_x(low), a, self.at_x(high) - self.at_x(low), b - a, kind)

    def x_ticks(self, ticks: Sequence[tuple[float, str]], name: str = "") -> list[Mark]:
        """The axis below, with words under some of its values, and its name."""
        marks: list[Mark] = [Path(((self.left, self.bottom), (self.right, self.bottom)), "axis")]
        marks += [Text(self.at_x(value), self.bottom + 16, word, kind="soft") for value, word in ticks]
        return [*marks, Text((self.left + self.right) / 2, self.bottom + 33, name, kind="soft")] if name else marks

    def y_ticks(self, ticks: Sequence[tuple[float, str]]) -> list[Mark]:
        """Lines across at some values, with words left of them."""
        marks: list[Mark] = []
        for value, word in ticks:
            y = self.at_y(value)
            marks += [Path(((self.left, y), (self.right, y)), "grid")]
            marks += [Text(self.left - 7, y + 4, word, "end", "soft")]
        return marks


def round_steps(low: float, high: float, most: int = 5) -> list[float]:
    """Round values from `low` to `high`, at most about `most` of them."""
    if not high > low:
        return [low]
    raw = (high - low) / most
    power: float = 10.0 ** _floor_log10(raw)
    step = next(power * k for k in (1, 2, 5, 10) if power * k >= raw * 0.999)
    first = -int(-low // step)
    return [n * step for n in range(first, int(high / step + 1e-9) + 1)]


def _floor_log10(value: float) -> int:
    return int(f"{value:e}".split("e")[1])


def _svg(mark: Mark) -> str:
    if isinstance(mark, Rect):
        place = f'x="{mark.x:.2f}" y="{mark.y:.2f}" width="{max(mark.width, 0):.2f}" height="{max(mark.height, 0):.2f}"'
        return f'<rect class="{mark.kind}" {place}/>'
    if isinstance(mark, Path):
        points = " ".join(f"{x:.2f},{y:.2f}" for x, y in mark.points)
        return f'<{"polygon" if mark.closed else "polyline"} class="{mark.kind}" points="{points}"/>'
    if isinstance(mark, Dot):
        return f'<circle class="{mark.kind}" cx="{mark.x:.2f}" cy="{mark.y:.2f}" r="{mark.radius:g}"/>'
    place = f'x="{mark.x:.2f}" y="{mark.y:.2f}" text-anchor="{mark.anchor}"'
    return f'<text class="{mark.kind}" {place}>{escape(mark.text)}</text>'


def _draw(draw: ImageDraw.ImageDraw, mark: Mark, scale: int) -> None:
    colour = _COLOURS[mark.kind]
    if isinstance(mark, Rect):
        if mark.width > 0 and mark.height > 0:
            x, y = mark.x * scale, mark.y * scale
            draw.rectangle((x, y, x + mark.width * scale - 1, y + mark.height * scale - 1), fill=colour)
    elif isinstance(mark, Dot):
        x, y, r = mark.x * scale, mark.y * scale, mark.radius * scale
        draw.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    elif isinstance(mark, Text):
        anchor = {"start": "ls", "middle": "ms", "end": "rs"}[mark.anchor]
        draw.text((mark.x * scale, mark.y * scale), mark.text, colour, font(_TEXT * scale), anchor=anchor)
    else:
        points = [(x * scale, y * scale) for x, y in mark.points]
        if mark.closed:
            draw.polygon(points, fill=colour)
        elif mark.kind == "dash":
            _dashes(draw, points, colour, scale)
        else:
            draw.line(points, fill=colour, width=max(1, round(_WIDTHS.get(mark.kind, 1.0) * scale)), joint="curve")


def _dashes(draw: ImageDraw.ImageDraw, points: Sequence[Point], colour: Colour, scale: int) -> None:
    """Dashes of 3 units along straight pieces."""
    for (x1, y1), (x2, y2) in pairwise(points):
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        count = max(1, int(length / (6 * scale)))
        for k in range(count):
            a, b = k / count, (k + 0.5) / count
            draw.line(
                ((x1 + a * (x2 - x1), y1 + a * (y2 - y1)), (x1 + b * (x2 - x1), y1 + b * (y2 - y1))), colour, scale
            )
