"""The report on many images: a line for each, and a self-contained page with the most anomalous."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np

from pointillist.anomaly.heat import UNIT, AnomalyRecord
from pointillist.anomaly.statistics import DESCRIPTIONS
from pointillist.files.writing import write_text
from pointillist.system import __version__
from pointillist.visualization import html

MAX_SHOWN = 24
"""Number of images that the page shows."""
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

    def to_html(self, facts: Sequence[tuple[str, str]] = ()) -> str:
        """Render the page: one file without any reference to another.

        Args:
            facts: names and values for the table at its end, such as the model.
        """
        shown = self.most_anomalous
        side = max((max(record.z_map.shape) for record in shown), default=_SIDE)
        numbers = [
            *facts,
            ("images", f"{len(self.rows):,}, of which {self.anomalous:,} are called anomalous"),
            ("false-alarm rate", f"{self.false_alarms:g}"),
            ("software", f"pointillist {__version__}"),
            ("date", datetime.now(UTC).strftime("%Y-%m-%d")),
        ]
        parts = {
            "title": escape(f"{self.anomalous:,} of {len(self.rows):,} images are anomalous"),
            "style": html.base_style(),
            "k": str(max(1, round(_SIDE / side))),
            "headline": escape(f"{self.anomalous:,} of {len(self.rows):,} images are anomalous"),
            "lead": escape(self._lead()),
            "scale": html.diverging_scale(round(shown[0].top, 1), UNIT) if shown else "",
            "most_anomalous": "".join(_figure(record) for record in shown),
            "statistics": _statistics(shown),
            "table": html.table(numbers),
        }
        page = (files("pointillist.anomaly") / "report.html").read_text(encoding="utf-8")
        return Template(page).substitute(parts)

    def save(self, path: str | Path, facts: Sequence[tuple[str, str]] = ()) -> Path:
        """Write the page; the file appears whole or not at all."""
        write_text(Path(path), self.to_html(facts))
        return Path(path)

    def _lead(self) -> str:
        expected = self.false_alarms * len(self.rows)
        return (
            f"At a false-alarm rate of {self.false_alarms:g}, about {expected:.1f} of these images would be called "
            "anomalous if all were normal."
        )


def _figure(record: AnomalyRecord) -> str:
    mask = np.repeat(record.pred_mask[..., None] * np.uint8(255), 3, -1)
    pictures = [
        (html.pixels(record.picture, "The image"), "image"),
        (html.pixels(record.overlay_array, "The map over the image"), "overlay"),
        (html.diverging_map(record.z_map, record.top, "The map"), "map"),
        (html.pixels(mask, "The mask"), "mask"),
    ]
    figures = "".join(f"<figure>{picture}<figcaption>{name}</figcaption></figure>" for picture, name in pictures)
    row, column = record.location
    largest = sorted(record.statistics.items(), key=lambda item: -abs(item[1]))[:3]
    words = ", ".join(f"{name} {value:+.1f}" for name, value in largest)
    verdict = "anomalous" if record.pred_label else "normal"
    return (
        f'<div class="anomalous">{figures}<div class="words"><b>{escape(record.name)}</b><br>{verdict}, p = '
        f"{record.p_value:.4f}, score {record.score:.2f}<br>{escape(words)}<br>most anomalous at row {row}, "
        f"column {column}"
        "</div></div>"
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
