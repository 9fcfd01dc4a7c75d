"""Known pixels without torch: features in fixed point are those of the encoder in torch, in any size and any batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.completion.cells import ObservedCells
from pointillist.completion.result import compared_maps, level_probabilities, marginal_probabilities
from pointillist.conditioning.known import KnownConfig
from pointillist.engine.head.tables import LOGIT_STEP
from pointillist.images import ImageSpec
from pointillist.model.folder.opening import open_folder
from pointillist.model.portable import conditions, load, save
from pointillist.model.portable.conditions import LOGITS_OF_MARGINALS
from pointillist.model.portable.files import version_of
from tests.integer_draws import draw_integers, encoded, log_probs_of
from tests.portable.networks import check_features, features_of
from tests.scripts import script
from tests.tolerances import network_rounding, rounding

IMAGES = {
    "map": ImageSpec(channels=1, height=8, width=8, levels=5, ordered=False, mode="codes"),
    "rgb": ImageSpec.infer((3, 8, 8), 16),
}


def completing(kind: str) -> pt.PixelModel:
    torch.manual_seed(0)
    known = KnownConfig(marginals=kind == "map")
    return pt.build("gated-pixelcnn", shape=IMAGES[kind], channels=8, layers=2, known=known)


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("kind", list(IMAGES))
@pytest.mark.parametrize("size", [(8, 8), (5, 13)])
def test_features_are_those_of_the_encoder(kind: str, int8: bool, size: tuple[int, int], tmp_path: Path) -> None:
    """Also by weights that a bundled model stores in int8."""
    model, rng = completing(kind), np.random.default_rng(1)
    weights = script("int8_weights")
    model = weights.round_weights(model) if int8 else model
    levels = rng.integers(0, model.image.levels, (4, model.image.channels, *size))
    known = rng.random(levels.shape) < np.array([0.0, 0.3, 0.7, 1.0])[:, None, None, None]
    pt.quantize_integer(model, torch.from_numpy(rng.integers(0, model.image.levels, (4, *model.image.shape))), images=4)
    stored = model.integer_model()
    save(weights.pack_encoders(stored) if int8 else stored, tmp_path)
    loaded = load(tmp_path)
    features = features_of(loaded, (levels, known), 4, size)
    with torch.no_grad():
        inputs = model.conditions.inputs(count=4, size=size, known=(levels, known))
        expected = model.conditions.encoders["known"].encode(inputs.parts["known"]).numpy()
    check_features(loaded, features, np.moveaxis(expected, 1, -1))
    for image in range(4):
        alone = features_of(loaded, (levels[image], known[image]), 1, size)
        assert np.array_equal(alone[0], features[image])


def test_images_that_are_the_same_are_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a batch as alone, and not in torch as well."""
    model, rng = completing("map"), np.random.default_rng(4)
    pt.quantize_integer(model, torch.from_numpy(rng.integers(0, 5, (4, *model.image.shape))), images=4)
    levels = torch.from_numpy(rng.integers(0, 5, (2, *model.image.shape)))[[0, 1, 0, 0]]
    inputs = model.conditions.inputs(count=4, known=(levels, torch.ones(4, *model.image.shape, dtype=torch.bool)))
    scorer, order = model.integer_model(), model.order()

    def encode_map(first: int, last: int) -> np.ndarray:
        return scorer.encode(inputs[first:last], last - first, model.image.shape[1:], order)["map"]

    alone = np.concatenate([encode_map(i, i + 1) for i in range(4)])
    encoded, run = [], conditions.run_grid
    monkeypatch.setattr(conditions, "run_grid", lambda program, x: encoded.append(len(x)) or run(program, x))
    monkeypatch.setattr(model.conditions.encoders["known"], "forward", lambda value: pytest.fail("torch encodes"))
    assert np.array_equal(encode_map(0, 4), alone)
    assert encoded == [2]


def test_the_stored_program_samples_other_sizes_and_completes_as_with_torch(tmp_path: Path) -> None:
    model, rng = completing("map"), np.random.default_rng(2)
    pt.quantize_integer(model, torch.from_numpy(rng.integers(0, 5, (8, 1, 8, 8))), images=8)
    model.save_pretrained(tmp_path / "model")
    portable = open_folder(tmp_path / "model")
    assert portable.has_size((5, 13))
    uniforms = rng.random((3, 1, 5, 13))
    levels, nats = draw_integers(portable, uniforms)
    samples = pt.sample(model, 3, size=(5, 13), uniforms=uniforms, engine="integer")
    assert np.array_equal(samples.levels, levels)
    assert np.array_equal(samples.nats, nats)
    x, known = levels[:1], rng.random((1, 5, 13)) < 0.5
    with_torch = model.integer_model().log_prob_map(x, known=(x, known))
    inputs = encoded(portable, 1, (5, 13), portable.order(), known=(x, known))
    assert np.array_equal(with_torch[:, ~known], log_probs_of(portable, x, inputs)[:, ~known])


def test_marginal_probabilities() -> None:
    """They sum to 1, depend on known cells alone, in any batch; the program is off by the rounding of its logits."""
    model, rng = completing("map"), np.random.default_rng(2)
    levels = rng.integers(0, 5, (3, 1, 7, 9))
    known = rng.random(levels.shape) < np.array([0.0, 0.3, 0.9])[:, None, None, None]
    stored = pt.quantize_integer(model, rng.integers(0, 5, (6, *model.image.shape)), images=6)
    logs = []
    for conditions_of in (model.conditions, stored.conditions):
        one, other = (
            conditions_of.log_marginals(conditions_of.inputs(count=3, size=(7, 9), known=(x, known)))
            for x in (levels, np.where(known, levels, 4 - levels))
        )
        assert one.shape == (3, 5, 7, 9)
        np.testing.assert_array_equal(one, other)
        np.testing.assert_allclose(np.exp(one).sum(1), 1, rtol=0, atol=rounding(one, terms=5, dtype=torch.float32))
        alone = conditions_of.log_marginals(conditions_of.inputs(size=(7, 9), known=(levels[1], known[1])))
        np.testing.assert_allclose(alone[0], one[1], rtol=0, atol=network_rounding(model, one))
        logs.append(one)
    assert version_of(stored) == 7
    step = LOGITS_OF_MARGINALS * LOGIT_STEP  # twice, of two rounded logits; features have 8 bits, too
    assert np.abs(logs[0] - logs[1]).max() < 2 * step
    assert completing("rgb").conditions.log_marginals(completing("rgb").conditions.inputs(size=(8, 8))) is None


def test_maps_of_the_head() -> None:
    """Known cells are certain; several realisations have their own maps, and the differences."""
    model = completing("map").eval()
    known = np.eye(8, dtype=bool)
    draws = pt.inpaint(model, ObservedCells(known[None].astype(np.int64), known), n=20, seed=0)
    head, shares = marginal_probabilities(model, draws), level_probabilities(draws)
    assert head is not None
    maps = compared_maps(head, draws)
    assert (head[1][known] == 1).all()
    np.testing.assert_allclose(head.sum(0), 1, rtol=0, atol=rounding(8.0, terms=5, dtype=torch.float32))  # of logits
    np.testing.assert_array_equal(maps["probability-2"], head[2])
    np.testing.assert_array_equal(maps["realisations-probability-3"], shares[3])
    np.testing.assert_allclose(maps["probability-difference"], np.abs(head - shares).max(0))
    assert (maps["divergence"][known] == 0).all()
    assert 0 < maps["divergence"].max() <= 1
    assert not any("realisations" in name for name in compared_maps(head, draws[:1]))
    assert marginal_probabilities(model, replace(draws, tries=draws.numbers)) is None
