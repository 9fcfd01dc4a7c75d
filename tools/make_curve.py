"""Draw validation nats (or bits/dim) against images seen: `python tools/make_curve.py NAME "TITLE" RUN [RUN ...]`.

Writes `docs/curves/NAME.svg` with a curve a run, named by the run's folder with its best value, and
`docs/curves/RUN.jsonl`, the validation lines of each. `--bits` draws bits/dim.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "docs" / "curves"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 360, 56, 560, 48, 316
COLOURS = ("#d9480f", "#1864ab", "#2b8a3e", "#862e9c", "#5c940d", "#c2255c", "#495057", "#0b7285")
STYLE = "text{font:12px sans-serif;fill:#555} .t{font-size:14px;fill:#222} .g{stroke:#ddd} .c{fill:none;stroke-width:2}"
SPACING = 16  # between the names of curves
HEADROOM = 6.0  # steps above the best value that are shown at least: the first values would flatten the rest
MOST_LINES = 9
TICKS = [k * 10**e for e in range(10) for k in (1, 2, 5)]

Curve = list[tuple[int, float]]
Scale = Callable[[float], float]


def draw(curves: dict[str, Curve], title: str, unit: str) -> str:
    """The curves as SVG: images on a logarithmic axis, nats or bits/dim on a linear one."""
    smallest = 1.0 if unit == "nats" else 0.1
    low, high = value_range(curves, smallest)
    shown = {name: [(i, v) for i, v in curve if v <= high] for name, curve in curves.items()}
    images = [i for curve in shown.values() for i, _ in curve]
    first, last = min(images), max(max(images), min(images) + 1)

    def x(seen: float) -> float:
        return LEFT + (RIGHT - LEFT) * math.log(seen / first) / math.log(last / first)

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)

    parts = [f'<text class="t" x="{LEFT}" y="22">{escape(title)}</text>', f'<text x="8" y="{TOP - 14}">{unit}</text>']
    parts += lines(low, high, smallest, y) + ticks(first, last, x) + paths(shown, x, y)
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">'
    return f'{head}<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'


def value_range(curves: dict[str, Curve], step: float) -> tuple[float, float]:
    """From below the best value to where every curve shows its best and, if it has one, another value."""
    values = [sorted(v for _, v in curve) for curve in curves.values()]
    low = math.floor(min(v[0] for v in values) / step)
    needed = max(v[min(1, len(v) - 1)] for v in values)
    return low * step, max(low + HEADROOM, math.ceil(needed / step + 0.5)) * step


def lines(low: float, high: float, smallest: float, y: Scale) -> list[str]:
    """Lines at round values, never too many."""
    count = round((high - low) / smallest)
    every = next(k for k in TICKS if count / k <= MOST_LINES)
    parts = []
    for k in range(0, count + 1, every):
        value = round(low + k * smallest, 6)
        parts.append(f'<line class="g" x1="{LEFT}" x2="{RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    return parts


def ticks(first: int, last: int, x: Scale) -> list[str]:
    """Round numbers of images, none so near another that they touch."""
    parts, end = [], -math.inf
    for seen in TICKS:
        half = 4.0 * len(f"{seen:,}")
        if first <= seen <= last and x(seen) - half > end:
            parts.append(f'<text x="{x(seen):.1f}" y="{BOTTOM + 18}" text-anchor="middle">{seen:,}</text>')
            end = x(seen) + half
    return [*parts, f'<text x="{RIGHT}" y="{BOTTOM + 36}" text-anchor="end">images seen</text>']


def paths(shown: dict[str, Curve], x: Scale, y: Scale) -> list[str]:
    """Each curve with a dot at its best value, and its name at the height of its end, as near as there is room."""
    ends = {name: curve[-1] for name, curve in shown.items()}
    order = sorted(ends, key=lambda name: -ends[name][1])
    heights = spread([y(ends[name][1]) + 4 for name in order])
    colours = dict(zip(shown, COLOURS * len(shown), strict=False))
    parts = []
    for name, height in zip(order, heights, strict=True):
        colour, (_, end) = colours[name], ends[name]
        best, at = min((v, i) for i, v in shown[name])
        points = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in shown[name])
        parts.append(f'<polyline class="c" stroke="{colour}" points="{points}"/>')
        parts.append(f'<circle cx="{x(at):.1f}" cy="{y(best):.1f}" r="3.5" fill="{colour}"/>')
        leader = f'x1="{x(ends[name][0]) + 4:.1f}" y1="{y(end):.1f}" x2="{RIGHT + 5}" y2="{height - 4:.1f}"'
        parts.append(f'<line {leader} stroke="{colour}" stroke-dasharray="1 4"/>')
        parts.append(f'<text x="{RIGHT + 8}" y="{height:.1f}" style="fill:{colour}">{escape(name)} {best:.2f}</text>')
    return parts


def spread(wanted: list[float]) -> list[float]:
    """Heights from top to bottom, as wanted but never nearer than `SPACING`, and not below the axis."""
    heights: list[float] = []
    for height in wanted:
        heights.append(max(height, heights[-1] + SPACING) if heights else height)
    limit = float(BOTTOM)
    for index in reversed(range(len(heights))):
        heights[index] = min(heights[index], limit)
        limit = heights[index] - SPACING
    return heights


def main(name: str, title: str, runs: list[str], bits: bool) -> None:
    """Keep the validation lines of the runs, and draw them."""
    key = "valid_bits_per_dim" if bits else "valid_nats"
    FOLDER.mkdir(exist_ok=True)
    curves: dict[str, Curve] = {}
    for run in map(Path, runs):
        lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
        kept = [line for line in lines if key in line]
        (FOLDER / f"{run.name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
        curves[run.name] = [(line["images"], line[key]) for line in kept]
    (FOLDER / f"{name}.svg").write_text(draw(curves, title, "bits/dim" if bits else "nats"), encoding="utf-8")


if __name__ == "__main__":
    arguments = [a for a in sys.argv[1:] if a != "--bits"]
    main(arguments[0], arguments[1], arguments[2:], "--bits" in sys.argv)
