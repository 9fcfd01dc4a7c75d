"""Every likelihood has its properties, and every model is normalised over all images."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pointillist.distributions.kinds import LikelihoodName
from pointillist.distributions.likelihoods import DiscretizedLogisticMixture, build_likelihood
from pointillist.images import ImageSpec
from pointillist.networks import names

from .likelihood import check_likelihood, check_mixture_values, check_normalised
from .strategies import fitting_likelihoods, make_model, randomise_weights, small_hint

pytestmark = pytest.mark.proof

CASES = [
    (name, channels, levels)
    for channels in (1, 2, 3, 4)
    for levels in (2, 3, 17, 256)
    for name in fitting_likelihoods(ImageSpec(channels=channels, height=1, width=1, levels=levels))
]


@pytest.mark.parametrize(("name", "channels", "levels"), CASES)
def test_likelihood_has_its_properties(name: LikelihoodName, channels: int, levels: int) -> None:
    """`check_likelihood`, for every likelihood, channel count and level count that fit."""
    image = ImageSpec(channels=channels, height=1, width=1, levels=levels)
    check_likelihood(build_likelihood(name, image, mixtures=3))


@pytest.mark.parametrize("levels", [1000, 65_536])
def test_mixtures_of_many_ordered_levels(levels: int) -> None:
    """Scans: one channel of more than 8 bits."""
    check_likelihood(build_likelihood("mixture", ImageSpec(channels=1, height=1, width=1, levels=levels)))


@pytest.mark.parametrize("levels", [4097, 65_535])
def test_very_many_levels(levels: int) -> None:
    """In two factors, with a last high digit that has fewer low digits."""
    image = ImageSpec(channels=1, height=1, width=1, levels=levels, ordered=False)
    check_likelihood(build_likelihood("auto", image, mixtures=3))


@given(st.integers(1, 4), st.sampled_from([2, 3, 8, 32, 256]), st.integers(1, 5))
def test_mixture_has_the_published_values(channels: int, levels: int, mixtures: int) -> None:
    """Equal to the formula written out with scalars."""
    check_mixture_values(DiscretizedLogisticMixture(channels, levels, mixtures))


# shape, channels, levels: at most 4,096 images
TINY = [
    (2, 2, 1, 2), (2, 2, 1, 3), (2, 2, 2, 2), (2, 2, 3, 2), (1, 3, 1, 5), (3, 1, 2, 3), (1, 3, 3, 2), (3, 1, 1, 3),
    (1, 1, 3, 5), (1, 2, 4, 2),
]  # fmt: skip


@pytest.mark.one_in(3)
@pytest.mark.parametrize("ordered", [True, False])
@pytest.mark.parametrize("name", names())
def test_all_images_together_have_probability_one(name: str, ordered: bool) -> None:
    """1 within 1e-12 in float64, with every likelihood, with and without conditions and learned positions."""
    for index, (height, width, channels, levels) in enumerate(TINY):
        image = ImageSpec(channels=channels, height=height, width=width, levels=levels, ordered=ordered)
        for likelihood in fitting_likelihoods(image):
            labels, position = bool(index % 2), bool(index % 3)
            hint = small_hint((None, 2, "lowres:2")[index % 3], image)
            model = make_model(
                name, image, {"layers": 2}, likelihood=likelihood, labels=labels, position=position,
                attributes=labels, vector=not labels, hint=hint,
            )  # fmt: skip
            check_normalised(randomise_weights(model), height, width)


@pytest.mark.slow
@pytest.mark.parametrize("labels", [True, False])
@pytest.mark.parametrize("name", names())
def test_all_images_of_two_by_two_rgb_and_three_levels(name: str, labels: bool) -> None:
    """The larger enumerations: 6,561 and 4,096 images, for each label."""
    for channels, levels in ((2, 3), (3, 2), (1, 8)):
        image = ImageSpec(channels=channels, height=2, width=2, levels=levels)
        for likelihood in fitting_likelihoods(image):
            check_normalised(randomise_weights(make_model(name, image, likelihood=likelihood, labels=labels)), 2, 2)


def test_edge_levels_own_the_tails() -> None:
    """A mean far outside the range puts all probability on the edge level, whatever the scale."""
    for levels in (2, 17, 256):
        likelihood = DiscretizedLogisticMixture(1, levels, 1)
        for mean, edge in ((-30.0, 0), (30.0, levels - 1)):
            params = torch.tensor([0.0, mean, -2.0], dtype=torch.float64).view(1, 3, 1, 1)
            table = likelihood.conditional(params, torch.zeros(1, 1, 1, 1, dtype=torch.int64), 0)[0, :, 0, 0]
            assert int(table.argmax()) == edge
            assert abs(float(table[edge])) < 1e-12


def test_coupling_shifts_blue_by_the_true_green() -> None:
    """b's mean moves by tanh(coefficient) times the value of g (eq. 3), not of b, and not of g's mean."""
    likelihood = DiscretizedLogisticMixture(3, 256, 1)
    value = torch.linspace(-1, 1, 256, dtype=torch.float64)

    def mean_of_blue(green: int, blue: int, coefficient: float, mean_of_green: float = 0.0) -> float:
        params = torch.zeros(1, likelihood.num_params, 1, 1, dtype=torch.float64)
        params[0, 1 + 1] = mean_of_green
        params[0, 4:7] = -4.0  # log-scales
        params[0, 7 + 2] = coefficient  # pairs (g, r), (b, r), (b, g)
        pixel = torch.tensor([128, green, blue]).view(1, 3, 1, 1)
        table = likelihood.conditional(params, pixel, 2)[0, :, 0, 0]
        return float((table.exp() * value).sum())

    for green in (40, 200):
        expected = float(torch.tanh(torch.tensor(0.5))) * float(value[green])
        assert abs(mean_of_blue(green, 0, 0.5) - expected) < 1e-3
        assert mean_of_blue(green, 0, 0.5) == mean_of_blue(green, 255, 0.5)
        assert abs(mean_of_blue(green, 0, 0.5) - mean_of_blue(green, 0, 0.5, mean_of_green=0.4)) < 1e-12
        assert abs(mean_of_blue(green, 0, 0.5) + mean_of_blue(green, 0, -0.5)) < 1e-3
