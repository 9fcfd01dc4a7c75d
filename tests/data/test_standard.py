"""Real data that are at hand; nothing is fetched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import pointillist as pt

FOLDER = Path(os.environ.get("POINTILLIST_DATA", Path(__file__).parents[3] / "shared" / "data"))


def path_of(name: str) -> Path:
    """A file of the collection; the test is skipped, with this sentence, where it is not there."""
    if not (FOLDER / name).is_file():
        pytest.skip(f"{name} is not in {FOLDER}: set POINTILLIST_DATA to a folder that has it")
    return FOLDER / name


def test_binary_mnist_keeps_its_own_splits() -> None:
    """Zeros and ones are two levels, kept; train, valid and test are the file's."""
    data = pt.load_data(path_of("mnist_binary_static.npz"))
    assert data.train is not None
    assert data.valid is not None
    assert data.test is not None
    assert (len(data.train), len(data.valid), len(data.test)) == (44_121, 8_872, 10_000)
    assert data.train.spec.shape == (1, 28, 28)
    assert (data.train.spec.levels, data.train.spec.ordered) == (2, True)


def test_omniglot_quantises_to_the_levels_asked_for() -> None:
    """8-bit ink at 16 levels."""
    data = pt.load_data(path_of("omniglot_small_28.npz"), levels=16)
    assert data.get("train").spec.levels == 16
    assert int(data.get("train").batch(range(64)).levels.max()) == 15


def test_tiles_are_palette_indexes_with_names() -> None:
    """`index64` as codes: unordered levels, captions from `name`, the file's split."""
    data = pt.load_data(path_of("dcss_tiles32.npz"), npz_key="index64", mode="codes", levels=64, caption_column="name")
    train = data.get("train")
    assert len(train) <= 6_423
    assert (train.spec.shape, train.spec.levels, train.spec.ordered) == ((1, 32, 32), 64, False)
    assert train.texts is not None
    assert len(data.get("test")) == 707
