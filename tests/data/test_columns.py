"""Attributes, vectors and hints: from archives, from metadata, from pairs of folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import pointillist as pt
from pointillist.data import Annotations
from tests.datasets import dataset_of


def archive(folder: Path, **members: Any) -> Path:
    """Six grey 4x5 images, four of them to train on."""
    rng = np.random.default_rng(0)
    path = folder / "x.npz"
    np.savez(
        path,
        x_train=rng.integers(0, 256, (4, 4, 5), np.uint8),
        x_test=rng.integers(0, 256, (2, 4, 5), np.uint8),
        **members,
    )
    return path


def test_an_archive_has_them_by_split(tmp_path: Path) -> None:
    """Categories by number or name, vectors, hints as pictures or as floats."""
    rng = np.random.default_rng(1)
    path = archive(
        tmp_path,
        hair_train=np.array(["red", "", "grey", "red"]), hair_test=np.array(["grey", "grey"]),
        size_train=np.array([0, 2, -1, 1]), size_test=np.array([1, 1]),
        v_train=rng.normal(size=(4, 3)), v_test=rng.normal(size=(2, 3)),
        rough_train=rng.integers(0, 256, (4, 4, 5, 3), np.uint8),
        rough_test=rng.integers(0, 256, (2, 4, 5, 3), np.uint8),
    )  # fmt: skip
    splits = pt.load_data(
        path, attribute_columns="hair,size", vector_column="v", hint_column="rough", valid_fraction=0.25
    )
    train, test = splits.get("train"), splits.get("test")
    assert test.annotations.values == {"hair": ("grey", "red"), "size": ("0", "1", "2")}
    assert test.annotations.attributes["hair"].tolist() == [0, 0]
    assert sorted(
        train.annotations.attributes["size"].tolist() + splits.get("valid").annotations.attributes["size"].tolist()
    ) == [-1, 0, 1, 2]
    assert train.annotations.vectors is not None
    assert train.annotations.vectors.dtype == np.float32
    assert test.annotations.hint_spec is not None
    assert (test.annotations.hint_spec.mode, test.annotations.hint_spec.levels) == ("rgb", 256)
    batch = test.batch([1, 0])
    assert batch.hints is not None
    with np.load(path) as saved:
        assert np.array_equal(batch.hints, saved["rough_test"].transpose(0, 3, 1, 2)[::-1])


@pytest.mark.parametrize(
    ("members", "options", "words"),
    [
        ({}, {"attribute_columns": "hair"}, "no 'hair' for every split"),
        ({"hair_train": np.arange(3), "hair_test": np.arange(2)}, {"attribute_columns": "hair"}, "one entry for each"),
        (
            {"hair_train": np.zeros(4), "hair_test": np.zeros(2)},
            {"attribute_columns": "hair"},
            "integers from 0, or names",
        ),
        ({"hair_train": np.full(4, -2), "hair_test": np.zeros(2, int)}, {"attribute_columns": "hair"}, "count from 0"),
        ({"v_train": np.full((4, 2), np.nan), "v_test": np.zeros((2, 2))}, {"vector_column": "v"}, "finite"),
        ({"v_train": np.zeros(4), "v_test": np.zeros(2)}, {"vector_column": "v"}, "in 2 axes"),
        (
            {"r_train": np.zeros((4, 2, 2), np.uint8), "r_test": np.zeros((2, 2, 2), np.uint8)},
            {"hint_column": "r"},
            "resize one of the two",
        ),
        ({"r_train": np.zeros(4, np.uint8), "r_test": np.zeros(2, np.uint8)}, {"hint_column": "r"}, "give \\(n, h, w"),
    ],
)
def test_what_does_not_fit_is_named(members: Any, options: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(pt.PointillistError, match=words):
        pt.load_data(archive(tmp_path, **members), **options)


def pairs(folder: Path) -> tuple[Path, Path]:
    """Three RGB 4x6 pictures with metadata, and beside them 2x3 hints of the same names."""
    rng = np.random.default_rng(0)
    images, hints = folder / "photos", folder / "small"
    for where, size, ending in ((images, (4, 6), "png"), (hints, (2, 3), "bmp")):
        (where / "deep").mkdir(parents=True)
        for name in ("a", "b", "deep/c"):
            Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(where / f"{name}.{ending}")
    rows = [
        {"file_name": "a.png", "hair": "red", "v": [1, 2.5]},
        {"file_name": "b.png", "hair": "grey", "v": [0, -1]},
        {"file_name": "deep/c.png", "v": [3, 3]},
    ]
    (images / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return images, hints


def test_a_folder_has_them_in_metadata_and_beside_it(tmp_path: Path) -> None:
    """A hint that is smaller is copied up; a row without the column is not known."""
    images, hints = pairs(tmp_path)
    data = pt.load_data(
        images, attribute_columns=("hair",), vector_column="v", hint_column=str(hints), valid_fraction=0.0
    ).get("train")
    assert data.annotations.attributes["hair"].tolist() == [1, 0, -1]
    assert data.annotations.vectors is not None
    assert data.annotations.vectors.tolist() == [[1, 2.5], [0, -1], [3, 3]]
    found = data.batch([2]).hints
    assert found is not None
    small = np.asarray(Image.open(hints / "deep" / "c.bmp"))
    assert np.array_equal(found[0, :, ::2, ::2], small.transpose(2, 0, 1))
    assert np.array_equal(found[0, :, 1::2, 1::2], small.transpose(2, 0, 1))


def test_faults_of_a_folder_are_named(tmp_path: Path) -> None:
    images, hints = pairs(tmp_path)
    (hints / "b.bmp").unlink()
    for options, words in (
        ({"hint_column": str(hints)}, "b.png has no hint"),
        ({"hint_column": str(images / "deep")}, "lies inside"),
        ({"hint_column": str(tmp_path / "none")}, "does not exist: give the folder"),
        ({"attribute_columns": "eyes"}, "'eyes' is not in the metadata"),
        ({"attribute_columns": "v"}, "give a name or a number"),
        ({"vector_column": "hair"}, "list of numbers"),
    ):
        with pytest.raises(pt.DataError, match=words):
            pt.load_data(images, **options)
    with pytest.raises(pt.DataError, match="cannot be read from"):
        pt.load_data("uci-digits", attribute_columns="hair")


def test_a_mirrored_image_has_a_mirrored_hint() -> None:
    """Drawn once for both."""
    x = np.random.default_rng(0).integers(0, 9, (20, 3, 4), np.uint8)
    columns = Annotations(hints=x[:, None].astype(np.float32), vectors=np.zeros((20, 1), np.float32))
    data = dataset_of(x, columns=columns)
    batch = data.subset(np.arange(5, 20)).batch(np.arange(15), seed=3, flip=True)
    assert batch.hints is not None
    assert np.array_equal(batch.hints, batch.levels)
    assert not np.array_equal(batch.levels[:, 0], x[5:])
