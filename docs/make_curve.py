"""Draw test or validation nats against images seen, from a run's metrics: `python docs/make_curve.py RUN NAME "TITLE"`.

Writes `docs/curves/NAME.jsonl` (the validation lines of the run) and `docs/curves/NAME.svg`.
"""

from __future__ import annotations

import json
import math
import sys
from html import escape
from pathlib import Path

FOLDER = Path(__file__).with_name("curves")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 320, 56, 620, 40, 276
STYLE = (
    "text{font:12px sans-serif;fill:#555} .t{font-size:14px;fill:#222} "
    ".g{stroke:#ddd} .c{fill:none;stroke:#d9480f;stroke-width:2}"
)


def draw(points: list[tuple[int, float]], title: str) -> str:
    """The curve as SVG: images on a logarithmic axis, nats on a linear one."""
    first, last = points[0][0], points[-1][0]
    low, high = math.floor(min(n for _, n in points)), math.ceil(max(n for _, n in points))

    def x(images: float) -> float:
        return LEFT + (RIGHT - LEFT) * math.log(images / first) / math.log(last / first)

    def y(nats: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (nats - low) / (high - low)

    parts = [f'<text class="t" x="{LEFT}" y="22">{escape(title)}</text>']
    for nats in range(low, high + 1):
        parts.append(f'<line class="g" x1="{LEFT}" x2="{RIGHT}" y1="{y(nats):.1f}" y2="{y(nats):.1f}"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y(nats) + 4:.1f}" text-anchor="end">{nats}</text>')
    ticks = sorted({first, *(t for t in (50_000, 100_000, 200_000, 500_000, 1_000_000) if first < t < last), last})
    for images in [t for i, t in enumerate(ticks) if i == 0 or x(t) - x(ticks[i - 1]) > 50]:
        parts.append(f'<text x="{x(images):.1f}" y="{BOTTOM + 18}" text-anchor="middle">{images:,}</text>')
    parts.append(f'<text x="{RIGHT}" y="{BOTTOM + 36}" text-anchor="end">images seen</text>')
    parts.append(f'<text x="8" y="{TOP - 2}">nats</text>')
    path = " ".join(f"{x(i):.1f},{y(n):.1f}" for i, n in points)
    parts.append(f'<polyline class="c" points="{path}"/>')
    size = f'viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="{escape(title)}">'
    return f'{head}<style>{STYLE}</style><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'


def main(run: str, name: str, title: str) -> None:
    """Keep the validation lines of a run, and draw them."""
    lines = [json.loads(line) for line in (Path(run) / "metrics.jsonl").read_text(encoding="utf-8").splitlines()]
    kept = [line for line in lines if "valid_nats" in line]
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
    svg = draw([(line["images"], line["valid_nats"]) for line in kept], title)
    (FOLDER / f"{name}.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:4])
