"""Known pixels without torch: features in fixed point are those of the encoder in torch, in any size and any batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.images import ImageSpec
from pointillist.model.folder.opening import open_folder
from pointillist.model.portable import conditions, load, save
from tests.integer_draws import draw_integers, encoded, log_probs_of
from tests.portable.networks import check_features, features_of
from tests.scripts import script

IMAGES = {
    "map": ImageSpec(channels=1, height=8, width=8, levels=5, ordered=False, mode="codes"),
    "rgb": ImageSpec.infer((3, 8, 8), 16),
}


def completing(kind: str) -> pt.PixelModel:
    torch.manual_seed(0)
    return pt.build("gated-pixelcnn", shape=IMAGES[kind], channels=8, layers=2, known=True)


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
