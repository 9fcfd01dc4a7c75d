"""The recipe `recipes/hierarchy`: coarse pictures, a code length that counts each pair once, samples, a tiny run."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.conditioning.image_preprocessors import HintPreprocessor
from tests.laws.strategies import randomise_weights
from tests.scripts import script
from tests.tolerances import DOUBLE, rounding

NETWORK: dict[str, Any] = {"channels": 4, "layers": 2, "head_channels": 4, "first_kernel": 3}
recipe = script("hierarchy")


def chain(*sides: int, levels: int = 2, factor: int = 2) -> list[Any]:
    """Small models with random weights in float64, the coarsest first, with sides of 1 pixel or more."""
    torch.manual_seed(0)
    hints = [None] + [f"lowres:{factor}"] * (len(sides) - 1)
    models = []
    for side, hint in zip(sides, hints, strict=True):
        shape = pt.ImageSpec(channels=1, height=side, width=side, levels=levels, mode="grey")
        models.append(randomise_weights(pt.build("gated-pixelcnn", shape=shape, hint=hint, **NETWORK).double()).eval())
    return models


def all_images(side: int) -> np.ndarray:
    """All images of two levels, `[n 1 side side]`."""
    return np.array(list(itertools.product((0, 1), repeat=side * side))).reshape(-1, 1, side, side)


def test_coarse_pictures_are_the_hints_of_the_finer_model() -> None:
    """Means of blocks, rounded half up; enlarged, they are what `lowres` makes of the image."""
    image = pt.ImageSpec.infer((3, 6, 6))
    rule = HintPreprocessor.parse("lowres:3")
    x = np.random.default_rng(0).integers(0, 256, (4, 3, 6, 6))
    small = recipe.coarse(x, rule, image)
    np.testing.assert_array_equal(small, np.floor(x.reshape(4, 3, 2, 3, 2, 3).mean((3, 5)) + 0.5))
    np.testing.assert_array_equal(rule.enlarged(small, (6, 6)), rule.of(x, image))


def test_pairs_sum_to_one_and_images_to_at_most_one() -> None:
    """p(coarse) p(image | any coarse) over all pairs; `measure` takes the image's own coarse picture."""
    coarse, fine = models = chain(1, 2)
    x = all_images(2)
    total = 0.0
    for level in (0, 1):
        small = np.full((1, 1, 1, 1), level)
        first = -pt.evaluate(coarse, small, engine="torch").nats
        second = -pt.evaluate(fine, x, hint=small, engine="torch").nats_per_image
        total += float(np.exp(first + second).sum())
    assert total == pytest.approx(1, rel=DOUBLE)
    own = float(np.exp(-sum(recipe.measure(models, x, engine="torch"))).sum())
    assert 0 < own <= 1


def test_samples_of_three_stages() -> None:
    """Each has the side of its stage and the nats that its own model gives it with the coarser sample as its hint."""
    models = chain(2, 4, 8, levels=4)
    samples = recipe.sample(models, 3, seed=1, size=8)
    assert [part.levels.shape for part in samples] == [(3, 1, side, side) for side in (2, 4, 8)]
    for model, part, hint in zip(models, samples, [None, *samples], strict=False):
        within = rounding(part.nats, terms=part.levels[0].size, dtype=torch.float32)
        scored = pt.evaluate(model, part.levels, hint=None if hint is None else hint.levels)
        np.testing.assert_allclose(-part.nats, scored.nats_per_image, atol=within)


def test_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Reduce digits by the run file of the finer model, train both, measure and sample."""
    images, config, small = tmp_path / "images.npz", tmp_path / "fine.toml", tmp_path / "small.npz"
    splits = pt.load_data("uci-digits")
    pixels = {name: splits.get(name).batch(range(40)).levels.transpose(0, 2, 3, 1) for name in ("train", "test")}
    np.savez(images, **{f"x_{name}": x.astype(np.uint8) for name, x in pixels.items()})
    config.write_text('[model.conditions.hint]\nrule = "lowres:2"\n[data]\nlevels = 17\n', encoding="utf-8")
    recipe.reduce(str(images), config, small)
    assert "of 4x4" in capsys.readouterr().out
    models = []
    for source, hint in ((small, None), (images, "lowres:2")):
        data = pt.load_data(str(source), levels=17)
        model = pt.build("gated-pixelcnn", shape=data.train.spec, hint=hint, **NETWORK)
        models.append(pt.train(model, data, {"steps": 2, "batch_size": 4}).model)
    nats = recipe.measure(models, data.test.batch(range(8)).levels)
    assert [part.shape for part in nats] == [(8,), (8,)]
    assert all(np.isfinite(part).all() for part in nats)
    assert recipe.sample(models, 2, seed=0, size=8)[-1].levels.shape == (2, 1, 8, 8)
