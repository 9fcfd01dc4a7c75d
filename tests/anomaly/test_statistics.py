"""Statistics of images, their density, p-values and windows: against known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.neighbors import KernelDensity

import pointillist as pt
from pointillist.analysis import ImageQuery, surprisal_maps
from pointillist.analysis.evaluation.memorization import deflate_bits
from pointillist.anomaly.density import conformal_p_values, conformal_threshold, fit_density, least_count
from pointillist.anomaly.reading import Windows
from pointillist.anomaly.statistics import Scorer, smooth
from tests.equality import assert_close
from tests.tolerances import FORMULA, network_rounding, rounding

from .helpers import samples, truth


@given(st.lists(st.floats(-9, 9), min_size=2, max_size=30, unique=True), st.floats(0.01, 0.5))
def test_p_values_are_uniform_in_finite_samples(scores: list[float], rate: float) -> None:
    """Each of n + 1 exchangeable scores against the others: every rank once; the threshold is that of p."""
    values = np.array(scores)
    rest = [np.delete(values, i) for i in range(len(values))]
    found = [conformal_p_values(others, values[i : i + 1])[0] for i, others in enumerate(rest)]
    assert sorted(found) == pytest.approx(np.arange(1, len(values) + 1) / len(values))
    for i, others in enumerate(rest):
        assert (values[i] < conformal_threshold(others, rate)) == (found[i] <= rate + 1e-12)


def test_ties_count_against_an_alarm() -> None:
    """Equal scores make p larger, never smaller."""
    assert conformal_p_values(np.zeros(9), np.zeros(1)) == [1.0]
    assert [least_count(rate) for rate in (0.5, 0.05, 0.01)] == [1, 19, 99]


def test_bits_and_excess_are_those_of_the_other_views() -> None:
    """`log_prob`, `explain` and DEFLATE give the same numbers."""
    model, x = truth(), samples(5, 3)
    (batch,) = Scorer(model=model).score(x)
    found = dict(zip(Scorer(model=model).names, batch.statistics[:, 0].T, strict=True))
    bits = -model.log_prob(x).detach().numpy() / math.log(2)
    within = network_rounding(model, bits)
    assert found["bits"] == pytest.approx(bits / 100, abs=within / 100)
    assert found["codec"] == pytest.approx((bits - deflate_bits(x.numpy())) / 100, abs=within / 100)
    maps = [surprisal_maps(ImageQuery.of(model, one)) for one in x]
    deviations = min(float(np.sqrt(one.variance.sum())) for one in maps)
    assert found["excess"] == pytest.approx([one.z_score for one in maps], abs=2 * within / deviations)


@pytest.mark.parametrize("likelihood", ["categorical", "mixture", "bernoulli"])
def test_excess_and_pit_have_mean_0_and_deviation_1_over_samples(likelihood: str) -> None:
    """Whatever the likelihood, if the model is right."""
    levels = 2 if likelihood == "bernoulli" else 5
    model = pt.build("pixelcnn", shape=(1, 6, 6), levels=levels, likelihood=likelihood, channels=8, layers=1)
    images = pt.sample(model, 600, seed=0).levels
    statistics = np.concatenate([batch.statistics[:, 0] for batch in Scorer(model=model).score(images)])
    for name, values in zip(Scorer(model=model).names, statistics.T, strict=True):
        if name in ("excess", "pit_mean", "pit_lag_row", "pit_lag_column"):
            assert abs(values.mean()) < 4 / math.sqrt(600), name
            assert 0.85 < values.std() < 1.15, name


def test_a_background_that_is_the_model_adds_nothing() -> None:
    model, x = truth(), samples(6, 4)
    scorer = Scorer(model=model, background=model)
    (batch,) = scorer.score(x)
    within = network_rounding(model, batch.statistics)
    assert batch.statistics[:, 0, scorer.names.index("background")] == pytest.approx(0, abs=within)


def test_names_follow_what_there_is() -> None:
    """Unordered levels have no PIT; a background model adds a statistic."""
    assert not any("pit" in name for name in Scorer(model=truth(ordered=False)).names)
    assert Scorer(model=truth(), background=truth()).names == (*Scorer(model=truth()).names, "background")


@pytest.mark.parametrize("kind", ["gaussian", "kde"])
def test_densities_are_those_of_scipy_and_scikit_learn(kind: str) -> None:
    """Up to the change of units, which `log_density` leaves out."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(80, 3)) @ np.array([[1.0, 0.5, 0], [0, 2, 0], [0, 0, 0.1]]) + 5
    density = fit_density(rows, kind)  # type: ignore[arg-type]
    z = density.standardise(rows)
    if kind == "gaussian":
        covariance = np.linalg.inv(density.whitening @ density.whitening.T)
        wanted = stats.multivariate_normal(density.centres[0], covariance).logpdf(z)
    else:
        kernels = KernelDensity(bandwidth=1.0).fit(density.centres @ density.whitening)
        wanted = kernels.score_samples(z @ density.whitening) + np.linalg.slogdet(density.whitening)[1]
    assert density.log_density(rows) == pytest.approx(wanted)
    assert density.kind == kind


def test_auto_takes_the_density_that_fits() -> None:
    """A Gaussian where the statistics are normal; kernels where they form two groups."""
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(300, 2))
    groups = np.where(rng.random((300, 1)) < 0.5, -6, 6) + 0.2 * rng.normal(size=(300, 2))
    assert fit_density(normal).kind == "gaussian"
    assert fit_density(groups).kind == "kde"


@given(st.tuples(st.integers(4, 40), st.integers(4, 40)), st.tuples(st.integers(4, 12), st.integers(4, 12)))
def test_windows_cover_an_image_and_blend_to_it(size: tuple[int, int], window: tuple[int, int]) -> None:
    """Maps that agree where they overlap are put together unchanged."""
    windows = Windows.of(size, window)
    x = np.random.default_rng(0).random((2, 1, *size))
    cut = windows.cut(x)
    assert cut.shape == (2 * len(windows), 1, min(size[0], window[0]), min(size[1], window[1]))
    assert_close(windows.blend(cut[:, 0]), x[:, 0], rtol=0, atol=FORMULA)


def test_smoothing_keeps_constants_and_the_place_of_a_peak() -> None:
    """Also at the border."""
    flat = np.full((1, 5, 9), 2.0)
    assert_close(smooth(flat, 1.5), flat, rtol=0, atol=rounding(flat, terms=13))
    peak = np.zeros((1, 9, 9))
    peak[0, 4, 6] = 1
    assert smooth(peak, 1.0).argmax() == 4 * 9 + 6
    assert smooth(peak, 0) is peak


def test_a_row_is_rounded_as_if_it_were_alone() -> None:
    """The density of an image, and its smoothed map, have the same bits among any others."""
    rng = np.random.default_rng(0)
    density = fit_density(rng.normal(size=(60, 7)) @ rng.normal(size=(7, 7)))
    rows, maps = rng.normal(size=(40, 7)), rng.random((40, 9, 9))
    assert [density.log_density(row[None])[0] for row in rows] == density.log_density(rows).tolist()
    assert all(
        np.array_equal(smooth(one[None], 1.5)[0], each) for one, each in zip(maps, smooth(maps, 1.5), strict=True)
    )
