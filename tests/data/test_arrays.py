"""Arrays, `.npy` and `.npz`: what their integers mean, their splits, and files that would do harm."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pointillist.data import DataOptions, ImageDataset, load_data
from pointillist.errors import ConfigError, DataError
from pointillist.images import ImageSpec
from tests.datasets import dataset_of
from tests.equality import equal


def noise(*shape: int, top: int = 256, dtype: Any = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, top, shape).astype(dtype)


def read(x: Any, **options: Any) -> ImageDataset:
    return dataset_of(x, options=DataOptions(**options))


@pytest.mark.parametrize(
    ("shape", "mode", "expected"),
    [((2, 3, 5), "grey", (1, 3, 5)), ((2, 3, 5, 3), "rgb", (3, 3, 5)), ((2, 3, 5, 4), "rgba", (4, 3, 5))],
)
def test_bytes_are_pictures(shape: tuple[int, ...], mode: str, expected: tuple[int, int, int]) -> None:
    data = read(noise(*shape))
    assert (data.spec.mode, data.spec.levels, data.spec.ordered, data.spec.shape) == (mode, 256, True, expected)


def test_channels_first_is_recognised_and_tensors_are_channels_first() -> None:
    x = noise(2, 3, 8, 9)
    data = read(x)
    assert data.spec.shape == (3, 8, 9)
    assert any("(n, c, h, w)" in note for note in data.notes)
    assert (read(torch.from_numpy(noise(2, 2, 3, 3, dtype=np.int64))).spec.shape) == (2, 3, 3)
    assert (data.batch([0, 1]).levels == x).all()


def test_zeros_and_ones_have_two_levels() -> None:
    for x in (noise(3, 2, 2, top=2), noise(3, 2, 2, top=2).astype(bool)):
        data = read(x)
        assert (data.spec.levels, data.spec.mode) == (2, "grey")
        assert (data.batch(range(3)).levels[:, 0] == x).all()


def test_integers_already_below_the_levels_are_never_rescaled() -> None:
    x = noise(4, 3, 3, top=17)
    data = read(x, levels=17)
    assert (data.batch(range(4)).levels[:, 0] == x).all()
    assert "17 levels, kept unchanged" in data.notes
    quantised = read(x, levels=17, values="pictures")
    assert (quantised.batch(range(4)).levels[:, 0] == (x.astype(int) * 32 + 255) // 510).all()
    assert any("`levels` 17" in note for note in read(x).notes)


def test_bytes_above_the_levels_are_quantised() -> None:
    x = noise(4, 3, 3)
    data = read(x, levels=8)
    assert (data.batch(range(4)).levels[:, 0] == x >> 5).all()
    assert "8-bit values quantised to 8 levels" in data.notes
    with pytest.raises(DataError, match=r"outside the levels \[0, 8\)"):
        read(x, levels=8, values="levels")


def test_other_integers_are_codes() -> None:
    data = read(noise(3, 4, 4, top=900, dtype=np.int64) | 512)
    assert (data.spec.mode, data.spec.ordered) == ("codes", False)
    assert data.spec.levels == int(data.batch(range(3)).levels.max()) + 1
    assert read(noise(2, 3, 3, 2)).spec.mode == "codes"
    assert read(noise(2, 3, 3), mode="codes", levels=300).spec.levels == 300
    assert read(noise(2, 3, 3), mode="codes", ordered=True).spec.ordered
    colours = noise(2, 3, 3, 3)
    converted = read(colours, mode="grey", levels=256)  # as a model of grey pictures asks for
    assert equal(converted.batch([0, 1]).levels, read(colours, mode="grey").batch([0, 1]).levels)
    grey = read(noise(2, 3, 3, dtype=np.int64), mode="grey", levels=256)
    assert (grey.spec.mode, grey.spec.ordered) == ("grey", True)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.full((2, 3, 3), -1), r"value -1.*start at 0"),
        (np.full((2, 3, 3), 70_000), r"70,001 levels"),
        (np.zeros((2, 3)), r"shape \(2, 3\).*reshape"),
        (np.zeros((0, 3, 3), np.uint8), r"shape \(0, 3, 3\)"),
        (np.full((2, 3, 3), 0.123), r"float64 values from 0.123 .*normalisation"),
        (np.full((2, 3, 3), np.nan), r"float64 values"),
        (np.full((2, 3, 3), "a"), r"type <U1"),
    ],
)
def test_what_is_no_image_is_refused(x: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(x)


def test_floats_of_bytes_over_255_are_taken_back() -> None:
    x = noise(2, 3, 3)
    assert (read(x.astype(np.float32) / np.float32(255)).batch([0, 1]).levels[:, 0] == x).all()


def test_the_kind_of_a_model_goes_before_the_options() -> None:
    spec = ImageSpec(channels=1, height=9, width=9, levels=4, ordered=False, mode="grey")
    data = dataset_of(noise(2, 3, 5, 3), spec=spec)
    assert data.spec == spec.resized(3, 5)
    top = np.full((1, 3, 5), 200)
    with pytest.raises(DataError, match=r"give images of the 4 levels of the model, or set `values='pictures'`"):
        dataset_of(top, spec=spec)  # integers of 64 bits may be anything
    assert (dataset_of(top, spec=spec, options=DataOptions(values="pictures")).batch([0]).levels == 3).all()
    codes = spec.model_copy(update={"mode": "codes"})
    with pytest.raises(DataError, match=r"give images of the 4 levels of the model\.$"):
        dataset_of(top, spec=codes)


def test_labels_and_texts_belong_to_images() -> None:
    x = noise(3, 2, 2)
    data = dataset_of(x, ["b", "a", "b"], texts=["x", "y", "z"])
    assert (data.classes, data[0]["label"], data[2]["text"]) == (("a", "b"), 1, "z")
    assert dataset_of(x, [[0], [1], [2]]).classes == ("0", "1", "2")
    for labels, message in (([0, 1], r"3 images but 2 labels"), ([0, -1, 1], r"is -1"), ([0.5, 1, 2], r"float64")):
        with pytest.raises(DataError, match=message):
            dataset_of(x, labels)
    with pytest.raises(DataError, match=r"is 5, but there are 2 class names"):
        dataset_of(x, [0, 1, 5], classes=("a", "b"))


def test_labels_are_numbered_by_the_classes_of_a_model(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=noise(3, 2, 2), y=[0, 1, 0], classes=["cat", "dog"])
    data = load_data(tmp_path / "a.npz", classes=("bird", "dog", "cat"), valid_fraction=0.0).get("train")
    assert data.labels is not None
    assert data.labels.tolist() == [2, 1, 2]
    with pytest.raises(DataError, match=r"'cat' of a.npz is not one of the classes bird, dog"):
        load_data(tmp_path / "a.npz", classes=("bird", "dog"))


def test_an_archive_with_its_own_splits_keeps_them(tmp_path: Path) -> None:
    x = noise(6, 2, 2)
    np.savez(
        tmp_path / "a.npz", x_train=x[:3], y_train=[0, 1, 2], x_val=x[3:4], y_val=[[1]], x_test=x[4:], y_test=[0, 2]
    )
    splits = load_data(tmp_path / "a.npz")
    assert [len(splits.get(s)) for s in ("train", "validation", "test")] == [3, 1, 2]
    assert splits.get("test")[1]["label"] == 2
    np.savez(tmp_path / "b.npz", train_images=x[:4], train_labels=[0, 1, 0, 1], test_images=x[4:], test_labels=[0, 1])
    assert len(load_data(tmp_path / "b.npz").get("test")) == 2
    np.savez(tmp_path / "c.npz", x=x, text=list("abcdef"), split=["train", "test", "val", "train", "test", "train"])
    splits = load_data(tmp_path / "c.npz")
    assert [splits.get(s).texts for s in splits.names] == [("a", "d", "f"), ("c",), ("b", "e")]


def test_members_are_chosen_by_name(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz",
        rgb16=noise(3, 2, 2, 3),
        rgb24=noise(3, 4, 4, 3),
        name=["u", "v", "w"],
        group=["p", "q", "p"],
    )
    with pytest.raises(DataError, match=r"choose one of its members with `npz_key`: rgb16, rgb24"):
        load_data(tmp_path / "a.npz")
    with pytest.raises(DataError, match=r"no array 'rgb99'.*rgb24"):
        load_data(tmp_path / "a.npz", npz_key="rgb99")
    data = load_data(
        tmp_path / "a.npz", npz_key="rgb24", caption_column="name", label_column="group", valid_fraction=0
    ).get("train")
    assert (data.spec.shape, data.texts, data.classes) == ((3, 4, 4), ("u", "v", "w"), ("p", "q"))
    with pytest.raises(DataError, match=r"no 'title' for every split"):
        load_data(tmp_path / "a.npz", npz_key="rgb24", caption_column="title")


def test_a_bare_array_file(tmp_path: Path) -> None:
    x = noise(20, 2, 3)
    np.save(tmp_path / "a.npy", x)
    splits = load_data(tmp_path / "a.npy")
    assert [len(splits.get(s)) for s in splits.names] == [18, 2]


@pytest.mark.parametrize("kind", ["npz", "npy"])
def test_pickle_is_never_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    objects = np.array([{"run": 1}, None], object)
    np.savez(path, x=objects) if kind == "npz" else np.save(path, objects)
    with pytest.raises(DataError, match=r"Python objects.*pickle"):
        load_data(path)
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(DataError, match=rf"cannot be read as {kind}"):
        load_data(path)


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_damaged_archive_is_named(tmp_path: Path, keep: float) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=noise(50, 9, 9))
    whole = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(whole[: int(len(whole) * keep)])
    with pytest.raises(DataError, match=r"a.npz cannot be read as npz"):
        load_data(tmp_path / "a.npz")


def test_resizing_levels_picks_pixels_and_never_averages() -> None:
    x = noise(2, 4, 4, top=5)
    data = read(x, levels=5, size=(2, 2))
    assert (data.batch([0, 1]).levels[:, 0] == x[:, 1::2, 1::2]).all()
    with pytest.raises(ConfigError, match=r"`resample` \(='area'\) would average"):
        read(x, levels=5, size=(2, 2), resample="area")
    pictures = read(np.full((2, 4, 4), 90, np.uint8), size=(2, 2))
    assert (pictures.batch([0]).levels == 90).all()


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_a_pair_of_images_and_labels(kind: Any) -> None:
    """As scikit-learn and Keras return data: not two images."""
    x, y = np.arange(20 * 16, dtype=np.uint8).reshape(20, 4, 4), np.arange(20) % 2
    whole = load_data((kind(x), kind(y))).get("all")
    assert len(whole) == 20
    assert whole.labels is not None
    assert whole.labels.tolist() == y.tolist()
    pair = load_data((x[0], x[1])).get("all")  # two images
    assert len(pair) == 2
