"""Views of a model that paints in several orders, and of an integer program alone: the same numbers."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.analysis import (
    ImageQuery,
    calibration,
    condition_gain,
    counterfactual,
    gradient,
    logit_lens,
    surprisal_maps,
)
from pointillist.model.folder.opening import open_scored
from pointillist.model.hooks import run_with_cache
from pointillist.model.portable import ProgramModel
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


@pytest.fixture(scope="module")
def levels() -> np.ndarray:
    """An image of the model `digits`."""
    return pt.sample("digits", 1, label=3, seed=0).levels[0]


@pytest.fixture(scope="module")
def program() -> ProgramModel:
    """The model `digits`, opened by its integer program."""
    opened = open_scored("digits")
    assert isinstance(opened, ProgramModel)
    return opened


def test_a_program_explains_as_its_pixel_model(levels: np.ndarray, program: ProgramModel) -> None:
    """To the bit; for gradients and layers the weights are loaded."""
    whole, alone = (ImageQuery.of(model, levels, label=3) for model in (pt.load("digits"), program))
    assert np.array_equal(whole.surprisal, alone.surprisal)
    assert whole.bits == alone.bits
    assert np.array_equal(condition_gain(whole).class_bits, condition_gain(alone).class_bits)
    assert np.array_equal(gradient(whole, 2, 5).values, gradient(alone, 2, 5).values)
    assert np.array_equal(logit_lens(whole).surprisal, logit_lens(alone).surprisal)


def test_a_page_says_what_it_leaves_out(levels: np.ndarray, program: ProgramModel) -> None:
    """Without the weights there is no saliency and no section of layers; all else is there."""
    alone = replace(program, folder=None)
    explanation = pt.explain(alone, levels, continuations=1)
    page = explanation.to_html()
    assert explanation.layers is None
    assert explanation.sites == []
    assert escape(explanation.without_network) in page
    assert "<h3>Saliency</h3>" not in page
    assert "Layer by layer" not in page
    assert "<h2>What if</h2>" in page
    with pytest.raises(pt.ConfigError, match="needs the weights of the model"):
        gradient(explanation.query, 2, 5)
    whole = pt.explain("digits", levels, continuations=0, max_attributions=1)
    assert whole.without_network == ""
    assert "<h3>Saliency</h3>" in whole.to_html()
