"""A report as a picture: what an image takes, engine by engine, on a logarithmic axis, as SVG."""

from __future__ import annotations

import math
from html import escape
from typing import Any

WIDTH, LEFT, RIGHT, TOP, LINE = 760, 150, 640, 44, 22
STYLE = "text{font:12px sans-serif;fill:#555} .t{font-size:14px;fill:#222} .g{stroke:#ddd}"
COLOURS = {"naive": "#adb5bd", "floor": "#d9480f"}
_ENGINE = "#1864ab"

Bar = tuple[str, float, str]
"""Name, milliseconds, what is written beside it."""


def plot_report(report: dict[str, Any]) -> str:
    """The painting times of `Report.plain()` by batch size, one thread, with the floor of the machine below each."""
    groups = _groups(report)
    values = [ms for _, bars in groups for _, ms, _ in bars]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

    def x(ms: float) -> float:
        return LEFT + (RIGHT - LEFT) * (math.log10(ms) - low) / max(1, high - low)

    title = f"{report['name']}, {report['image']}: milliseconds an image, one thread"
    bottom = TOP + sum(LINE * (len(bars) + 1) + 10 for _, bars in groups)
    parts = [f'<text class="t" x="8" y="22">{escape(title)}</text>']
    for power in range(low, high + 1):
        at = x(10.0**power)
        parts.append(f'<line class="g" x1="{at:.1f}" x2="{at:.1f}" y1="{TOP}" y2="{bottom}"/>')
        parts.append(f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{10.0**power:,g}</text>')
    y = TOP
    for name, bars in groups:
        parts.append(f'<text class="t" x="8" y="{y + 16}">{escape(name)}</text>')
        y += LINE
        for engine, ms, beside in bars:
            colour, width = COLOURS.get(engine, _ENGINE), x(ms) - LEFT
            parts.append(f'<text x="{LEFT - 8}" y="{y + 15}" text-anchor="end">{escape(engine)}</text>')
            parts.append(f'<rect x="{LEFT}" y="{y + 3}" width="{width:.1f}" height="{LINE - 6}" fill="{colour}"/>')
            parts.append(f'<text x="{x(ms) + 6:.1f}" y="{y + 15}">{escape(beside)}</text>')
            y += LINE
        y += 10
    height = bottom + 30
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">'
    return f'{head}<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'


def _groups(report: dict[str, Any]) -> list[tuple[str, list[Bar]]]:
    """The bars of each batch size, slowest first."""
    rows = [row for row in report["painting"] if row["threads"] == 1]
    groups = []
    for batch in dict.fromkeys(row["batch"] for row in rows):
        ours = [row for row in rows if row["batch"] == batch]
        bars: list[Bar] = []
        for row in sorted(ours, key=lambda row: -row["milliseconds"]["median"]):
            ms, faster = row["milliseconds"]["median"], row["over_naive"]
            beside = "" if faster is None else f" ({faster['median']:,.0f} times)"
            bars.append((row["engine"], ms, f"{ms:,.1f}{beside}"))
        floor = ours[0]["milliseconds"]["median"] / ours[0]["over_floor"]
        groups.append((f"batch {batch}", [*bars, ("floor", floor, f"{floor:,.1f}")]))
    return groups
