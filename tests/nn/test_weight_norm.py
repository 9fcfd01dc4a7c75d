"""Weight normalisation, and its initialisation from a first batch."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import pointillist as pt
from pointillist.images import ImageSpec
from pointillist.model.finetune import initialise_from
from pointillist.model.pixel_model import PixelModel
from pointillist.nn import (
    NormalisedConv2d,
    NormalisedConvTranspose2d,
    NormalisedPointwiseConv2d,
    channel_groups,
    name_scopes,
)
from pointillist.nn.passes import FullPass
from tests.laws.causal import check_batch, check_no_leak
from tests.laws.strategies import make_model, random_levels, randomise_weights
from tests.tolerances import FORMULA, network_terms, rounding
from tests.training.helpers import assert_same_weights, weights

SHAPE = (3, 8, 10)


def model_and_images(likelihood: Any = "categorical", **settings: Any) -> tuple[PixelModel, torch.Tensor]:
    """A network with dropout, and images whose neighbours are alike."""
    settings = {"channels": 8, "layers": 1, "dropout": 0.5, **settings}
    model = make_model("pixelcnn-pp", ImageSpec.infer(SHAPE, 16), settings, likelihood=likelihood, labels=True)
    x = random_levels(model, 6)
    return model, (x + x.roll(1, 3) + x.roll(1, 2)) // 3


def test_weights_have_the_length_of_their_gain() -> None:
    """Whatever the direction; masked weights are not part of it; a direction of zeros gives zeros, not NaN."""
    groups = channel_groups(9, 3)
    layers = [NormalisedConv2d(5, 9, up=1, left=1, right=0), NormalisedPointwiseConv2d(groups, groups)]
    for layer in layers:
        before = layer.weight.detach() if layer.mask is None else layer.weight.detach() * layer.mask
        within = rounding(before, terms=before[0].numel())
        assert torch.allclose(layer.masked_weight(), before, rtol=0, atol=within)  # starts as the plain layer
        randomise_weights(layer, 3.0)
        lengths = layer.masked_weight().flatten(1).norm(dim=1)
        assert torch.allclose(lengths, layer.gain.abs(), rtol=0, atol=rounding(lengths, terms=before[0].numel()))
        with torch.no_grad():
            layer.weight.zero_()
        layer.masked_weight().sum().backward()
        assert not layer.masked_weight().any()
        assert bool(layer.weight.grad.isfinite().all())  # type: ignore[union-attr]


@pytest.mark.parametrize("right", [0, 1])
def test_the_transposed_convolution_is_that_of_torch(right: int) -> None:
    """`conv_transpose2d` of stride 2, cropped to start at the first coarse pixel, for even and odd sides."""
    layer = NormalisedConvTranspose2d(
        torch.zeros(4, dtype=torch.int64), torch.zeros(3, dtype=torch.int64), right=right
    ).double()
    name_scopes(torch.nn.ModuleDict({"layer": layer}))
    randomise_weights(layer)
    for height, width in ((6, 8), (5, 7), (1, 4), (3, 1)):
        x = torch.randn(2, 4, -(-height // 2), -(-width // 2)).double()
        weight = layer.normalised(layer.weight).transpose(0, 1)
        whole = F.conv_transpose2d(x, weight, layer.bias, stride=2)
        expected = whole[:, :, :height, right : right + width]
        found = layer(x, FullPass(), torch.zeros(2, 1, height, width))
        assert torch.allclose(found, expected, atol=FORMULA)


@pytest.mark.parametrize("likelihood", ["categorical", "mixture"])
def test_after_it_every_layer_has_its_target_deviation(likelihood: Any) -> None:
    """Mean 0 and deviation `target` over the batch, layer after layer, in the network as it is then."""
    model, x = model_and_images(likelihood)
    model.train()
    model.initialise(x)
    assert model.training
    model.eval()
    seen = []

    def look(layer: Any, inputs: Any, output: torch.Tensor) -> None:
        deviation, mean = torch.std_mean(output, (0, 2, 3), correction=0)
        seen.append(layer)
        alive = deviation > 0  # a strict kernel of the first row of sub-pixels may see nothing
        within = rounding(output, terms=network_terms(layer) + output[:, 0].numel())
        assert float(mean.abs().max()) < within
        assert torch.allclose(deviation[alive], torch.full_like(deviation[alive], layer.target), rtol=0, atol=within)

    for layer in model.modules():
        if hasattr(layer, "target"):
            layer.register_forward_hook(look)
    with torch.no_grad():
        model.outputs(model.canvas(x), model.encode(None, len(x)))
    assert len(seen) == sum(hasattr(m, "target") for m in model.modules())


def test_it_happens_once_to_fresh_weights_only(tmp_path: Any) -> None:
    """Loaded, trained or fine-tuned weights stay; other networks have nothing to initialise; equal batches, equal."""
    model, x = model_and_images()
    twin = copy.deepcopy(model)
    for m in (model, twin):
        torch.manual_seed(int(torch.randint(1000, ())))
        m.initialise(x)
    assert_same_weights(weights(model), weights(twin))
    before = weights(model)
    model.initialise(x // 2)
    assert_same_weights(before, weights(model))

    other, _ = model_and_images()
    other.load_state_dict(before)
    other.initialise(x)
    assert_same_weights(before, weights(other))

    tuned, _ = model_and_images()
    initialise_from(tuned, model)
    tuned.initialise(x)
    assert_same_weights(before, weights(tuned))

    built = pt.build("pixelcnn-pp", shape=SHAPE, levels=16, channels=8, layers=1)
    built.initialise(x)
    built.save_pretrained(tmp_path)
    loaded = pt.load(tmp_path)
    loaded.initialise(x // 2)
    assert_same_weights(weights(built), weights(loaded))

    plain = make_model("gated-pixelcnn", ImageSpec.infer(SHAPE, 16))
    before = weights(plain)
    plain.initialise(x)
    assert_same_weights(before, weights(plain))


def test_laws_hold_after_it_also_for_images_of_one_colour() -> None:
    """No hook stays behind, no scale explodes where nothing varies, no mask is lost."""
    for flat in (False, True):
        model, x = model_and_images()
        model.initialise(torch.zeros_like(x) if flat else x)
        assert all(bool(p.isfinite().all()) for p in model.parameters())
        assert max(float(m.gain.detach().abs().max()) for m in model.modules() if hasattr(m, "gain")) < 1e4
        for mode in (True, False):
            model.train(mode)
            check_no_leak(model, 3, 4)
            check_batch(model, 3, 4)


def test_the_first_loss_is_moderate() -> None:
    """The purpose: a deep network starts near the loss of a uniform guess, with gradients that do not vanish."""
    model, x = model_and_images("mixture", layers=2)
    model.initialise(x)
    loss = -model(x).mean() / x[0].numel()
    loss.backward()
    assert float(loss.detach()) < 2 * torch.log(torch.tensor(16.0))
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.backbone.parameters())
