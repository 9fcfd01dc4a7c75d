"""Plot validation nats (or bits/dim) against images seen: `python tools/make_curve.py NAME "TITLE" RUN [RUN ...]`.

Writes `docs/evidence/curves/NAME.svg` with a curve for each run, named by the run's folder with its best value, and
`docs/evidence/curves/RUN.jsonl`, the validation lines of each. A run without a folder is read from that file.
`--bits` plots bits/dim.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

from pointillist.images.visualization.chart import Axes, Chart, Mark, Text
from pointillist.images.visualization.chart import Path as ChartPath
from speed.plot import svg_file

FOLDER = Path(__file__).parents[1] / "docs" / "evidence" / "curves"
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 360, 56, 560, 48, 316
COLORS = (
    (217, 72, 15), (24, 100, 171), (43, 138, 62), (134, 46, 156), (92, 148, 13), (194, 37, 92), (73, 80, 87),
    (11, 114, 133),
)  # fmt: skip
SPACING = 16  # of the names of curves
HEADROOM = 6.0  # least steps above the best value: showing the first values would flatten the rest
MAX_LINES = 9
TICKS = [k * 10**e for e in range(10) for k in (1, 2, 5)]

Curve = list[tuple[int, float]]


def plot(curves: dict[str, Curve], title: str, unit: str) -> str:
    """Plot the curves as an SVG file: images on a logarithmic axis, nats or bits/dim on a linear one."""
    smallest = 1.0 if unit == "nats" else 0.1
    low, high = value_range(curves, smallest)
    shown = {name: [(i, v) for i, v in curve if v <= high] for name, curve in curves.items()}
    images = [i for curve in shown.values() for i, _ in curve]
    first, last = min(images), max(max(images), min(images) + 1)
    axes = Axes(LEFT, TOP, RIGHT, BOTTOM, (first, last), (low, high), x_map=math.log)
    marks: list[Mark] = [Text(LEFT, 22, title, "start", "title"), Text(8, TOP - 14, unit, "start", "soft")]
    marks += axes.y_ticks(value_ticks(low, high, smallest)) + axes.x_ticks(image_ticks(axes))
    marks.append(Text(RIGHT, BOTTOM + 36, "images seen", "end", "soft"))
    return svg_file(Chart(WIDTH, HEIGHT, title, (*marks, *curve_marks(shown, axes))))


def value_range(curves: dict[str, Curve], step: float) -> tuple[float, float]:
    """Return the range of values: every curve shows its best and, if there is one, another value."""
    values = [sorted(v for _, v in curve) for curve in curves.values()]
    low = math.floor(min(v[0] for v in values) / step)
    needed = max(v[min(1, len(v) - 1)] for v in values)
    return low * step, max(low + HEADROOM, math.ceil(needed / step + 0.5)) * step


def value_ticks(low: float, high: float, smallest: float) -> list[tuple[float, str]]:
    """Return round values for grid lines, never too many."""
    count = round((high - low) / smallest)
    every = next(k for k in TICKS if count / k <= MAX_LINES)
    values = [round(low + k * smallest, 6) for k in range(0, count + 1, every)]
    return [(value, f"{value:g}") for value in values]


def image_ticks(axes: Axes) -> list[tuple[float, str]]:
    """Return round numbers of images, none so near another that their labels touch."""
    ticks: list[tuple[float, str]] = []
    end = -math.inf
    for images in TICKS:
        half = 4.0 * len(f"{images:,}")
        if axes.x[0] <= images <= axes.x[1] and axes.at_x(images) - half > end:
            ticks.append((images, f"{images:,}"))
            end = axes.at_x(images) + half
    return ticks


def curve_marks(shown: dict[str, Curve], axes: Axes) -> list[Mark]:
    """Draw each curve with a dot at its best value, and its name beside its end, as near as there is space."""
    ends = {name: curve[-1] for name, curve in shown.items()}
    order = sorted(ends, key=lambda name: -ends[name][1])
    heights = spread_labels([axes.at_y(ends[name][1]) + 4 for name in order])
    colors = dict(zip(shown, COLORS * len(shown), strict=False))
    marks: list[Mark] = []
    for name, height in zip(order, heights, strict=True):
        color, (last, end) = colors[name], ends[name]
        best, at = min((v, i) for i, v in shown[name])
        leader = ((axes.at_x(last) + 4, axes.at_y(end)), (RIGHT + 5.0, height - 4))
        marks += [ChartPath(leader, "grid"), axes.path(shown[name], "line", color=color)]
        marks += [axes.dot(at, best, 3.5, color=color)]
        marks += [Text(RIGHT + 8, height, f"{name} {best:.2f}", "start", color=color)]
    return marks


def spread_labels(wanted: list[float]) -> list[float]:
    """Return heights from top to bottom, as wanted but never nearer than `SPACING`, and not below the axis."""
    heights: list[float] = []
    for height in wanted:
        heights.append(max(height, heights[-1] + SPACING) if heights else height)
    limit = float(BOTTOM)
    for index in reversed(range(len(heights))):
        heights[index] = min(heights[index], limit)
        limit = heights[index] - SPACING
    return heights


def main(name: str, title: str, runs: list[str], bits: bool) -> None:
    """Keep the validation lines of the runs, and plot them."""
    key = "valid_bits_per_dim" if bits else "valid_nats"
    FOLDER.mkdir(exist_ok=True)
    curves: dict[str, Curve] = {}
    for run in map(Path, runs):
        kept = FOLDER / f"{run.name}.jsonl"
        source = run / "metrics.jsonl" if run.is_dir() else kept
        lines = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
        lines = [line for line in lines if key in line]
        kept.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
        curves[run.name] = [(line["images"], line[key]) for line in lines]
    (FOLDER / f"{name}.svg").write_text(plot(curves, title, "bits/dim" if bits else "nats"), encoding="utf-8")


if __name__ == "__main__":
    arguments = [a for a in sys.argv[1:] if a != "--bits"]
    main(arguments[0], arguments[1], arguments[2:], "--bits" in sys.argv)
