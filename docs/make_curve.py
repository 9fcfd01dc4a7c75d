"""Draw validation nats (or bits/dim) against images seen: `python docs/make_curve.py NAME "TITLE" RUN [RUN ...]`.

Writes `docs/curves/NAME.svg` with a curve a run, named by the run's folder, and `docs/curves/RUN.jsonl`, the validation
lines of each. `--bits` draws bits/dim.
"""

from __future__ import annotations

import json
import math
import sys
from html import escape
from pathlib import Path

FOLDER = Path(__file__).with_name("curves")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 360, 56, 560, 40, 316
COLOURS = ("#d9480f", "#1864ab", "#2b8a3e", "#862e9c", "#5c940d", "#c2255c", "#495057", "#0b7285")
STYLE = "text{font:12px sans-serif;fill:#555} .t{font-size:14px;fill:#222} .g{stroke:#ddd} .c{fill:none;stroke-width:2}"
HEADROOM = 6.0  # nats above the best value that are shown: the first steps would flatten the rest

Curve = list[tuple[int, float]]


def draw(curves: dict[str, Curve], title: str, unit: str) -> str:
    """The curves as SVG: images on a logarithmic axis, nats or bits/dim on a linear one."""
    best = min(v for curve in curves.values() for _, v in curve)
    step = 1.0 if unit == "nats" else 0.1
    low, high = math.floor(best / step) * step, (math.floor(best / step) + HEADROOM) * step
    shown = {name: [(i, v) for i, v in curve if v <= high] for name, curve in curves.items()}
    images = sorted(i for curve in shown.values() for i, _ in curve)
    first, last = images[0], images[-1]

    def x(seen: float) -> float:
        return LEFT + (RIGHT - LEFT) * math.log(seen / first) / math.log(last / first)

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (value - low) / (high - low)

    parts = [f'<text class="t" x="{LEFT}" y="22">{escape(title)}</text>']
    for k in range(int(HEADROOM) + 1):
        value = low + k * step
        parts.append(f'<line class="g" x1="{LEFT}" x2="{RIGHT}" y1="{y(value):.1f}" y2="{y(value):.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(value) + 4:.1f}" text-anchor="end">{value:g}</text>')
    for seen in [t for t in (10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000) if first <= t <= last]:
        parts.append(f'<text x="{x(seen):.1f}" y="{BOTTOM + 18}" text-anchor="middle">{seen:,}</text>')
    parts.append(f'<text x="{RIGHT}" y="{BOTTOM + 36}" text-anchor="end">images seen</text>')
    parts.append(f'<text x="8" y="{TOP - 2}">{unit}</text>')
    height = 0.0
    for (name, curve), colour in sorted(
        zip(shown.items(), COLOURS * len(shown), strict=False), key=lambda c: -c[0][1][-1][1]
    ):
        path = " ".join(f"{x(i):.1f},{y(v):.1f}" for i, v in curve)
        parts.append(f'<polyline class="c" stroke="{colour}" points="{path}"/>')
        height = max(height + 16, y(curve[-1][1]) + 4)  # names never cover each other
        parts.append(
            f'<text x="{RIGHT + 8}" y="{height:.1f}" style="fill:{colour}">{escape(name)} {curve[-1][1]:.2f}</text>'
        )
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">'
    return f'{head}<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'


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
