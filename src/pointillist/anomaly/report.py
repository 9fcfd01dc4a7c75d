"""The report on many images: a line for each, as a table too, and a self-contained page with the most anomalous."""

from __future__ import annotations

import csv
import heapq
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from itertools import zip_longest
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import quote

import numpy as np

from pointillist.anomaly.heat import UNIT, AnomalyRecord
from pointillist.anomaly.statistics import DESCRIPTIONS
from pointillist.files.writing import atomic_path, open_table, write_text
from pointillist.images.visualization import html
from pointillist.system import __version__

MAX_SHOWN = 12
"""Number of images that the page shows."""
_CHANCE = 0.05  # probability below which a number of rare images is more than chance
_RARELY = 1e-6  # probability below which the page names no number
_FAR = 10.0  # standard deviations from normal images that no count of images explains
_BARS, _LEAST = 48, 10  # bars of the histogram, and images from which on there is one
_COLUMNS = ("file", "p_value", "score", "pred_label", "top_statistic", "row", "column", "masked_pixels")
_SIDE = 128  # longer side of a picture, in pixels of the screen


class AnomalyReport:
    """Verdicts on images, added one by one; only the most anomalous keep their pixels.

    ```python
    report = AnomalyReport(false_alarms=0.05)
    for record in detector.records("parts/"):
        report.add(record)
    report.save("report.html", [("model", "runs/parts")])
    ```

    Attributes:
        false_alarms: share of normal images that may be called anomalous.
        rows: numbers of each image, as `AnomalyRecord.to_dict` gives them, in the order of the images.
    """

    def __init__(self, false_alarms: float, shown: int = MAX_SHOWN) -> None:
        self.false_alarms = false_alarms
        self.rows: list[dict[str, Any]] = []
        self._shown = shown
        self._heap: list[tuple[float, int, AnomalyRecord]] = []

    def add(self, record: AnomalyRecord) -> None:
        """Add the verdict on an image."""
        heapq.heappush(self._heap, (-record.score, len(self.rows), record))
        if len(self._heap) > self._shown:
            heapq.heappop(self._heap)
        self.rows.append(record.to_dict())

    @property
    def anomalous(self) -> int:
        """Number of images that are called anomalous."""
        return sum(row["pred_label"] for row in self.rows)

    @property
    def most_anomalous(self) -> list[AnomalyRecord]:
        """The most anomalous images, the most anomalous first."""
        return [record for _, _, record in sorted(self._heap, key=lambda entry: (-entry[0], entry[1]))]

    @property
    def sorted_rows(self) -> list[dict[str, Any]]:
        """The numbers of each image, the most anomalous first."""
        return sorted(self.rows, key=lambda row: row["score"])

    def to_html(self, facts: Sequence[tuple[str, str]] = (), pages: Sequence[str] = ()) -> str:
        """Render the page: one file without any reference to another.

        Args:
            facts: names and values for the table at its end, such as the model.
            pages: addresses of pages that explain the first of the most anomalous images, pixel by pixel.
        """
        shown = self.most_anomalous
        side = max((max(record.z_map.shape) for record in shown), default=_SIDE)
        numbers = [
            *facts,
            ("images", f"{len(self.rows):,}, of which {self.anomalous:,} are below the threshold"),
            ("false-alarm rate", f"{self.false_alarms:g}"),
            ("software", f"pointillist {__version__}"),
            ("date", datetime.now(UTC).strftime("%Y-%m-%d")),
        ]
        parts = {
            "title": escape(self.finding),
            "style": html.base_style(),
            "k": str(max(1, round(_SIDE / side))),
            "headline": escape(self.finding),
            "lead": escape(self._lead()),
            "histogram": _histogram(self.rows),
            "scale": html.diverging_scale(round(shown[0].top, 1), UNIT) if shown else "",
            "most_anomalous": "".join(
                _figure(record, self.verdict(record.to_dict()), page)
                for record, page in zip_longest(shown, pages[: len(shown)])
            ),
            "statistics": _statistics(shown),
            "table": html.table(numbers),
        }
        page = (files("pointillist.anomaly") / "report.html").read_text(encoding="utf-8")
        return Template(page).substitute(parts)

    def save(self, path: str | Path, facts: Sequence[tuple[str, str]] = (), pages: Sequence[str] = ()) -> Path:
        """Write the page; the file appears whole or not at all."""
        write_text(Path(path), self.to_html(facts, pages))
        return Path(path)

    @property
    def finding(self) -> str:
        """The result in one line: whether more images are rare than the false-alarm rate explains."""
        count, rate = len(self.rows), self.false_alarms
        few = "Few, but far from normal" if self._farthest >= _FAR else "Nothing unusual"
        words = "More than chance" if self._chance < _CHANCE else few
        return f"{words}: {self.anomalous:,} of {count:,} images are below p = {rate:g}, {rate * count:.3g} expected"

    def verdict(self, row: Mapping[str, Any]) -> str:
        """Say what an image is among all of these: rare ones are anomalous only if they are more than chance explains.

        Args:
            row: one of `rows`.
        """
        if not row["pred_label"]:
            return ""
        if abs(row["statistics"][row["top_statistic"]]) >= _FAR:
            return "far from normal"
        return "anomalous" if self._chance < _CHANCE else "rare by chance"

    @property
    def _chance(self) -> float:
        """Probability that as many normal images or more would be below the rate."""
        return _binomial_tail(self.anomalous, len(self.rows), self.false_alarms)

    @property
    def _farthest(self) -> float:
        """Standard deviations between normal images and the most anomalous image, in its top statistic."""
        top = self.sorted_rows[0] if self.rows else None
        return 0.0 if top is None else abs(top["statistics"][top["top_statistic"]])

    def _lead(self) -> str:
        chance = self._chance
        often = f"{100 * chance:.2g} of 100" if chance >= _CHANCE / 5 else f"1 of {1 / max(chance, _RARELY):,.0f}"
        far = ""
        if self._farthest >= _FAR:
            name = self.sorted_rows[0]["file"]
            far = f"The farthest, {name}, lies {self._farthest:.1f} standard deviations from normal images. "
        return far + (
            f"A p-value says how rare an image is among normal ones. If all of these were normal, a share of "
            f"{self.false_alarms:g} would be below {self.false_alarms:g} by chance; this many or more would be in "
            f"{'fewer than ' if chance < _RARELY else 'about '}{often} such collections. The rarest images come first."
        )


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write a line for each image: the verdict, and its statistics in standard deviations of normal images.

    Args:
        rows: as `AnomalyRecord.to_dict` gives them, in the order in which they are written.
    """
    with atomic_path(path) as temporary, open_table(temporary) as file:
        names = list(rows[0]["statistics"])
        writer = csv.writer(file)
        writer.writerow([*_COLUMNS, *names])
        for row in rows:
            row = {**row, "pred_label": int(row["pred_label"]), "row": row["location"][0], "column": row["location"][1]}
            numbers = [f"{row['statistics'][name]:.6g}" for name in names]
            writer.writerow([*(row[name] for name in _COLUMNS), *numbers])


def _binomial_tail(least: int, count: int, rate: float) -> float:
    """Probability of at least so many successes in independent trials.

    Example:
        _binomial_tail(1, 2, 0.5)  # 0.75
    """
    if least <= 0 or rate >= 1:
        return 1.0
    if rate <= 0:
        return 0.0
    ways = [math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1) for k in range(least, count + 1)]
    logs = [way + k * math.log(rate) + (count - k) * math.log1p(-rate) for k, way in enumerate(ways, least)]
    return min(1.0, sum(math.exp(value) for value in logs))


def _histogram(rows: Sequence[dict[str, Any]]) -> str:
    """Draw the scores of all images, those below the threshold in another colour."""
    scores = np.array([row["score"] for row in rows], np.float64)
    rare = np.array([bool(row["pred_label"]) for row in rows])
    if len(scores) < _LEAST or not np.isfinite(scores).all() or np.ptp(scores) == 0:
        return ""
    low = float(np.quantile(scores, 0.005))  # a few far outliers would squeeze the others into one bar
    if not rare.all() and np.ptp(scores[~rare]) > 0:
        low = max(low, float(2 * scores[~rare].min() - scores.max()))
    beyond = int((scores < low).sum())
    edges = np.linspace(low, float(scores.max()), _BARS + 1)
    clipped = np.maximum(scores, low)
    counts = [np.histogram(clipped[part], edges)[0] for part in (rare, ~rare)]
    top, width, height = int(max((counts[0] + counts[1]).max(), 1)), 640, 150
    bars = []
    for i, (anomalous, normal) in enumerate(zip(*counts, strict=True)):
        x, w = 10 + i * (width - 20) / _BARS, (width - 20) / _BARS - 1
        for start, many, kind in ((0, anomalous, "rare"), (anomalous, normal, "normal")):
            h, y = many / top * (height - 30), height - 20 - (start + many) / top * (height - 30)
            span = f"{edges[i]:.1f} to {edges[i + 1]:.1f}"
            title = f"<title>{many} {kind}, score {span}</title>"
            bars += [f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}">{title}</rect>']
    line = ""
    if rare.any() and not rare.all():
        threshold = (clipped[rare].max() + scores[~rare].min()) / 2
        x = 10 + (max(threshold, low) - low) / (scores.max() - low) * (width - 20)
        line = (
            f'<path class="threshold" d="M{x:.1f} 4V{height - 20}"><title>score {threshold:.1f}</title></path>'
            f'<text x="{x + 5:.1f}" y="14">left of this line: anomalous</text>'
        )
    ends = (
        f'<text x="10" y="{height - 4}">rarer{f", {beyond:,} beyond the edge" if beyond else ""}</text>'
        f'<text x="{width - 10}" y="{height - 4}" text-anchor="end">more usual</text>'
    )
    label = f"Histogram of the scores of {len(scores)} images, {int(rare.sum())} below the threshold"
    head = f'<svg class="histogram" viewBox="0 0 {width} {height}" role="img" aria-label="{label}">'
    return f"{head}{''.join(bars)}{line}{ends}</svg>"


def _figure(record: AnomalyRecord, verdict: str, page: str | None) -> str:
    pictures = [
        (html.pixels(record.picture, "The image"), "image"),
        (html.pixels(record.overlay_array, "The map over the image"), "overlay"),
        (html.diverging_map(record.z_map, record.top, "The map"), "map"),
    ]
    if record.pred_mask.any():
        mask = np.repeat(record.pred_mask[..., None] * np.uint8(255), 3, -1)
        pictures.append((html.pixels(mask, "The mask"), "mask"))
    figures = "".join(f"<figure>{picture}<figcaption>{name}</figcaption></figure>" for picture, name in pictures)
    row, column = record.location
    largest = sorted(record.statistics.items(), key=lambda item: -abs(item[1]))[:3]
    numbers = ", ".join(f"{escape(name)} {value:+.1f}" for name, value in largest)
    name = f"image {record.name}" if record.name.isdecimal() else record.name
    label = "" if record.label is None else f", labelled {escape(record.label)}"
    verdict = f" <i>{escape(verdict)}</i>" if verdict else ""
    link = "" if page is None else f'<br><a href="{quote(page)}">Explain this image, pixel by pixel</a>'
    return (
        f'<div class="anomalous"><div class="pictures">{figures}</div><div class="words"><b>{escape(name)}</b>{label}'
        f"{verdict}<br>p = {record.p_value:.4f}, score {record.score:.2f}<br>most unusual at row {row}, column {column}"
        f"<br><small>{numbers} standard deviations</small>{link}</div></div>"
    )


def _statistics(shown: Sequence[AnomalyRecord]) -> str:
    """Render a table of the statistics, with how often each is the top one among the images that are shown."""
    names = shown[0].statistics if shown else DESCRIPTIONS
    statistics = [record.top_statistic for record in shown]
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(DESCRIPTIONS[name])}</td><td>{statistics.count(name)}</td></tr>"
        for name in names
    )
    return f"<table><tr><th>name</th><th>meaning</th><th>top statistic of so many images above</th></tr>{rows}</table>"
