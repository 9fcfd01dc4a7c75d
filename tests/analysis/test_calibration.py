"""Calibration: a model is right about its own images, and a wrong model is found out."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.analysis import ImageQuery, calibration, distribution
from pointillist.analysis.calibration import chi_square_p_value
from tests.tolerances import DOUBLE, rounding

from .helpers import every_image, grey, tiny


@pytest.mark.parametrize("kind", ["grey", "rgb", "mixture"])
def test_a_model_is_right_about_its_own_images(kind: str) -> None:
    """Over 20 sets of its own images: each test fails as rarely as it says, and p is spread over [0, 1].

    Samples and PIT have the same seed, and yet their random numbers must be apart.
    """
    model = tiny(kind)
    p, outside, beyond = [], 0, 0
    for seed in range(20):
        found = calibration(model, pt.sample(model, 400, seed=seed, batch_size=400).levels, seed=seed, batch_size=400)
        assert found.pit is not None
        assert found.pit.sum() == 400 * model.image.dims
        assert found.reliability.count.sum() == 400 * model.image.dims * model.image.levels
        assert found.reliability.judged.sum() >= 3
        share, (low, high) = found.pit.sum(0) / found.pit.sum() * 20, found.pit_band
        outside += bool(((share < low) | (share > high)).any())
        beyond += found.reliability.num_outside > 0
        p.append(found.pit_p_value)
    assert max(outside, beyond, sum(value < 0.05 for value in p)) <= 5  # more happen once in 3,000 cases
    assert 0.3 < float(np.mean(p)) < 0.7


@pytest.mark.parametrize("kind", ["grey", "codes"])
def test_each_bin_varies_as_said(kind: str) -> None:
    """Over all images, weighted by their probabilities: hits less forecasts have mean 0 and the said variance."""
    model = tiny(kind)
    images = every_image(model)
    p = model.log_prob(images).detach().exp().numpy()
    each = [calibration(model, x[None]).reliability for x in images]
    miss = np.nan_to_num([r.count * (r.observed - r.predicted) for r in each])
    variance = np.nan_to_num([(r.count * r.std) ** 2 for r in each])
    assert np.allclose(p @ miss, 0, atol=DOUBLE)
    assert np.allclose(p @ miss**2, p @ variance, atol=DOUBLE)
    assert (p @ variance > 0.1).sum() >= 3


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 19, 20])
def test_the_chi_square_test_is_the_incomplete_gamma_function(freedom: int) -> None:
    for statistic in (0.0, 0.1, 3.841, 20.0, 60.0, 2000.0):
        half = (torch.tensor(value / 2, dtype=torch.float64) for value in (freedom, statistic))
        expected = float(torch.special.gammaincc(*half))
        assert chi_square_p_value(statistic, freedom) == pytest.approx(expected, rel=DOUBLE, abs=0)


def test_a_wrong_model_is_found_out() -> None:
    """The same images under a model that is too sure of itself."""
    model = tiny("grey")
    images = pt.sample(model, 1000, seed=1).levels
    with torch.no_grad():
        model.backbone.output.weight *= 2
        model.backbone.output.bias *= 2
    found = calibration(model, images)
    assert found.pit_p_value < 1e-6
    assert found.reliability.num_outside > 0
    assert found.reliability.error > 0.02


def test_the_pit_is_drawn_within_the_step_of_each_level() -> None:
    """F(x - 1) + v p(x), with the uniforms of (seed, image)."""
    model = tiny("rgb")
    x = torch.randint(3, (5, *model.image.shape))
    found = calibration(model, x, bins=7, seed=3)
    wanted = np.zeros((3, 7), int)
    for i, image in enumerate(x):
        v = np.random.default_rng([3, i, 1]).random(model.image.shape)
        for c, r, w in np.ndindex(*model.image.shape):
            view = distribution(ImageQuery.of(model, image), r, w, c)
            below = view.probs[: view.observed].sum()
            wanted[c, int((below + v[c, r, w] * view.probs[view.observed]) * 7)] += 1
    assert np.array_equal(found.pit, wanted)
    again = calibration(model, x, bins=7, seed=3, batch_size=2)
    assert np.array_equal(again.pit, wanted)
    assert np.allclose(again.reliability.std, found.reliability.std, equal_nan=True)


def test_the_deviation_of_a_bin_allows_for_exclusion() -> None:
    """Three levels of equal probability in one bin: one of them always comes, so nothing varies."""
    model = tiny("codes")
    with torch.no_grad():
        model.backbone.output.weight.zero_()
        model.backbone.output.bias.zero_()
    found = calibration(model, torch.randint(3, (4, *model.image.shape)))
    r = found.reliability
    assert (r.count > 0).sum() == 1
    assert r.predicted[r.count > 0] == pytest.approx(1 / 3)
    assert r.observed[r.count > 0] == pytest.approx(1 / 3)
    assert r.std[r.count > 0] == pytest.approx(0, abs=math.sqrt(rounding(1.0, terms=r.count.sum())))


def test_unordered_levels_have_reliability_alone() -> None:
    model = tiny("codes")
    found = calibration(model, pt.sample(model, 300, seed=0).levels)
    assert found.pit is None
    assert found.reliability.num_outside == 0
    assert "pit" not in found.to_dict()
    with pytest.raises(pt.ConfigError, match="no PIT"):
        _ = found.pit_band
    assert found.image().width > 100


def test_a_data_set_brings_its_labels() -> None:
    digits = pt.load_data("uci-digits").test
    assert digits is not None
    model = pt.build("pixelcnn", shape=digits.spec, classes=digits.classes, channels=4, layers=1)
    told = calibration(model, digits, batch_size=200)
    levels = digits.batch(range(360)).levels
    assert np.array_equal(told.pit, calibration(model, levels, label=digits.labels.tolist()).pit)
    assert told.to_dict()["images"] == 360
    assert told._repr_png_().startswith(b"\x89PNG")


def test_faults_are_sentences() -> None:
    model = grey(2, 2)
    with pytest.raises(pt.ConfigError, match=r"`bins` \(=1\)"):
        calibration(model, torch.zeros(1, 1, 2, 2, dtype=torch.int64), bins=1)
    with pytest.raises(pt.DataError, match="empty"):
        calibration(model, torch.zeros(0, 1, 2, 2, dtype=torch.int64))
    with pytest.raises(pt.ShapeError, match="n, c, h, w"):
        calibration(model, torch.zeros(1, 2, 2, dtype=torch.int64))
