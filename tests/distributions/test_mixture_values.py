"""The logistic mixture against its published formula, evaluated in 60 digits (Salimans et al. 2017, eq. 1 to 3).

Written from the formula alone: differences of sigmoids, products over channels, no logarithms until the end.
"""

from __future__ import annotations

import itertools

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from mpmath import mpf

from pointillist.distributions.likelihoods import DiscretizedLogisticMixture
from tests.tolerances import DOUBLE

SINGLE = 2e-4
"""In float32. The edge of a bin is a difference of numbers near 1, each wrong by 6e-8, over a scale of at least
exp(-7) = 9e-4: wrong by 7e-5, and two edges and the sum over components add to that."""

DIGITS = 60
NARROWEST = -7  # log-scales below are clamped, as in the authors' code


def sigmoid(z: mpf) -> mpf:
    return 1 / (1 + mpmath.exp(-z))


def bin_probability(level: int, levels: int, mean: mpf, log_scale: mpf) -> mpf:
    """F(upper end) - F(lower end) of the bin of a level; the first and the last one reach to infinity (section 2.1)."""
    top = levels - 1
    value, half = mpf(2 * level) / top - 1, mpf(1) / top
    scale = mpmath.exp(max(log_scale, mpf(NARROWEST)))
    above = mpmath.inf if level == top else (value + half - mean) / scale
    below = -mpmath.inf if level == 0 else (value - half - mean) / scale
    if below > 0:  # F(z) = 1 - F(-z): far out, 60 digits hold the small tails and not what they lack of 1
        above, below = -below, -above
    return sigmoid(above) - sigmoid(below)


def published(params: list[float], pixel: list[int], levels: int, mixtures: int) -> mpf:
    """log p of a whole pixel, in nats."""
    channels, numbers = len(pixel), iter(map(mpf, params))
    weights = [mpmath.exp(next(numbers)) for _ in range(mixtures)]
    means = [[next(numbers) for _ in range(mixtures)] for _ in range(channels)]
    scales = [[next(numbers) for _ in range(mixtures)] for _ in range(channels)]
    tied = {(c, b): [mpmath.tanh(next(numbers)) for _ in range(mixtures)] for c in range(channels) for b in range(c)}
    values = [mpf(2 * level) / (levels - 1) - 1 for level in pixel]
    total = mpf(0)
    for m in range(mixtures):
        term = weights[m] / mpmath.fsum(weights)
        for c in range(channels):
            mean = means[c][m] + mpmath.fsum(tied[c, b][m] * values[b] for b in range(c))
            term *= bin_probability(pixel[c], levels, mean, scales[c][m])
        total += term
    return mpmath.log(total)


def check(params: list[float], pixel: list[int], levels: int, mixtures: int) -> None:
    """Ours in float64 and in float32, against 60 digits."""
    likelihood = DiscretizedLogisticMixture(len(pixel), levels, mixtures)
    exact = torch.tensor(params, dtype=torch.float64)[None, :, None, None]
    x = torch.tensor(pixel)[None, :, None, None]
    with mpmath.workdps(DIGITS):
        wanted = float(published(params, pixel, levels, mixtures))
        rounded = float(published(exact.float().flatten().tolist(), pixel, levels, mixtures))
    assert float(likelihood.log_prob(exact, x).sum()) == pytest.approx(wanted, rel=DOUBLE, abs=DOUBLE)
    assert float(likelihood.log_prob(exact.float(), x).sum()) == pytest.approx(rounded, rel=SINGLE, abs=SINGLE)


@pytest.mark.parametrize("levels", [2, 32, 256])
@pytest.mark.parametrize("log_scale", [-9.0, -7.0, -3.0, 0.0, 4.0])
def test_edges_far_means_and_narrow_scales(levels: int, log_scale: float) -> None:
    """One component: the first, the last and a middle bin, with means on it, at the edges, and far outside."""
    for level, mean in itertools.product((0, 1, levels // 2, levels - 1), (-30.0, -1.0, 0.003, 1.0, 30.0)):
        if level < levels:
            check([0.0, mean, log_scale], [level], levels, 1)


@pytest.mark.parametrize("coupling", [-20.0, -0.7, 0.0, 0.7, 20.0])
def test_colours_move_the_means_of_later_ones(coupling: float) -> None:
    """Each of g by r, b by r and b by g alone; eq. 3 with gamma g for its printed gamma b."""
    for pair, pixel in itertools.product(range(3), ([0, 255, 128], [255, 0, 1], [10, 128, 254])):
        tied = [coupling if pair == n else 0.0 for n in range(3)]
        check([0.0, 0.1, -0.2, 0.3, -2.5, -3.0, -2.0, *tied], list(pixel), 256, 1)


@given(st.data())
def test_random_mixtures(data: st.DataObject) -> None:
    """Any channels, levels and components; parameters far beyond what a network gives."""
    channels, mixtures = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4))
    levels = data.draw(st.sampled_from([2, 3, 17, 256]))
    likelihood = DiscretizedLogisticMixture(channels, levels, mixtures)
    numbers = st.floats(-12, 12, width=32)
    params = data.draw(st.lists(numbers, min_size=likelihood.num_params, max_size=likelihood.num_params))
    pixel = data.draw(st.lists(st.integers(0, levels - 1), min_size=channels, max_size=channels))
    check(params, pixel, levels, mixtures)
