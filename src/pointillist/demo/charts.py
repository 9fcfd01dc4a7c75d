"""Charts of the demo page, each from plain numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pointillist.demo.results import ClassBits
from pointillist.visualization.chart import Axes, Chart, Dot, Mark, Path, Text, round_steps

_WIDTH = 480


def training_curve(metrics: Sequence[dict[str, Any]]) -> Chart:
    """Plot bits/dim against steps (logarithmic): training as a thin line, validation as a strong one.

    Args:
        metrics: the lines of `metrics.jsonl`.
    """
    trained = [(int(m["step"]), float(m["bits_per_dim"])) for m in metrics if "bits_per_dim" in m]
    valid = [(int(m["step"]), float(m["valid_bits_per_dim"])) for m in metrics if "valid_bits_per_dim" in m]
    points = [*trained, *valid] or [(1, 0.0)]
    first = min(p[0] for p in points)
    last = max(max(p[0] for p in points), first + 1)
    low = math.floor(min(p[1] for p in points) * 2) / 2
    high = max(math.ceil(max(p[1] for p in points) * 2) / 2, low + 0.5)
    axes = Axes(40, 28, _WIDTH - 14, 260, (first, last), (low, high), x_map=math.log)
    step = 0.5 if high - low <= 3.5 else 1.0
    marks: list[Mark] = axes.y_ticks(
        [(tick, f"{tick:g}") for tick in np.arange(low, high + 0.01, step).tolist()], "bits/dim"
    )
    between = [10**k * m for k in range(7) for m in (1, 3) if first * 1.6 < 10**k * m < last / 1.6]
    marks += [Text(axes.at_x(tick), 280, f"{tick:,}") for tick in between]
    marks += [Text(axes.left, 280, f"{first:,}", "start"), Text(axes.right, 280, f"{last:,}", "end")]
    marks.append(Text((axes.left + axes.right) / 2, 299, "steps", kind="soft"))
    marks += [axes.path(line, kind) for line, kind in ((trained, "thin"), (valid, "strong")) if line]  # type: ignore[arg-type]
    marks += [axes.dot(s, b, 3) for s, b in valid]
    label = f"Bits per dimension during training, from {points[0][1]:.2f} at the start"
    if valid:
        label += f" to {min(b for _, b in valid):.2f} at best on validation images"
    return Chart(_WIDTH, 302, label, tuple(marks))


def class_chart(classes: Sequence[ClassBits], mean: float) -> Chart:
    """Plot bits/dim of each class as a dot with its 95 % interval, and the mean of all images as a dashed line."""
    top, step = 26, 24
    bottom = top + step * len(classes)
    ends = [v for c in classes for v in (*c.interval, c.bits_per_dim) if math.isfinite(v)] + [mean]
    low = math.floor(min(ends) * 5) / 5
    high = max(math.ceil(max(ends) * 5) / 5, low + 0.2)
    axes = Axes(34, top - 4, _WIDTH - 52, bottom, (low, high), (0, len(classes)))
    marks: list[Mark] = axes.x_grid([(tick, f"{tick:.1f}") for tick in round_steps(low, high, 7)])
    marks.append(axes.path([(mean, 0), (mean, len(classes))], "dash"))
    marks.append(Text(axes.at_x(mean), top - 10, f"all {mean:.2f}", kind="soft"))
    for row, c in enumerate(classes):
        y = top + step * (row + 0.5)
        marks.append(Text(20, y + 5, c.name, "end"))
        if all(math.isfinite(v) for v in c.interval):
            marks.append(Path(tuple((axes.at_x(v), y) for v in c.interval), "whisker"))
        marks.append(Dot(axes.at_x(c.bits_per_dim), y, 4.5, "dot"))
        marks.append(Text(_WIDTH - 4, y + 5, f"{c.bits_per_dim:.2f}", "end"))
    label = "Bits per dimension by class: " + ", ".join(f"{c.name} {c.bits_per_dim:.2f}" for c in classes)
    return Chart(_WIDTH, bottom + 30, label, tuple(marks))
