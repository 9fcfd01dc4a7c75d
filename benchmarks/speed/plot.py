"""Plot a bench report: the time for an image by engine, on a logarithmic axis, as an SVG file."""

from __future__ import annotations

import math
from typing import Any

from pointillist.images.visualization.chart import (
    COLOURS,
    TEXT_SIZE,
    TEXT_SIZES,
    WIDTHS,
    Axes,
    Chart,
    Kind,
    Mark,
    Path,
    Rect,
    Text,
)

_WIDTH, _LEFT, _RIGHT, _TOP, _LINE = 760, 150, 640, 44, 22
_KINDS: dict[str, Kind] = {"naive": "bar", "roofline": "seen"}

Bar = tuple[str, float, str]
"""Name, milliseconds, and the text beside the bar."""


def plot_report(report: dict[str, Any]) -> str:
    """Plot the sampling times of `BenchReport.to_dict()` by batch size, one thread, with the roofline bound below each.

    Returns:
        An SVG file.
    """
    groups = _groups(report)
    values = [ms for _, bars in groups for _, ms, _ in bars]
    low = math.floor(math.log10(min(values)))
    high = max(low + 1, math.ceil(math.log10(max(values))))
    title = f"{report['name']}, {report['image']}: milliseconds an image, one thread"
    bottom = _TOP + sum(_LINE * (len(bars) + 1) + 10 for _, bars in groups)
    axes = Axes(_LEFT, _TOP, _RIGHT, bottom, (10.0**low, 10.0**high), (0, 1), x_map=math.log10)
    marks: list[Mark] = [Text(8, 22, title, "start", "title")]
    for power in range(low, high + 1):
        x = axes.at_x(10.0**power)
        marks.append(Path(((x, _TOP), (x, bottom)), "grid"))
        marks.append(Text(x, bottom + 16, f"{10.0**power:,g}", kind="soft"))
    y = float(_TOP)
    for name, bars in groups:
        marks.append(Text(8, y + 16, name, "start", "title"))
        y += _LINE
        for engine, ms, beside in bars:
            x = axes.at_x(ms)
            marks.append(Text(_LEFT - 8, y + 15, engine, "end", "soft"))
            marks.append(Rect(_LEFT, y + 3, x - _LEFT, _LINE - 6, _KINDS.get(engine, "line")))
            marks.append(Text(x + 6, y + 15, beside, "start", "soft"))
            y += _LINE
        y += 10
    return svg_file(Chart(_WIDTH, bottom + 30, title, tuple(marks)))


def svg_file(chart: Chart) -> str:
    """Render an SVG file with colours and a white background."""
    start = f'<svg xmlns="http://www.w3.org/2000/svg" width="{chart.width:g}" height="{chart.height:g}"'
    kinds = sorted({mark.kind for mark in chart.marks})
    style = f"text{{font:{TEXT_SIZE}px sans-serif}}" + "".join(map(_style_rule, kinds))
    ground = f'<path fill="#fff" d="M0 0h{chart.width:g}v{chart.height:g}H0z"/>'
    head, _, body = chart.svg().partition(">")
    return f"{start}{head.removeprefix('<svg')}><style>{style}</style>{ground}{body}\n"


def _style_rule(kind: Kind) -> str:
    color, width = f"#{bytes(COLOURS[kind]).hex()}", WIDTHS.get(kind, 1.0)
    fill = f"rect.{kind},polygon.{kind},circle.{kind},text.{kind}{{fill:{color}}}"
    dashes = ";stroke-dasharray:3 3" if kind == "dash" else ""
    size = f"text.{kind}{{font-size:{TEXT_SIZES[kind]}px}}" if kind in TEXT_SIZES else ""
    return f"{fill}polyline.{kind}{{fill:none;stroke:{color};stroke-width:{width:g}{dashes}}}{size}"


def _groups(report: dict[str, Any]) -> list[tuple[str, list[Bar]]]:
    """Return the bars of each batch size, slowest first."""
    rows = [row for row in report["sampling"] if row["threads"] == 1]
    groups = []
    for batch in dict.fromkeys(row["batch"] for row in rows):
        ours = [row for row in rows if row["batch"] == batch]
        bars: list[Bar] = []
        for row in sorted(ours, key=lambda row: -row["milliseconds"]["median"]):
            ms, faster = row["milliseconds"]["median"], row["over_naive"]
            beside = "" if faster is None else f" ({faster['median']:,.0f} times)"
            bars.append((row["engine"], ms, f"{ms:,.1f}{beside}"))
        bound = ours[0]["milliseconds"]["median"] / ours[0]["over_roofline"]
        groups.append((f"batch {batch}", [*bars, ("roofline", bound, f"{bound:,.1f}")]))
    return groups
