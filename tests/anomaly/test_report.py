"""Verdicts in words, and the measures of the benchmark of anomalies."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

import pointillist as pt
from pointillist.anomaly import AnomalyReport
from pointillist.anomaly.report import _binomial_tail
from pointillist.data import ImageDataset
from tests.e2e.models import digits
from tests.scripts import script
from tests.tolerances import standard_errors

from .helpers import samples, truth


@pytest.mark.parametrize(("least", "count", "rate"), [(0, 5, 0.3), (1, 2, 0.5), (3, 7, 0.05), (7, 7, 0.4)])
def test_the_tail_of_the_binomial_is_a_sum(least: int, count: int, rate: float) -> None:
    """Of all numbers of successes from `least` on."""
    terms = [math.comb(count, k) * rate**k * (1 - rate) ** (count - k) for k in range(least, count + 1)]
    assert math.isclose(_binomial_tail(least, count, rate), math.fsum(terms))


def test_the_headline_is_the_finding() -> None:
    """Normal images are nothing unusual, noise is; histogram, names and verdicts are those of the images."""
    model = digits()
    normal = pt.sample(model, 80, seed=0, temperature=0.4).levels
    detector = pt.AnomalyDetector(model).fit(normal)
    usual, noisy = AnomalyReport(detector.contamination), AnomalyReport(detector.contamination)
    for record in detector.records(pt.sample(model, 20, seed=1, temperature=0.4).levels):
        usual.add(record)
    for record in detector.records(np.random.default_rng(0).integers(0, 17, (20, 1, 8, 8))):
        noisy.add(record)
    assert usual.finding.startswith("Nothing unusual")
    few = AnomalyReport(detector.contamination)
    few.rows = [*usual.rows, max(noisy.rows, key=lambda row: abs(row["statistics"][row["top_statistic"]]))]
    for row in few.rows[-1:]:
        row |= {"score": -1e4, "statistics": {**row["statistics"], row["top_statistic"]: 111.0}}
    assert few.finding.startswith("Few, but far from normal: ")
    page = few.to_html()
    assert f"The farthest, {few.rows[-1]['file']}, lies 111.0 standard deviations" in page
    assert "1 beyond the edge" in page  # the others are not squeezed into one bar
    assert noisy.finding == "More than chance: 20 of 20 images are below p = 0.05, 1 expected"
    page = usual.to_html()
    assert f"<h1>{usual.finding}</h1>" in page
    assert page.count('class="histogram"') == 1
    shown = [record for record in usual.most_anomalous if record.pred_mask.any()]
    assert page.count("<figcaption>mask</figcaption>") == len(shown)
    assert all(f"<b>image {record.name}</b>" in page for record in usual.most_anomalous)
    rare = [row for row in usual.rows if row["pred_label"]]
    assert {usual.verdict(row) for row in rare} <= {"rare by chance"}
    assert "anomalous</i>" not in page
    assert {noisy.verdict(row) for row in noisy.rows} <= {"anomalous", "far from normal"}
    assert few.verdict(few.rows[-1]) == "far from normal"
    if usual.anomalous:
        assert "left of this line: anomalous" in page


def test_rows_name_labels_and_files_and_link_their_pages() -> None:
    """An image of a data set has the label of the data, without one none; addresses are quoted."""
    model = digits()
    detector = pt.AnomalyDetector(model).fit(pt.sample(model, 80, seed=0).levels)
    levels = pt.sample(model, 3, seed=1).levels
    data = ImageDataset(levels, model.image, labels=np.array([2, -1, 0]), classes=["ant", "bee", "a < b"])
    report = AnomalyReport(detector.contamination)
    for record in detector.records(data):
        report.add(record)
    labels = {record.name: record.label for record in report.most_anomalous}
    assert labels == {"0": "a < b", "1": None, "2": "ant"}
    page = report.to_html(pages=[f"a page-{rank}.html" for rank in range(1, 9)])
    assert "<b>image 0</b>, labelled a &lt; b" in page
    assert "<b>image 1</b><" in page or "<b>image 1</b> <" in page
    assert re.findall(r'href="(a[^"]*)"', page) == [f"a%20page-{rank}.html" for rank in range(1, 4)]


def test_measures_of_pixels() -> None:
    """1 for maps that are the masks; the half, and half the range of false pixels, for maps without information."""
    peers = script("anomaly_peers")
    masks = np.zeros((40, 16, 16), bool)
    masks[:, 4:8, 6:10] = True
    perfect = peers.pixel_measures(np.zeros((5, 16, 16)), masks.astype(float), masks)
    assert perfect == pytest.approx({"pixel_auroc": 1, "aupro": 1})
    rng = np.random.default_rng(0)
    blind = peers.pixel_measures(rng.random((40, 16, 16)), rng.random((40, 16, 16)), masks)
    assert blind["pixel_auroc"] == pytest.approx(0.5, abs=standard_errors(4, 0.5, masks[masks].size))
    assert blind["aupro"] == pytest.approx(0.15, abs=standard_errors(4, 0.15, masks[masks].size))


def test_measures_of_images() -> None:
    """Scores that separate the sets, and scores that do not."""
    peers = script("anomaly_peers")
    apart = peers.measures(np.arange(50.0), np.arange(60.0, 90.0), repeats=20)
    assert (apart["auroc"], apart["aupr"], apart["fpr95"]) == pytest.approx((1, 1, 0))
    same, step = peers.measures(np.arange(100.0), np.arange(100.0), repeats=20), 1 / 100
    assert same["low"] < 0.5 < same["high"]
    assert same["fpr95"] == pytest.approx(0.95, abs=2 * step)


@pytest.mark.slow
def test_one_pair_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """All scores, the false alarms and the masks, for noise among samples of the model."""
    sets, bench = script("anomaly_sets"), script("anomaly")
    model = truth()
    normal = [model.image.to_images(samples(count, seed))[..., 0] for count, seed in ((10, 1), (200, 0), (60, 2))]
    odd = np.random.default_rng(0).integers(0, 4, (60, 10, 10)).astype(np.uint8) * 85
    monkeypatch.setattr(bench, "normal_set", lambda name: sets.NormalSet(*normal))
    pair = sets.Pair("x -> y", "x", lambda: odd, masks=lambda: np.ones((60, 10, 10), bool))
    rows = {row["score"]: row for row in bench.judge(pair, model, model, 60, 0)}
    assert set(rows) == {"detector", "raw", "typicality", "neighbours", "complexity", "ratio", "padim", "patchcore"}
    assert rows["detector"]["auroc"] > 0.95
    assert rows["detector"]["false_alarms"] < 0.2
    assert rows["detector"]["pixel_auroc"] > 0.6
    assert rows["detector"]["relative_speed"] > 0
