"""The measures of the benchmark of anomalies."""

from __future__ import annotations

import numpy as np
import pytest

from tests.scripts import script
from tests.tolerances import standard_errors

from .helpers import samples, truth


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
