"""Charts as inline SVG: no script, colours from the page, text that stays readable at the width of a phone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from pointillist.demo.figure_data import PixelView
from pointillist.demo.results import ClassBits

_WIDTH = 480
_NICE = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    body = "".join(parts)
    return f'<svg class="chart" viewBox="0 0 {width:g} {height:g}" role="img" aria-label="{escape(label)}">{body}</svg>'


def _text(x: float, y: float, text: str, *, anchor: str = "middle", kind: str = "") -> str:
    name = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{name}>{escape(text)}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'


def training_curve(metrics: Sequence[dict[str, Any]]) -> str:
    """Bits/dim against steps (logarithmic): training as a thin line, validation as a strong one."""
    trained = [(int(m["step"]), float(m["bits_per_dim"])) for m in metrics if "bits_per_dim" in m]
    valid = [(int(m["step"]), float(m["valid_bits_per_dim"])) for m in metrics if "valid_bits_per_dim" in m]
    points = [*trained, *valid] or [(1, 0.0)]
    left, right, top, bottom, height = 40, _WIDTH - 14, 14, 246, 288
    first, last = min(p[0] for p in points), max(p[0] for p in points)
    last = max(last, first + 1)
    low = math.floor(min(p[1] for p in points) * 2) / 2
    high = max(math.ceil(max(p[1] for p in points) * 2) / 2, low + 0.5)

    def x(step: float) -> float:
        return left + (right - left) * math.log(step / first) / math.log(last / first)

    def y(bits: float) -> float:
        return bottom - (bottom - top) * (bits - low) / (high - low)

    parts = []
    for tick in np.arange(low, high + 0.01, 0.5 if high - low <= 3.5 else 1.0):
        parts += [_line(left, y(tick), right, y(tick), "grid"), _text(left - 8, y(tick) + 5, f"{tick:g}", anchor="end")]
    between = [10**k * m for k in range(7) for m in (1, 3) if first * 1.6 < 10**k * m < last / 1.6]
    for tick in (first, *between, last):
        end = "end" if tick == last else "start" if tick == first else "middle"
        parts.append(_text(x(tick), bottom + 20, f"{tick:,}", anchor=end))
    parts.append(_text((left + right) / 2, bottom + 39, "steps", kind="soft"))
    parts.append(_path([(x(s), y(b)) for s, b in trained], "thin"))
    parts.append(_path([(x(s), y(b)) for s, b in valid], "strong"))
    parts += [f'<circle cx="{x(s):.1f}" cy="{y(b):.1f}" r="3" class="dot"/>' for s, b in valid]
    label = f"Bits per dimension during training, from {points[0][1]:.2f} at the start"
    if valid:
        label += f" to {min(b for _, b in valid):.2f} at best on validation images"
    return _svg(_WIDTH, height, label, parts)


def _path(points: Sequence[tuple[float, float]], kind: str) -> str:
    if not points:
        return ""
    return f'<polyline class="{kind}" points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in points)}"/>'


def class_chart(classes: Sequence[ClassBits], mean: float) -> str:
    """Bits/dim of each class as a dot with its 95 % interval, and the mean of all images as a line."""
    left, right, top, step = 34, _WIDTH - 52, 26, 24
    bottom = top + step * len(classes)
    ends = [v for c in classes for v in (*c.interval, c.bits_per_dim) if math.isfinite(v)] + [mean]
    low, high = math.floor(min(ends) * 5) / 5, math.ceil(max(ends) * 5) / 5
    high = max(high, low + 0.2)

    def x(bits: float) -> float:
        return left + (right - left) * (bits - low) / (high - low)

    parts = []
    ticks = max(1, round((high - low) / 0.2))
    for k in range(0, ticks + 1, 1 if ticks <= 7 else 2):
        tick = low + 0.2 * k
        parts += [_line(x(tick), top - 4, x(tick), bottom, "grid"), _text(x(tick), bottom + 20, f"{tick:.1f}")]
    parts += [
        _line(x(mean), top - 4, x(mean), bottom, "mean"),
        _text(x(mean), top - 10, f"all {mean:.2f}", kind="soft"),
    ]
    for row, c in enumerate(classes):
        y = top + step * (row + 0.5)
        parts.append(_text(left - 14, y + 5, c.name, anchor="end", kind="strong-text"))
        if all(math.isfinite(v) for v in c.interval):
            parts.append(_line(x(c.interval[0]), y, x(c.interval[1]), y, "whisker"))
        parts.append(f'<circle cx="{x(c.bits_per_dim):.1f}" cy="{y:.1f}" r="4.5" class="dot"/>')
        parts.append(_text(_WIDTH - 4, y + 5, f"{c.bits_per_dim:.2f}", anchor="end"))
    label = "Bits per dimension by class: " + ", ".join(f"{c.name} {c.bits_per_dim:.2f}" for c in classes)
    return _svg(_WIDTH, bottom + 30, label, parts)


def level_bars(view: PixelView, name: str) -> str:
    """The probability of each level at one pixel, the level that was there in the accent colour."""
    p = view.probabilities
    width, top, bottom, left = 240, 22, 122, 34
    high = next(n for n in _NICE if n >= min(1.0, float(p.max())))
    slot = (width - left - 2) / len(p)
    parts = []
    for share in (0.5, 1.0):
        y = bottom - (bottom - top) * share
        parts += [_line(left, y, width, y, "grid"), _text(left - 5, y + 4, f"{high * share:g}", anchor="end")]
    for level, q in enumerate(p):
        size = max(0.6, (bottom - top) * float(q) / high)
        kind = "bar seen" if level == view.observed else "bar"
        x = left + slot * level + slot * 0.1
        parts.append(
            f'<rect class="{kind}" x="{x:.1f}" y="{bottom - size:.1f}" width="{slot * 0.8:.1f}" height="{size:.1f}"/>'
        )
    parts.append(_line(left, bottom, width, bottom, "axis"))
    # a bar may be too low to be seen, so what was there is also marked below the axis
    x = left + slot * (view.observed + 0.5)
    parts.append(
        f'<polygon class="there" points="{x:.1f},{bottom + 2} {x - 4:.1f},{bottom + 8} {x + 4:.1f},{bottom + 8}"/>'
    )
    for level in sorted({0, (len(p) - 1) // 2, len(p) - 1}):
        parts.append(_text(left + slot * (level + 0.5), bottom + 19, str(level)))
    label = (
        f"Pixel {name}: probabilities of {len(p)} levels; level {view.observed} was there, "
        f"with probability {p[view.observed]:.2f}; the likeliest was {int(p.argmax())} with {p.max():.2f}"
    )
    return _svg(width, bottom + 25, label, parts)


def marked_image(grey: np.ndarray, views: Sequence[PixelView], names: Sequence[str], label: str) -> str:
    """An image `h w` of 8-bit greys with some pixels framed and named."""
    height, width = grey.shape
    parts = ['<g shape-rendering="crispEdges">']
    for (r, c), value in np.ndenumerate(grey):
        parts.append(f'<rect x="{c}" y="{r}" width="1.01" height="1.01" fill="rgb({value},{value},{value})"/>')
    parts.append("</g>")
    for view, name in zip(views, names, strict=True):
        r, c = view.row, view.column
        parts.append(f'<rect class="mark" x="{c + 0.04}" y="{r + 0.04}" width=".92" height=".92"/>')
        parts.append(f'<circle class="badge" cx="{c + 0.5}" cy="{r + 0.5}" r=".29"/>')
        parts.append(
            f'<text class="badge-text" x="{c + 0.5}" y="{r + 0.64}" text-anchor="middle">{escape(name)}</text>'
        )
    return _svg(width, height, label, parts).replace('class="chart"', 'class="chart image"')
