"""Bits by layer, bits of a label, and named activations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import pointillist as pt
from pointillist.analysis import ImageQuery, condition_gain, logit_lens
from pointillist.model.hooks import run_with_cache, with_hooks
from pointillist.networks import names
from pointillist.nn.passes import FullPass
from tests.laws.strategies import make_model, randomise_weights
from tests.tolerances import FORMULA

from .helpers import grey, tiny

DEFINED = {"pixelcnn", "gated-pixelcnn", "row-lstm", "diagonal-bilstm", "pixelsnail"}


@pytest.mark.parametrize("name", sorted(set(names()) & DEFINED))
@pytest.mark.parametrize("skip", [True, False])
def test_the_last_depth_is_the_model_and_savings_add_up(name: str, skip: bool) -> None:
    image = pt.ImageSpec.infer((3, 3, 4), 4)
    model = randomise_weights(make_model(name, image, {"layers": 3, "blocks": 3, "skip": skip}))
    x = torch.randint(4, image.shape)
    found = logit_lens(ImageQuery.of(model, x))
    with torch.no_grad():
        wanted = -model.log_prob_map(x[None])[0].numpy() / np.log(2)
    assert np.array_equal(found.surprisal[-1], wanted)
    assert len(found.names) == len(found.surprisal) == 4
    assert np.allclose(found.saved.sum(0), found.surprisal[0] - wanted)
    assert found.bits[0] - sum(found.to_dict()["saved"]) == pytest.approx(wanted.sum())
    assert not any(module._forward_hooks for module in model.modules())


def test_a_depth_is_the_head_over_the_partial_sum() -> None:
    """Gated PixelCNN, written out: the sum of the first skip outputs alone."""
    model = grey(3, 4)
    x = torch.randint(5, (1, *model.image.shape))
    network, ctx = model.backbone, FullPass()
    condition = model.encode(None, 1)
    with torch.no_grad():
        canvas = model.canvas(x)
        _, _, total = network.layers[0](canvas, canvas, ctx, condition)
        params = network.output(F.relu(network.head(F.relu(total))))
        one = -model.likelihood.log_prob(params, x)[0].numpy() / np.log(2)
        nothing = network.output(F.relu(network.head(torch.zeros_like(total))))
        none = -model.likelihood.log_prob(nothing, x)[0].numpy() / np.log(2)
    found = logit_lens(ImageQuery.of(model, x))
    assert np.allclose(found.surprisal[1], one, atol=FORMULA)
    assert np.allclose(found.surprisal[0], none, atol=FORMULA)


def test_a_depth_of_a_residual_network() -> None:
    """PixelCNN, written out: the stream and the skips of the first block alone."""
    model = grey(3, 4, name="pixelcnn")
    x = torch.randint(5, (1, *model.image.shape))
    network, ctx, condition = model.backbone, FullPass(), model.encode(None, 1)
    with torch.no_grad():
        h = network.blocks[0](network.first(model.canvas(x), ctx), ctx, condition)
        y = network.last(F.relu(h)) + network.skips[0](F.relu(h))
        params = network.output(F.relu(network.head(F.relu(y))))
        wanted = -model.likelihood.log_prob(params, x)[0].numpy() / np.log(2)
    assert np.allclose(logit_lens(ImageQuery.of(model, x)).surprisal[1], wanted, atol=FORMULA)


def test_where_it_makes_no_sense_it_is_refused() -> None:
    x = torch.zeros(1, 3, 4, dtype=torch.int64)
    with pytest.raises(pt.ConfigError, match="pixelcnn-pp: its output head cannot read"):
        logit_lens(ImageQuery.of(grey(3, 4, name="pixelcnn-pp"), x))
    plain = pt.build("row-lstm", shape=(1, 3, 4), levels=5, preset="tiny", residual=False)
    with pytest.raises(pt.ConfigError, match="without residual connections"):
        logit_lens(ImageQuery.of(plain, x))


def test_bits_of_a_label() -> None:
    model = tiny("rgb", labels=True)
    x = torch.randint(3, model.image.shape)
    found = condition_gain(ImageQuery.of(model, x, "dog"))
    with torch.no_grad():
        none, *each = (-model.log_prob(x[None], label).item() / np.log(2) for label in (None, "cat", "dog", "owl"))
    assert found.class_bits == pytest.approx(each)
    assert found.conditional.sum() == pytest.approx(each[1])
    assert found.saved.sum() == pytest.approx(none - each[1])
    p = np.exp2(-np.array(each))
    assert found.posterior == pytest.approx(p / p.sum())
    best = condition_gain(ImageQuery.of(model, x))
    assert best.conditional.sum() == pytest.approx(min(each))
    assert best._repr_png_().startswith(b"\x89PNG")
    assert best.chart().svg().startswith("<svg")
    assert found.to_dict()["classes"] == ["cat", "dog", "owl"]
    with pytest.raises(pt.ConfigError, match="unconditional"):
        condition_gain(ImageQuery.of(tiny("grey"), torch.zeros(1, 2, 2, dtype=torch.int64)))


@pytest.mark.parametrize("name", names())
def test_the_cache_has_every_activation_by_name(name: str) -> None:
    model = tiny("rgb", name, labels=True)
    x = torch.randint(3, (2, *model.image.shape))
    params, cache = run_with_cache(model, x, label=["cat", "owl"])
    assert torch.equal(
        params, model.outputs(model.canvas(x), model.encode(model.conditions.inputs(["cat", "owl"], 2), 2))
    )
    assert torch.equal(cache["hook_params"], params)
    assert torch.equal(cache["hook_canvas"], model.canvas(x))
    found = torch.zeros_like(params)
    outputs = [value for name, value in cache.items() if name.endswith("output.hook_out")]  # of each stage
    for stage, output in reversed(list(zip(model.stages(*x.shape[2:]), outputs, strict=True))):
        stage.grid(found)[:] = output  # a site belongs to the first stage that has it
    assert torch.equal(found, params)
    assert len(cache) > 5
    assert not any(value.requires_grad for value in cache.values())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_names_of_several_maps_and_patterns() -> None:
    model = grey(3, 4)
    x = torch.zeros(1, 1, 3, 4, dtype=torch.int64)
    _, cache = run_with_cache(model, x, names=["layers.*.hook_skip", "hook_params"])
    assert set(cache) == {"layers.0.hook_skip", "layers.1.hook_skip", "hook_params"}
    with pytest.raises(pt.ConfigError, match=r"'layers\.7\.hook_skip'"):
        run_with_cache(model, x, names="layers.7.hook_skip")


def test_patching_brings_one_run_into_another() -> None:
    """All skips of a clean run, patched into a corrupt one, give the clean outputs."""
    model = grey(3, 4)
    clean, corrupt = torch.zeros(1, 1, 3, 4, dtype=torch.int64), torch.full((1, 1, 3, 4), 4)
    wanted, cache = run_with_cache(model, clean)
    skips = {name: value for name, value in cache.items() if name.endswith("hook_skip")}
    with with_hooks(model.backbone, lambda value, name: skips.get(name)):
        assert torch.equal(run_with_cache(model, corrupt)[0], wanted)
    assert not torch.equal(run_with_cache(model, corrupt)[0], wanted)
