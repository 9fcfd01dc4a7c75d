"""Masks of known pixels in training: a mixture, and a pure function of seed and image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.conditioning import OBSERVED
from pointillist.conditioning.known import KnownConfig
from pointillist.data import ImageDataset
from pointillist.training.augmentation import HOLES, KNOWN, draw_mask
from pointillist.training.batches import BatchPrefetcher
from pointillist.training.config import CompletionSettings, TrainConfig
from pointillist.training.runs.config import RunConfig
from tests.equality import equal
from tests.tolerances import network_rounding

SIZES = ((1, 1, 1), (1, 1, 5), (3, 6, 2), (1, 28, 28))


@pytest.mark.parametrize("shape", SIZES, ids=str)
def test_masks_are_a_mixture(shape: tuple[int, int, int]) -> None:
    """All sizes; at least 15 % of the images are drawn with nothing known; other holes are neither all nor nothing."""
    settings = CompletionSettings()
    masks = [draw_mask(np.random.default_rng(i), shape, settings) for i in range(600)]
    assert all(mask.shape == shape and mask.dtype == np.bool_ for mask in masks)
    assert np.mean([not mask.any() for mask in masks]) > 0.15
    assert abs(sum(settings.masks.values()) - 1) < 1e-9
    if shape == (1, 28, 28):
        assert len({mask.tobytes() for mask in masks}) > 400
        shares = np.array([mask.mean() for mask in masks])
        assert np.mean(shares > 0.99) > 0.02
        assert 0.3 < shares.mean() < 0.7


@pytest.mark.parametrize("hole", HOLES.values(), ids=lambda hole: hole.__name__)
def test_each_kind_of_hole(hole: object) -> None:
    """It varies, and some pixel is open in most images."""
    rng = np.random.default_rng(0)
    found = np.stack([hole(rng, 9, 12) for _ in range(50)])  # type: ignore[operator]
    assert found.shape == (50, 9, 12)
    assert found.any((1, 2)).mean() > 0.8
    assert hole.__name__ == "nothing_known" or len(np.unique(found.reshape(50, -1), axis=0)) > 5  # type: ignore[attr-defined]


@pytest.mark.parametrize("kind", KNOWN)
def test_densities_of_known_pixels(kind: str) -> None:
    """Scattered pixels and lines have a share that is log-uniform, at every size at least one known pixel."""
    settings = CompletionSettings(masks={kind: 1.0}, density=(0.01, 0.16))
    for shape in ((1, 1, 1), (1, 3, 70), (1, 100, 100)):
        masks = [draw_mask(np.random.default_rng(i), shape, settings) for i in range(400)]
        assert all(mask.any() for mask in masks)
    shares = np.array([mask.mean() for mask in masks])
    if kind == "sparse":
        assert shares.min() > 0.005
        assert shares.max() < 0.18
        assert abs(np.median(shares) - 0.04) < 0.008  # the geometric mean of the bounds
    else:
        assert 0.002 < np.median(shares) < 0.04  # a line ends at any depth


def test_masks_of_settings() -> None:
    """Shares need not sum to 1; other masks are drawn; an unknown kind, no share and a false order are errors."""
    config = TrainConfig.from_dict({"completion.masks": {"half": 3, "nothing_known": 1}})
    rng = np.random.default_rng(0)
    masks = [draw_mask(rng, (1, 9, 9), config.completion) for _ in range(400)]
    assert 0.2 < np.mean([not mask.any() for mask in masks]) < 0.4
    masks_of: list[dict[str, float]] = [{"holes": 1}, {}, {"half": 0}, {"half": 1, "frame": -0.5}]
    for wrong in ({"density": [0.2, 0.1]}, *({"masks": masks} for masks in masks_of)):
        with pytest.raises(pt.ConfigError, match="completion"):
            TrainConfig.from_dict({"completion": wrong})


def test_masks_need_a_model_that_completes() -> None:
    """Defaults, which a stored run has, are no request."""
    tree: dict[str, Any] = {"data": {"source": "uci-digits"}, "train": {"completion": {"density": [0.1, 0.2]}}}
    with pytest.raises(pt.ConfigError, match=r"`train.completion` has masks for a model that completes"):
        RunConfig.from_dict(tree)
    assert RunConfig.from_dict({**tree, "model": {"conditions": {"known": {"completion": True}}}}).model.conditions
    assert RunConfig.from_dict({**tree, "train": {"completion": CompletionSettings().model_dump()}}).to_dict()


def test_a_batch_reveals_pixels_of_its_own_images() -> None:
    """The same step gives the same masks, another step others; no mask is dropped as a condition."""
    torch.manual_seed(0)
    levels = torch.randint(0, 4, (40, 1, 6, 5))
    data = ImageDataset(levels.numpy().astype(np.uint8), pt.ImageSpec.infer((1, 6, 5), 4))
    model = pt.build("gated-pixelcnn", shape=data.spec, preset="tiny", known=True)
    config = TrainConfig(steps=9, batch_size=20, augmentation={"random_shift": 1})
    runs = [BatchPrefetcher(model, data, config, process=0, processes=1) for _ in range(2)]
    one, same = (run.read(1, 0) for run in runs)
    for run in runs:
        run.close()
    known = one.inputs.parts[OBSERVED]
    assert equal(known.known, same.inputs.parts[OBSERVED].known)
    assert equal(known.values, one.levels)
    assert len({mask.tobytes() for mask in known.known}) > 5
    with torch.no_grad():
        nats = model(one.levels, one.inputs)
    scored = model.log_prob(one.levels, known=known.known)
    assert torch.allclose(nats, scored, rtol=0, atol=network_rounding(model, scored))


def test_training_lowers_the_log_score_of_the_head() -> None:
    """Of the levels of unknown pixels given the known ones; a weight of next to nothing leaves the head alone."""
    digits = pt.load_data("uci-digits")
    x = digits.valid.batch(range(40)).levels
    known = np.random.default_rng(0).random(x.shape) < 0.3
    scores = []
    for weight in (1e-9, 1.0):
        torch.manual_seed(0)
        config = KnownConfig(marginals=True, layers=2, width=16)
        model = pt.build("gated-pixelcnn", shape=digits.train.spec, channels=4, layers=1, known=config)
        pt.train(model, digits, {"steps": 60, "batch_size": 32, "completion.marginals": weight, "schedule.warmup": 5})
        logs = model.conditions.log_marginals(model.conditions.inputs(count=40, known=(x, known)))
        assert logs is not None
        scores.append(-np.take_along_axis(logs, np.asarray(x), 1)[~known].mean() / np.log(2))
    assert scores[1] < scores[0] - 0.3


def test_training_with_completion() -> None:
    """A model trained so scores the unknown pixels alone; another one says what it lacks."""
    digits = pt.load_data("uci-digits")
    plain = pt.build("gated-pixelcnn", shape=digits.train.spec, preset="tiny")
    model = pt.build("gated-pixelcnn", shape=digits.train.spec, preset="tiny", known=True)
    pt.train(model, digits, {"steps": 3, "batch_size": 16})
    x = digits.valid.batch([0, 1]).levels
    with torch.no_grad():
        assert bool((model.log_prob(x, known=np.tri(8, dtype=bool)) > model.log_prob(x)).all())
    with pytest.raises(pt.ConfigError, match="not trained to complete"):
        plain.log_prob(x, known=np.ones((8, 8), bool))
