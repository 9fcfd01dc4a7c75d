"""A batch is a pure function of the images and the seed; binarisation and flips have the right statistics."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pointillist.data import DataOptions, DataSplits, ImageDataset, load_data
from pointillist.errors import ConfigError, DataError
from tests.datasets import dataset_of
from tests.equality import equal

X = np.random.default_rng(0).integers(0, 256, (20, 5, 7), dtype=np.uint8)
DYNAMIC = dataset_of(X, np.arange(20) % 3, options=DataOptions(binarise="dynamic"))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 19), min_size=1, max_size=8), st.integers(0, 2**40), st.booleans())
def test_a_batch_is_its_images_one_by_one(indices: list[int], seed: int, flip: bool) -> None:
    batch = DYNAMIC.batch(indices, seed=seed, flip=flip)
    alone = [DYNAMIC.batch([i], seed=seed, flip=flip).levels for i in indices]
    assert equal(batch.levels, np.concatenate(alone))
    assert batch.labels is not None
    assert batch.labels.tolist() == [i % 3 for i in indices]
    assert batch.levels.dtype == np.int64


def test_a_copy_and_a_subset_draw_the_same() -> None:
    expected = DYNAMIC.batch([3, 9], seed=5, flip=True)
    assert equal(pickle.loads(pickle.dumps(DYNAMIC)).batch([3, 9], seed=5, flip=True).levels, expected.levels)
    part = DYNAMIC.subset([9, 3], name="part")
    assert equal(part.batch([1, 0], seed=5, flip=True).levels, expected.levels)
    assert (part.name, len(part), part.classes) == ("part", 2, ("0", "1", "2"))
    assert equal(DYNAMIC.batch(torch.tensor([3, 9]), seed=5, flip=True).levels, expected.levels)


def test_the_seed_changes_the_draws_and_the_mean_is_the_intensity() -> None:
    x = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    data = dataset_of(x, options=DataOptions(binarise="dynamic"))
    draws = np.concatenate([data.batch([0], seed=s).levels for s in range(400)]).reshape(400, -1)
    assert not equal(draws[0], draws[1])
    assert (draws[:, 0] == 0).all()
    assert (draws[:, 255] == 1).all()
    p = np.arange(256) / 255
    deviation = (draws.mean(0) - p) / np.sqrt(p * (1 - p) / 400).clip(1e-9)
    assert np.abs(deviation).max() < 4.5
    assert (data.spec.levels, data.binarise) == (2, "dynamic")
    assert data.notes == ("dynamic binarisation, drawn afresh for each seed",)


def test_flips_mirror_half_of_the_images() -> None:
    data = dataset_of(X)
    flipped = 0
    for seed in range(20):
        batch = data.batch(range(20), seed=seed, flip=True).levels[:, 0]
        mirrored = (batch == X[..., ::-1]).all((1, 2))
        assert (mirrored | (batch == X).all((1, 2))).all()
        flipped += int(mirrored.sum())
    assert 150 < flipped < 250
    assert (data.batch(range(20), seed=3).levels[:, 0] == X).all()


def test_static_binarisation_is_a_threshold() -> None:
    data = dataset_of(X, options=DataOptions(binarise="static", threshold=100))
    assert (data.batch(range(20), seed=9).levels[:, 0] == (X >= 100)).all()
    assert data.notes == ("static binarisation at 100",)
    digits = load_data("uci-digits", binarise="static").get("train")
    grey = load_data("uci-digits").get("train")
    assert equal(digits.batch(range(50)).levels, grey.batch(range(50)).levels >= 8)


def test_binary_images_stay_as_they_are_under_any_binarisation() -> None:
    x = (X > 99).astype(np.uint8)
    for how in ("static", "dynamic"):
        data = dataset_of(x, options=DataOptions.model_validate({"binarise": how}))
        assert (data.batch(range(20), seed=1).levels[:, 0] == x).all()
    with pytest.raises(ConfigError, match=r"`binarise` .*holds codes"):
        dataset_of(X.astype(np.int64), options=DataOptions(binarise="static"))


def test_wrong_indices_and_seeds_are_named() -> None:
    with pytest.raises(IndexError, match=r"Image 20 is not in arrays, which has 20"):
        DYNAMIC.batch([20])
    with pytest.raises(ConfigError, match=r"`seed` \(=-1\)"):
        DYNAMIC.batch([0], seed=-1)
    assert equal(DYNAMIC.batch([-1]).levels, DYNAMIC.batch([19]).levels)
    assert len(DYNAMIC.batch([]).levels) == 0


def test_it_is_a_torch_data_set() -> None:
    loader = torch.utils.data.DataLoader(DYNAMIC, batch_size=4)
    first = next(iter(loader))
    assert first["levels"].shape == (4, 1, 5, 7)
    assert first["label"].tolist() == [0, 1, 2, 0]
    assert "20 images" in repr(DYNAMIC)


def test_the_parts_share_memory_and_are_disjoint() -> None:
    splits = load_data(DYNAMIC, valid_fraction=0.25)
    assert isinstance(splits, DataSplits)
    assert (len(splits.get("train")), len(splits.get("valid"))) == (15, 5)
    assert splits.test is None
    assert load_data(DYNAMIC, valid_fraction=0.0).train is DYNAMIC


def test_values_must_fit_the_spec() -> None:
    with pytest.raises(DataError, match=r"shape \(20, 5, 7\)"):
        ImageDataset(X, DYNAMIC.spec)
