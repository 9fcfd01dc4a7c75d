"""Causality of every network, for random settings, image kinds, likelihoods, conditions, shapes, weights and modes."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pointillist.images import ImageSpec
from pointillist.networks import names
from tests.equality import equal

from .causal import check_causal, check_no_leak, dependencies, in_order, out_of_order, sub_pixels
from .strategies import fitting_likelihoods, make_model, models, randomise_weights


@pytest.mark.parametrize("name", names())
@given(data=st.data())
def test_no_sub_pixel_sees_itself_or_a_later_one(name: str, data: st.DataObject) -> None:
    """`check_causal`, for any model there is."""
    model = data.draw(models(name))
    check_causal(model, model.image.height, model.image.width)


@pytest.mark.one_in(4)
@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_sub_pixels_of_a_site_see_those_before_them(name: str, channels: int) -> None:
    """R is blind to its own pixel, G sees R (and does depend on it), B sees R and G; and so on for 1, 2 and 4."""
    image = ImageSpec(channels=channels, height=2, width=2, levels=4)
    model = randomise_weights(make_model(name, image, {"channels": 7}))
    seen = dependencies(model, 2, 2)
    own = torch.tensor([[a[:2] == b[:2] for b in sub_pixels(model, 2, 2)] for a in sub_pixels(model, 2, 2)])
    earlier = torch.ones_like(seen).tril(-1)
    assert equal(seen & own, earlier & own)


@pytest.mark.parametrize("name", names())
def test_coupled_likelihoods_are_blind_to_the_whole_pixel(name: str) -> None:
    """Check that the network sees no channel of a pixel whose channels the likelihood couples."""
    image = ImageSpec.infer((3, 3, 2), 8)
    for likelihood in fitting_likelihoods(image):
        model = randomise_weights(make_model(name, image, likelihood=likelihood))
        if model.likelihood.coupled:
            assert model.dims.groups == 1
            check_no_leak(model, 3, 2)
            params = model.outputs(model.canvas(torch.zeros(1, 3, 3, 2, dtype=torch.int64)), model.encode(None, 1))
            assert params.shape == (1, model.likelihood.num_params, 3, 2)


@pytest.mark.parametrize("name", names())
def test_unknown_rows_may_hold_nan(name: str) -> None:
    """Rows below the site are sliced away, never multiplied by zero: NaN there cannot reach it."""
    model = randomise_weights(make_model(name, ImageSpec.infer((3, 4, 3), 4)))
    canvas = torch.randn(1, 3, 4, 3, dtype=torch.float64)
    clean = in_order(model, model.outputs(canvas, model.encode(None, 1)))
    order = sub_pixels(model, 4, 3)
    for first in (i for i in range(1, len(order)) if order[i][0] != order[i - 1][0]):  # a row begins
        perturbed = in_order(model, canvas)
        perturbed[first:] = torch.nan
        again = model.outputs(out_of_order(model, perturbed, 4, 3), model.encode(None, 1))
        assert equal(in_order(model, again)[:first], clean[:first])


def test_unknown_sites_may_hold_nan_where_nothing_is_masked() -> None:
    """With one sub-pixel a site the Gated PixelCNN has no mask at all: NaN at and after a site cannot reach it."""
    model = randomise_weights(make_model("gated-pixelcnn", ImageSpec.infer((1, 3, 4), 4)))
    canvas = torch.randn(1, 1, 3, 4, dtype=torch.float64)
    clean = model.outputs(canvas, model.encode(None, 1)).flatten(2)
    for site in range(12):
        perturbed = canvas.clone()
        perturbed.view(-1)[site:] = torch.nan
        perturbed = model.outputs(perturbed, model.encode(None, 1)).flatten(2)
        assert equal(clean[:, :, : site + 1], perturbed[:, :, : site + 1])
