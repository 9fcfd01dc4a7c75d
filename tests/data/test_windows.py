"""Windows of large pictures: strips as splits, places drawn from seed and row, proportions, copies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pointillist as pt
from pointillist.analysis.evaluation.memorization import copied_windows
from tests.equality import equal


def picture(height: int = 40, width: int = 90, levels: int = 3, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, levels, (height, width)).astype(np.uint8)


@pytest.mark.parametrize("size", [(40, 90), (90, 40)], ids=str)
def test_strips_do_not_overlap(size: tuple[int, int]) -> None:
    """Every drawn window of training lies in its strip, and the windows of the other splits stay in their strips."""
    levels = np.arange(size[0] * size[1], dtype=np.uint16).reshape(size)
    splits = pt.load_data(levels, window=16, mode="codes")
    assert splits.names == ("train", "valid", "test")
    train = splits.get("train")
    seen = {name: set(splits.get(name).batch(range(len(splits.get(name)))).levels.ravel()) for name in splits.names}
    for seed in range(1, 6):
        seen["train"] |= set(train.batch(range(len(train)), seed=seed).levels.ravel())
    assert not seen["train"] & (seen["valid"] | seen["test"])
    assert not seen["valid"] & seen["test"]
    assert sum(map(len, seen.values())) == levels.size  # nothing of the picture is lost
    assert set(splits.get("all").batch(range(len(splits.get("all")))).levels.ravel()) == set(levels.ravel())


def test_windows_are_drawn_afresh() -> None:
    """Places depend on seed and row alone; held-out windows and seed 0 stay; flips mirror the drawn window."""
    splits = pt.load_data(picture(), window=(8, 12), levels=3)
    train, valid = splits.get("train"), splits.get("valid")
    first = train.batch([0, 1, 2], seed=4).levels
    assert equal(first[[2, 0]], train.subset([2, 0]).batch([0, 1], seed=4).levels)
    assert not equal(first, train.batch([0, 1, 2], seed=5).levels)
    assert equal(train.batch([0, 1]).levels, train.batch([0, 1], seed=0).levels)
    assert equal(valid.batch([0, 1], seed=1).levels, valid.batch([0, 1], seed=2).levels)
    flipped = train.batch([0, 1, 2], seed=4, flip=True).levels
    assert all(equal(a, b) or equal(a, b[..., ::-1]) for a, b in zip(first, flipped, strict=True))


def test_files_labels_and_stored_splits(tmp_path: Path) -> None:
    """Class folders label the windows of their pictures; folders of splits keep theirs; one picture is a file."""
    for split in ("train", "test"):
        for number, name in enumerate(("sand", "mud")):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            Image.fromarray(np.full((20, 50), 255 * number, np.uint8)).save(folder / "a.png")
    splits = pt.load_data(tmp_path, window=10, levels=2)
    train = splits.get("train")
    assert train.classes == ("mud", "sand")
    batch = train.batch(range(len(train)), seed=3)
    assert batch.labels is not None
    assert equal(batch.levels[:, 0, 0, 0], np.array([1, 0])[batch.labels])
    assert len(splits.get("test")) == 2 * 2 * 5
    assert len(pt.load_data(tmp_path / "test" / "mud" / "a.png", window=10, valid_fraction=0, test_fraction=0)["train"])


def test_proportions_are_those_of_the_drawn_window() -> None:
    """The vector is the share of each level in the window of this batch, after any flip."""
    train = pt.load_data(picture(), window=8, levels=3, vector_column="proportions").get("train")
    for seed in (0, 7):
        batch = train.batch([0, 3, 5], seed=seed)
        assert batch.annotations.vectors is not None
        shares = np.stack([[(x == k).mean() for k in range(3)] for x in batch.levels])
        np.testing.assert_allclose(batch.annotations.vectors, shares, rtol=0, atol=np.finfo(np.float32).eps)
    digits = pt.load_data("uci-digits", vector_column="proportions").get("valid")
    assert digits.annotations.vectors is not None
    assert digits.annotations.vectors.shape == (len(digits), 17)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 64}, r"`window` \(=64x64\) must fit"),
        ({"window": 40, "valid_fraction": 0.6}, "leaves nothing to train on"),
        ({"window": "x"}, "HEIGHTxWIDTH"),
    ],
)
def test_windows_that_do_not_fit(options: dict[str, object], message: str) -> None:
    with pytest.raises(pt.PointillistError, match=message):
        pt.load_data(picture(), levels=3, **options)


def test_a_small_picture_has_no_test_strip() -> None:
    splits = pt.load_data(picture(), window=40, levels=3)
    assert splits.names == ("train", "valid")
    assert any("no strip is left for testing" in note for note in splits.get("train").notes)


def test_copies_are_counted() -> None:
    """Windows of the picture itself are copies, noise is not; one colour counts as nothing."""
    training = picture(60, 60)
    parts = training[None, None, 7:31, 20:44].astype(np.int64)
    noise = picture(24, 24, seed=1)[None, None].astype(np.int64)
    assert copied_windows(parts, [training[None]]) == 1
    assert copied_windows(noise, [training[None]]) == 0
    assert copied_windows(np.concatenate([parts, noise]), [training[None]]) == 0.5
    assert copied_windows(np.zeros((1, 1, 24, 24), np.int64), [np.zeros((1, 60, 60), np.uint8)]) == 0
    changed = parts.copy()
    changed[0, 0, 12, 12] = (changed[0, 0, 12, 12] + 1) % 3  # a window of 16 that begins before 12 holds this pixel
    assert copied_windows(changed, [training[None]]) == 0
    assert copied_windows(changed, [training[None]], 8) > 0.5


def test_training_warns_of_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The advice names the shares where samples copy the training strip more than the held-out strip does."""
    splits = pt.load_data(picture(), window=18, levels=3)
    model = pt.build("gated-pixelcnn", shape=splits.get("train").spec, preset="tiny")
    settings = {"steps": 1, "batch_size": 4}
    assert not any("copies" in line for line in pt.train(model, splits, settings).advice)
    parts = splits.get("train").batch(range(16), seed=9)
    monkeypatch.setattr("pointillist.training.api.sample", lambda *_, **__: parts)
    warning = pt.train(model, splits, settings).advice[-1]
    assert "100% of the 16x16 windows of 16 samples are copies" in warning
    assert "0% of the held-out strip" in warning
