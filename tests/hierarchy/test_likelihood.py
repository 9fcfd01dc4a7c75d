"""The code length: parts that sum to one by enumeration, and one number whoever reports it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import pointillist as pt
from pointillist.data import ImageDataset
from pointillist.errors import ConfigError, ShapeError
from tests.equality import assert_close, equal
from tests.hierarchy.helpers import all_grids, brought, grid, random_weights, tokenized
from tests.tolerances import DOUBLE

pytestmark = pytest.mark.proof

BINARY = pt.ImageSpec(channels=1, height=2, width=2, levels=2, mode="grey")

COLOURS = ((0, 0, 0, 255), (255, 0, 0, 255), (0, 0, 255, 255))


def _pairs(hierarchy: pt.Hierarchy, images: torch.Tensor, codes: list[torch.Tensor]) -> float:
    """Sum p(codes) p(x | codes) over every image with every combination of codes."""
    total = 0.0
    names = ["codes", "codes2"][: len(codes)]
    for index in np.ndindex(*(len(c) for c in codes)):
        grids = {n: c[i : i + 1].expand(len(images), -1, -1, -1) for n, c, i in zip(names, codes, index, strict=True)}
        total += float(hierarchy.log_prob(images, grids).exp().sum())
    return total


@pytest.mark.parametrize("levels", [(2,), (3, 2)])
def test_pairs_of_2x2_images_sum_to_one(levels: tuple[int, ...]) -> None:
    """Every image with every code: exactly one. Every image with its own code: at most one."""
    hierarchy = tokenized(BINARY, [levels])
    images = all_grids(2, 2, 2)
    codes = torch.arange(math.prod(levels)).reshape(-1, 1, 1, 1)
    assert abs(_pairs(hierarchy, images, [codes]) - 1) < 1e-9
    assert 0 < float(hierarchy.log_prob(images).exp().sum()) <= 1 + 1e-9


def test_4x4_images_given_their_codes() -> None:
    """2x2 codes of 4x4 images, all 65,536: the bound is below one, and the images of each code sum to one."""
    hierarchy = tokenized(BINARY.resized(4, 4), [(2,)])
    codes = all_grids(2, 2, 2)[5:6]
    bound = given_codes = 0.0
    for images in all_grids(4, 4, 2).split(4096):
        bound += float(hierarchy.log_prob(images).exp().sum())
        length = hierarchy.code_length(images, {"codes": codes.expand(len(images), -1, -1, -1)})
        given_codes += float((-length.nats["pixels"]).exp().sum())
    assert 0 < bound <= 1 + 1e-9
    assert abs(given_codes - 1) < 1e-9


def test_two_levels_sum_to_one() -> None:
    """4x4 images, 2x2 codes, one code: p(coarse) p(fine | coarse) sums to one, and with pixels it is a bound."""
    hierarchy = tokenized(BINARY.resized(4, 4), [(2,), (3,)])
    fine, coarse = all_grids(2, 2, 2), torch.arange(3).reshape(-1, 1, 1, 1)
    x = torch.zeros(len(fine), 1, 4, 4, dtype=torch.long)
    total = 0.0
    for top in coarse:
        length = hierarchy.code_length(x, {"codes": fine, "codes2": top[None].expand(len(fine), -1, -1, -1)})
        total += float((-length.nats["codes2"] - length.nats["codes"]).exp().sum())
    assert abs(total - 1) < 1e-9


def test_codes_of_the_user_sum_to_one() -> None:
    """2x2 images, 2x1 codes, 1x1 codes: the whole chain."""
    hierarchy = brought(BINARY, [grid(2, 1, 2), grid(1, 1, 3)])
    codes = [all_grids(2, 1, 2), all_grids(1, 1, 3)]
    assert abs(_pairs(hierarchy, all_grids(2, 2, 2), codes) - 1) < 1e-9


@pytest.mark.one_in(2)
@pytest.mark.parametrize(
    "image",
    [
        pt.ImageSpec(channels=1, height=8, width=4, levels=17, mode="grey"),
        pt.ImageSpec(channels=3, height=4, width=8, levels=256, mode="rgb"),
        pt.ImageSpec(channels=1, height=4, width=4, levels=3, mode="palette", ordered=False, palette=COLOURS),
        pt.ImageSpec(channels=2, height=4, width=4, levels=5, ordered=False),
    ],
    ids=str,
)
@pytest.mark.parametrize("depth", [1, 2])
def test_one_likelihood(image: pt.ImageSpec, depth: int) -> None:
    """`sample().nats`, `log_prob`, its parts and `evaluate` agree, for every kind of image."""
    hierarchy = tokenized(image, [(3, 2), (4,)][:depth])
    samples = hierarchy.sample(3, seed=1)
    length = hierarchy.code_length(samples.levels, samples.codes)
    assert_close(-length.total, samples.nats, rtol=DOUBLE, atol=DOUBLE)
    for name, nats in samples.nats_by_scale.items():
        assert_close(-length.nats[name], nats, rtol=DOUBLE, atol=DOUBLE)
    data = ImageDataset(samples.levels.astype(np.uint16), image)
    found = hierarchy.evaluate(data, data, batch_size=2)
    own = hierarchy.code_length(samples.levels)
    assert_close(found.length.total, own.total, rtol=DOUBLE, atol=DOUBLE)
    assert found.bound.dims == image.dims
    assert math.isclose(found.bound.bits_per_dim, float(own.bits_per_dim.mean()), rel_tol=DOUBLE)
    assert list(found.used) == ["codes", "codes2"][:depth]
    assert "a bound" in str(found)


@settings(max_examples=4)
@given(st.integers(1, 3), st.integers(1, 3))
def test_other_sizes(height: int, width: int) -> None:
    """A hierarchy samples and scores every multiple of its codes, and no other size."""
    hierarchy = tokenized(BINARY.resized(4, 4), [(2,), (3,)])
    samples = hierarchy.sample(2, seed=0, size=(4 * height, 4 * width))
    assert samples.levels.shape == (2, 1, 4 * height, 4 * width)
    assert_close(-hierarchy.code_length(samples.levels, samples.codes).total, samples.nats, rtol=DOUBLE, atol=DOUBLE)
    with pytest.raises(ShapeError, match="multiples of"):
        hierarchy.sample(1, size=(4 * height + 2, 4))
    with pytest.raises(ShapeError, match="multiples of"):
        hierarchy.encode(torch.zeros(1, 1, 4 * height + 1, 4, dtype=torch.long))


def test_codes_depend_on_the_image_alone() -> None:
    """Not on the other images of a batch, nor on the call."""
    hierarchy = tokenized(pt.ImageSpec.infer((3, 16, 16)), [(8, 5, 5, 5), (4, 4)])
    x = torch.randint(0, 256, (9, 3, 16, 16))
    whole = hierarchy.encode(x)
    for name, codes in whole.items():
        assert equal(codes, hierarchy.encode(x)[name])
        assert equal(codes[4:5], hierarchy.encode(x[4:5])[name])
        assert len(codes.unique()) > 3
    assert hierarchy.reconstruct(x).shape == x.shape
    assert equal(hierarchy.decode({"codes2": whole["codes2"]}), hierarchy.decode({"codes2": whole["codes2"]}))


def test_image_i_of_a_seed() -> None:
    """Image i depends on (seed, i) alone, in all levels; conditions go to the images they belong to."""
    hierarchy = tokenized(BINARY.resized(4, 4), [(3, 2)], classes=("a", "b", "c"))
    labels = [0, 1, 2, 1, 0]
    whole = hierarchy.sample(5, labels, seed=7)
    parts = list(hierarchy.stream(5, label=labels, seed=7, batch_size=2))
    assert [len(part) for part in parts] == [2, 2, 1]
    assert equal(np.concatenate([part.levels for part in parts]), whole.levels)
    assert equal(np.concatenate([part.codes["codes"] for part in parts]), whole.codes["codes"])
    late = next(hierarchy.stream(5, label=labels, seed=7, batch_size=2, first=2))
    assert equal(late.levels, whole.levels[2:4])
    assert late.labels.tolist() == [2, 1]
    assert not equal(hierarchy.sample(5, labels, seed=8).levels, whole.levels)
    scored = hierarchy.code_length(whole.levels, whole.codes, labels)
    assert_close(-scored.total, whole.nats, rtol=DOUBLE, atol=DOUBLE)


def test_pictures_without_a_likelihood() -> None:
    """The deterministic decoder makes pictures, whose likelihood is not a number."""
    hierarchy = tokenized(BINARY.resized(4, 4), [(3, 2)], pixels=False)
    samples = hierarchy.sample(2, seed=0)
    assert samples.decoded
    assert np.isnan(samples.nats).all()
    assert equal(samples.levels, hierarchy.decode(samples.codes))
    assert list(hierarchy.code_length(samples.levels).nats) == ["codes"]


def test_settings_that_make_no_sense() -> None:
    """Each is one sentence."""
    hierarchy = tokenized(BINARY, [(2,)])
    for wrong in ({"best_of": 2}, {"hint": torch.zeros(1, 1, 2, 2)}, {"order": "s-curve"}, {"temperature": -1}):
        with pytest.raises(ConfigError, match=f"`{next(iter(wrong))}`"):
            hierarchy.sample(1, **wrong)
    own = brought(None, [grid(2, 2, 2)])
    for call in (own.encode, own.reconstruct, own.log_prob):
        with pytest.raises(ConfigError, match="codes of your own"):
            call(torch.zeros(1, 1, 2, 2, dtype=torch.long))
    with pytest.raises(ConfigError, match="`x`"):
        hierarchy.log_prob(None)


def test_the_bound_can_fail() -> None:
    """Mutation: pixels that are conditioned on other codes than those that are counted exceed no bound, but differ."""
    hierarchy = tokenized(BINARY, [(3, 2)])
    samples = hierarchy.sample(4, seed=0)
    random_weights(hierarchy.codes[0], 0.4)
    different = -hierarchy.code_length(samples.levels, samples.codes).total
    assert not np.allclose(different, samples.nats, rtol=DOUBLE, atol=DOUBLE)
