"""Cuts are stratified, exact in number, and the same everywhere; the built-in digits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointillist.data import DataOptions, builtin_names, load_data
from pointillist.data.raw import complete_splits, split_off, split_off_groups
from pointillist.errors import DataError


@given(st.lists(st.integers(0, 5), min_size=2, max_size=60), st.data(), st.integers(0, 2**32 - 1))
def test_a_cut_takes_each_class_its_share(labels: list[int], data: st.DataObject, seed: int) -> None:
    take = data.draw(st.integers(0, len(labels)))
    chosen = split_off(np.array(labels), len(labels), take, seed)
    assert chosen.sum() == take
    for label in set(labels):
        exact = labels.count(label) * take / len(labels)
        assert abs(int(chosen[np.array(labels) == label].sum()) - exact) < 1
    assert (chosen == split_off(np.array(labels), len(labels), take, seed)).all()


def test_a_cut_is_the_same_on_every_machine() -> None:
    # golden: the frozen stream of numpy's RandomState
    assert np.flatnonzero(split_off(None, 10, 3, 0)).tolist() == [2, 4, 8]
    assert (
        np.flatnonzero(split_off(np.arange(10) % 2, 10, 4, 7)).tolist()
        == np.flatnonzero(split_off(np.arange(10) % 2, 10, 4, 7)).tolist()
    )


@pytest.mark.parametrize(("count", "parts"), [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (100, (70, 10, 20))])
def test_small_sets_keep_an_image_to_train_on(count: int, parts: tuple[int, int, int]) -> None:
    split, _ = complete_splits(None, None, count, DataOptions(valid_fraction=0.1, test_fraction=0.2))
    assert tuple(int((split == s).sum()) for s in ("train", "valid", "test")) == parts


def test_the_test_part_of_the_source_is_never_touched() -> None:
    given_splits = np.array(["train"] * 10 + ["test"] * 5)
    split, notes = complete_splits(given_splits, None, 15, DataOptions(valid_fraction=0.2, test_fraction=0.5))
    assert (split[10:] == "test").all()
    assert (split == "valid").sum() == 2
    assert notes == ("valid: 2 of 10 training images, at random, seed 0",)


def test_the_seed_changes_the_cut() -> None:
    x = np.arange(200, dtype=np.uint8).reshape(50, 2, 2)
    one, two, other = (load_data(x, seed=s).get("valid").batch(range(5)).levels for s in (0, 0, 1))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_uci_digits() -> None:
    splits = load_data("uci-digits")
    train, valid, test = (splits.get(s) for s in ("train", "valid", "test"))
    assert (len(train), len(valid), len(test)) == (1293, 144, 360)
    assert train.spec.shape == (1, 8, 8)
    assert (train.spec.levels, train.spec.mode, train.spec.ordered) == (17, "grey", True)
    assert train.classes == tuple("0123456789")
    assert "17 levels, kept unchanged" in train.notes
    levels = [part.batch(range(len(part))).levels for part in (train, valid, test)]
    assert max(int(x.max()) for x in levels) == 16
    # golden: the sum of all ink and of all labels in scikit-learn's copy of the file
    assert sum(int(x.sum()) for x in levels) == 561_718
    for part in (train, valid, test):
        assert part.labels is not None
        counts = np.bincount(part.labels, minlength=10)
        assert counts.max() - counts.min() <= 8
    assert "uci-digits" in builtin_names()


def test_uci_digits_keeps_its_test_part_under_any_seed() -> None:
    first, second = (load_data("uci-digits", seed=s, valid_fraction=v) for s, v in ((0, 0.1), (7, 0.3)))
    everything = range(360)
    assert np.array_equal(*(each.get("test").batch(everything).levels for each in (first, second)))


@given(st.lists(st.integers(0, 9), min_size=1, max_size=60), st.integers(0, 60), st.integers(0, 2**32 - 1))
def test_what_belongs_together_is_not_cut_apart(names: list[int], take: int, seed: int) -> None:
    """Never more than asked, never one more that would still fit, and a name is on one side."""
    chosen = split_off_groups(np.array(names), take, seed)
    inside, outside = np.array(names)[chosen], np.array(names)[~chosen]
    assert not set(inside) & set(outside)
    assert len(inside) <= take
    assert all(len(inside) + names.count(name) > take for name in outside)


def test_a_member_or_the_captions_say_what_belongs_together(tmp_path: Path) -> None:
    """By a member of an archive, or by the captions; another name is refused."""
    names = np.array(["a", "b", "c", "d"] * 5)
    x = np.arange(80, dtype=np.uint8).reshape(20, 2, 2)
    np.savez(tmp_path / "x.npz", x=x, name=names, text=names, folder=np.array(["f"] * 20))
    for by in ("name", "text"):
        splits = load_data(tmp_path / "x.npz", group_by=by, valid_fraction=0.25, caption_column="folder,name")
        train, valid = splits.get("train"), splits.get("valid")
        assert (len(train), len(valid)) == (15, 5)
        assert train.texts is not None
        assert valid.texts is not None
        assert set(valid.texts).isdisjoint(train.texts)
        assert valid.texts[0].startswith("f, ")
    with pytest.raises(DataError, match=r"no 'kind' for every split"):
        load_data(tmp_path / "x.npz", group_by="kind")
    with pytest.raises(DataError, match=r"`group_by` \(='text'\) is not in"):
        load_data(x, group_by="text")
