"""Charts of the views, each drawn from arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from pointillist.images.array_types import Float, Int
from pointillist.images.visualization.chart import Axes, Chart, Dot, Kind, Mark, Path, Rect, Text, round_steps

_WIDTH = 480.0
_NICE = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0)
_CURVE_POINTS = 120
_MIN_WEIGHT = 0.01  # smaller components of a mixture are left out
_MAX_NAME = 26  # letters of a name that fit next to a bar


def distribution_chart(
    p: Float[np.ndarray, " k"],
    observed: int,
    components: Float[np.ndarray, "m k"] | None = None,
    *,
    site: tuple[int, int, int],
) -> Chart:
    """Draw bars over the levels, the observed one in the accent colour, and a mixture's components as lines.

    Args:
        p: probabilities.
        observed: the level that is there.
        components: probability of each level by each component of a mixture.
        site: row, column and channel, for the label.
    """
    high = next(n for n in _NICE if n >= min(1.0, float(p.max())))
    axes = Axes(44, 28, _WIDTH - 8, 170, (0, len(p)), (0, high))
    marks: list[Mark] = axes.y_ticks([(high / 2, f"{high / 2:g}"), (high, f"{high:g}")], "probability")
    gap = 0.1 if len(p) <= 64 else 0.0
    for level, q in enumerate(p):
        kind: Kind = "seen" if level == observed else "bar"
        marks.append(axes.bar(level + gap, level + 1 - gap, 0, max(float(q), high * 0.004), kind))
    for mass in () if components is None else components:
        if mass.sum() >= _MIN_WEIGHT:
            marks.append(axes.path([(k + 0.5, min(float(m), high)) for k, m in enumerate(mass)], "line"))
    x = axes.at_x(observed + 0.5)
    marks.append(Path(((x, 172), (x - 5, 180), (x + 5, 180)), "seen", closed=True))
    ticks = sorted({0, (len(p) - 1) // 2, len(p) - 1})
    marks += [Path(((axes.left, axes.bottom), (axes.right, axes.bottom)), "axis")]
    marks += [Text(axes.at_x(level + 0.5), 195, str(level), kind="soft") for level in ticks]
    marks.append(Text((axes.left + axes.right) / 2, 212, "level", kind="soft"))
    label = (
        f"Probabilities of {len(p)} levels at row {site[0]}, column {site[1]}, channel {site[2]}: level "
        f"{observed} was there, with probability {p[observed]:.3g}; the likeliest was {int(p.argmax())}"
    )
    return Chart(_WIDTH, 218, label, tuple(marks))


def cumulative_axes(count: int, high: float) -> Axes:
    """Return the axes of the chart of cumulative bits: index in the order, and bits."""
    return Axes(52, 26, _WIDTH - 10, 224, (0, max(count, 1)), (0, high))


def cumulative_chart(
    bits: Float[np.ndarray, " n"], expected: Float[np.ndarray, " n"], std: Float[np.ndarray, " n"], unit: str
) -> Chart:
    """Draw cumulative surprisal against cumulative entropy, with the 95 % band of their difference."""
    count = len(bits) - 1
    high = float(max(bits[-1], expected[-1] + 2 * std[-1], 1e-9))
    axes = cumulative_axes(count, high)
    indices = np.unique(np.linspace(0, count, min(count + 1, 4 * _CURVE_POINTS)).round().astype(int))
    upper = [(int(k), min(high, float(expected[k] + 1.96 * std[k]))) for k in indices]
    lower = [(int(k), max(0.0, float(expected[k] - 1.96 * std[k]))) for k in indices]
    marks: list[Mark] = [axes.path([*upper, *lower[::-1]], "band", closed=True)]
    marks += axes.y_ticks([(t, f"{t:g}") for t in round_steps(0, high)], "bits so far")
    marks += axes.x_ticks([(t, f"{t:,.0f}") for t in round_steps(0, count)], f"{unit}, in generation order")
    marks += [axes.path([(int(k), float(expected[k])) for k in indices], "thin")]
    marks += [axes.path([(int(k), float(bits[k])) for k in indices], "strong")]
    label = (
        f"Cumulative bits along the generation order: {bits[-1]:.1f} after {count:,} {unit}, where "
        f"{expected[-1]:.1f} were expected"
    )
    return Chart(_WIDTH, 264, label, tuple(marks))


def pit_chart(counts: Int[np.ndarray, " bins"], band: tuple[float, float]) -> Chart:
    """Draw the histogram of the probability integral transform, with the band that holds all bars if it is flat."""
    share = counts / max(1, counts.sum()) * len(counts)
    low, high = band
    top = max(float(share.max()), high) * 1.08
    axes = Axes(44, 26, _WIDTH - 10, 204, (0, len(counts)), (0, top))
    marks: list[Mark] = [axes.bar(0, len(counts), low, high, "band")]
    marks += axes.y_ticks([(t, f"{t:g}") for t in round_steps(0, top, 4)], "frequency, relative to a flat histogram")
    for k, value in enumerate(share):
        marks.append(axes.bar(k + 0.06, k + 0.94, 0, float(value), "bar" if low <= value <= high else "bad"))
    marks += [axes.path([(0, 1), (len(counts), 1)], "dash")]
    ticks = [(len(counts) * k / 4, f"{k / 4:g}") for k in range(5)]
    marks += axes.x_ticks(ticks, "probability integral transform of the observed level")
    label = f"PIT histogram of {int(counts.sum()):,} sub-pixels, from {share.min():.3f} to {share.max():.3f}; flat is 1"
    return Chart(_WIDTH, 244, label, tuple(marks))


def reliability_chart(
    predicted: Float[np.ndarray, " n"], observed: Float[np.ndarray, " n"], band: Float[np.ndarray, " n"]
) -> Chart:
    """Draw observed frequencies against predicted probabilities on logit scales, with the band of each bin.

    Args:
        predicted, observed: the pairs; NaN in a bin without forecasts, which is left out.
        band: half the width of the band; NaN in a bin that is not judged.
    """
    shown = ~np.isnan(predicted)
    ends = (0.0005, 0.9995)
    axes = Axes(52, 26, 300, 274, ends, ends, _logit, _logit)

    def within(p: float) -> float:
        return min(max(p, ends[0]), ends[1])

    ticks = [(p, f"{100 * p:g} %") for p in (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)]
    marks: list[Mark] = axes.y_ticks(ticks, "observed")
    marks += axes.x_ticks([t for t in ticks if t[0] in (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)], "predicted")
    marks += [axes.path([(ends[0], ends[0]), (ends[1], ends[1])], "dash")]
    for k in np.flatnonzero(shown):
        p, f, d = (float(a[k]) for a in (predicted, observed, band))
        x = axes.at_x(within(p))
        kind: Kind = "thin"  # too few forecasts for a band
        if math.isfinite(d):
            top, bottom = axes.at_y(within(p + d)), axes.at_y(within(p - d))
            marks.append(Rect(x - 5, top, 10, bottom - top, "band"))
            kind = "good" if abs(f - p) <= d else "bad"
        marks.append(Dot(x, axes.at_y(within(f)), 3.6, kind))
    label = f"Observed frequency of levels against predicted probability, in {int(shown.sum())} bins"
    return Chart(310, 314, label, tuple(marks))


def bars_chart(rows: Sequence[tuple[str, float]], unit: str, *, marked: int | None = None) -> Chart:
    """Draw a bar for each row, from zero to either side, with its number."""
    step, left, right = 24.0, 130.0, _WIDTH - 62
    low = min(0.0, *(v for _, v in rows))
    high = max(0.0, *(v for _, v in rows), low + 1e-9)
    if low < 0:
        left += 50
    axes = Axes(left, 6, right, 6 + step * len(rows), (low, high), (0, 1))
    marks: list[Mark] = []
    zero = axes.at_x(0)
    for index, (name, value) in enumerate(rows):
        y = 6 + step * index
        a, b = sorted((zero, axes.at_x(value)))
        kind: Kind = "seen" if index == marked else "bar"
        marks.append(Rect(a, y + 5, max(b - a, 0.8), step - 10, kind))
        short = name if len(name) <= _MAX_NAME else name[: _MAX_NAME - 1] + "\u2026"
        marks.append(Text(120, y + 16, short, "end"))
        if value >= 0:
            marks.append(Text(b + 6, y + 16, f"{value:,.1f}", "start", "soft"))
        else:
            marks.append(Text(a - 6, y + 16, f"\u2212{-value:,.1f}", "end", "soft"))
    marks.append(Path(((zero, 6), (zero, axes.bottom)), "axis"))
    marks.append(Text((left + right) / 2, axes.bottom + 18, unit, kind="soft"))
    words = f"{unit}: " + ", ".join(f"{name} {value:.1f}" for name, value in rows)
    return Chart(_WIDTH, axes.bottom + 26, words, tuple(marks))


def _logit(p: float) -> float:
    return math.log(p / (1 - p))
