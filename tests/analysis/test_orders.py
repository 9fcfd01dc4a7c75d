"""Views of a model that paints in several orders: each in its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.analysis import (
    ImageQuery,
    calibration,
    counterfactual,
    gradient,
    logit_lens,
    perturbation_influence,
    surprisal_maps,
)
from pointillist.model.hooks import run_with_cache
from tests.laws.strategies import make_model, randomise_weights

ORDERS = ("raster", "raster-bl", "raster-columns-tr")


@pytest.fixture
def model() -> pt.PixelModel:
    return randomise_weights(make_model("pixelcnn", pt.ImageSpec.infer((1, 3, 4), 5), {"layers": 2}, orders=ORDERS))


@pytest.mark.parametrize("order", ORDERS)
def test_every_view_is_that_of_its_order(model: pt.PixelModel, order: str) -> None:
    x = torch.randint(5, model.image.shape)
    with torch.no_grad():
        wanted = -model.log_prob_map(x[None], order=order)[0].numpy() / np.log(2)
    maps = surprisal_maps(ImageQuery.of(model, x, order=order))
    assert np.allclose(maps.surprisal, wanted)
    walk = list(model.order(order).sites(3, 4))
    assert np.allclose(np.diff(maps.cumulative.bits), [wanted[0][site] for site in walk])
    assert np.allclose(logit_lens(ImageQuery.of(model, x, order=order)).surprisal[-1], wanted)
    row, column = walk[7]
    later = np.ones((3, 4), bool)
    for site in walk[:7]:
        later[site] = False
    assert not gradient(ImageQuery.of(model, x, order=order), row, column).values[0, later].any()
    assert gradient(ImageQuery.of(model, x, order=order), row, column).values.any()
    assert not perturbation_influence(ImageQuery.of(model, x, order=order), row, column).values[0, later].any()
    found = counterfactual(ImageQuery.of(model, x, order=order), {(row, column): (int(x[0, row, column]) + 1) % 5}, n=2)
    assert not found.shift[0, ~later].any()
    assert np.array_equal(found.fixed_mask[0], ~later | (np.arange(12).reshape(3, 4) == row * 4 + column))
    _, cache = run_with_cache(model, x[None], order=order)
    assert cache["hook_canvas"].shape[2:] == ((4, 3) if "columns" in order else (3, 4))


@pytest.mark.parametrize("order", ORDERS)
def test_painting_on_and_calibration_follow_the_order(model: pt.PixelModel, order: str) -> None:
    nothing = np.zeros((3, 4), bool)
    painted = pt.inpaint(model, torch.zeros(1, 3, 4, dtype=torch.int64), nothing, 2, seed=1, order=order)
    wanted = pt.sample(model, 2, seed=1, order=order)
    assert np.array_equal(painted.levels, wanted.levels[painted.numbers])
    assert painted.order == order
    assert np.allclose(painted.nats, wanted.nats[painted.numbers])
    own = calibration(model, pt.sample(model, 300, seed=0, order=order).levels, order=order)
    assert own.pit_p_value > 0.001
