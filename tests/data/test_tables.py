"""Parquet, hub names without a network, and any torch data set."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from pointillist.data import load_data
from pointillist.errors import DataError
from tests.equality import equal

X = np.random.default_rng(0).integers(0, 256, (4, 3, 5, 3), dtype=np.uint8)


def encoded(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """`datasets`, certain not to ask the network, with an empty cache."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(importlib.import_module("huggingface_hub.constants"), "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True, raising=False)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    return datasets


def table(datasets: Any, rows: slice = slice(None)) -> Any:
    features = datasets.Features(
        {
            "img": datasets.Image(),
            "label": datasets.ClassLabel(names=["cat", "dog"]),
            "caption": datasets.Value("string"),
        }
    )
    cells = [{"bytes": encoded(x), "path": None} for x in X[rows]]
    count = len(cells)
    data = {"img": cells, "label": [i % 2 for i in range(count)], "caption": [f"text {i}" for i in range(count)]}
    return datasets.Dataset.from_dict(data, features=features)


def test_a_parquet_file(tmp_path: Path, offline: Any) -> None:
    table(offline).to_parquet(tmp_path / "a.parquet")
    data = load_data(tmp_path / "a.parquet", valid_fraction=0.0).get("train")
    assert (data.batch(range(4)).levels == X.transpose(0, 3, 1, 2)).all()
    assert data.classes == ("cat", "dog")
    assert data.labels is not None
    assert data.labels.tolist() == [0, 1, 0, 1]
    assert data.texts == ("text 0", "text 1", "text 2", "text 3")


def test_a_folder_of_parquet_files_has_splits(tmp_path: Path, offline: Any) -> None:
    table(offline, slice(0, 2)).to_parquet(tmp_path / "train-00000-of-00002.parquet")
    table(offline, slice(2, 3)).to_parquet(tmp_path / "train-00001-of-00002.parquet")
    table(offline, slice(3, 4)).to_parquet(tmp_path / "test-00000-of-00001.parquet")
    splits = load_data(tmp_path, valid_fraction=0.0)
    assert [len(splits.get(s)) for s in splits.names] == [3, 1]
    assert (splits.get("test")[0]["levels"] == X[3].transpose(2, 0, 1)).all()
    table(offline).to_parquet(tmp_path / "other.parquet")
    with pytest.raises(DataError, match=r"other.parquet does not name its split"):
        load_data(tmp_path)


def test_plain_bytes_and_broken_cells(tmp_path: Path, offline: Any) -> None:
    rows = {"image": [encoded(X[0]), b"broken"], "name": ["a", "b"]}
    offline.Dataset.from_dict(rows).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a.parquet:all\[1\] cannot be read as an image"):
        load_data(tmp_path / "a.parquet")
    data = load_data(tmp_path / "a.parquet", skip_bad=True, caption_column="name").get("train")
    assert data.texts == ("a",)
    with pytest.raises(DataError, match=r"no column 'title': its columns are image, name"):
        load_data(tmp_path / "a.parquet", caption_column="title")


def test_a_table_without_images_is_named(tmp_path: Path, offline: Any) -> None:
    offline.Dataset.from_dict({"a": [1]}).to_parquet(tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"no column of images: its columns are a"):
        load_data(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"b.parquet cannot be read as Parquet"):
        load_data(tmp_path / "b.parquet")


def test_our_folder_is_read_as_datasets_reads_it(tmp_path: Path, offline: Any) -> None:
    for i, x in enumerate(X):
        path = tmp_path / "images" / ("train", "test")[i // 3] / ("cat", "dog")[i % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(encoded(x))
    theirs = offline.load_dataset("imagefolder", data_dir=str(tmp_path / "images"), cache_dir=str(tmp_path / "cache"))
    ours = load_data(tmp_path / "images", valid_fraction=0.0)
    for split in ("train", "test"):
        expected = {
            encoded(np.asarray(r["image"])): theirs[split].features["label"].names[r["label"]] for r in theirs[split]
        }
        data = ours.get(split)
        found = {}
        for i in range(len(data)):
            item = data[i]
            found[encoded(data.spec.to_images(item["levels"][None])[0])] = data.classes[item["label"]]
        assert found == expected


@pytest.mark.parametrize(
    ("source", "remedy"), [("mnist", "local path"), ("hf:owner/none", "local path"), ("hf:none", "network")]
)
def test_no_network_is_one_sentence(offline: Any, source: str, remedy: str) -> None:
    with pytest.raises(DataError, match=remedy) as error:
        load_data(source)
    assert "\n" not in str(error.value)


class Items(Dataset[Any]):
    """A data set of given items."""

    def __init__(self, items: list[Any], classes: list[str] | None = None) -> None:
        self.items, self.classes = items, classes

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Any:
        return self.items[index]


class Endless(IterableDataset[Any]):
    """A data set whose length nobody knows."""

    def __iter__(self) -> Iterator[Any]:
        return iter(())


@pytest.mark.parametrize("kind", ["pil", "array", "tensor", "float", "dictionary", "bare"])
def test_any_torch_data_set(kind: str) -> None:
    images: dict[str, list[Any]] = {
        "pil": [Image.fromarray(x) for x in X],
        "array": list(X),
        "tensor": [torch.from_numpy(x.transpose(2, 0, 1).copy()) for x in X],
        "float": [torch.from_numpy(x.transpose(2, 0, 1).copy()).float() / 255 for x in X],
    }
    if kind == "dictionary":
        items: list[Any] = [{"image": x, "label": i % 2, "text": f"t{i}"} for i, x in enumerate(images["pil"])]
    elif kind == "bare":
        items = images["pil"]
    else:
        items = [(x, i % 2) for i, x in enumerate(images[kind])]
    data = load_data(Items(items, None if kind == "bare" else ["cat", "dog"]), valid_fraction=0.0).get("train")
    assert (data.batch(range(4)).levels == X.transpose(0, 3, 1, 2)).all()
    assert (data.spec.mode, data.spec.levels) == ("rgb", 256)
    assert data.classes == (() if kind == "bare" else ("cat", "dog"))
    assert (data.texts is not None) == (kind == "dictionary")


def test_a_tensor_data_set_and_a_list() -> None:
    codes = torch.randint(0, 512, (5, 1, 4, 4), generator=torch.Generator().manual_seed(0))
    data = load_data(TensorDataset(codes, torch.arange(5) % 2), valid_fraction=0.0, levels=512).get("train")
    assert equal(data.batch(range(5)).levels, codes)
    assert (data.spec.mode, data.spec.levels) == ("codes", 512)
    assert len(load_data([Image.fromarray(x) for x in X], valid_fraction=0.0).get("train")) == 4


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], r"Items holds no images"),
        ([3], r"Items\[0\] is a int"),
        ([{"picture_of": 1}], r"keys picture_of: the image must be under 'image'"),
        ([X[0], X[0][:2]], r"Items\[0\] has shape \(3, 5, 3\) but Items\[1\] has \(2, 5, 3\)"),
        ([(X[0], "a", [1, 2])], r"A label of Items"),
        ([Image.new("L", (2, 3)), Image.new("L", (3, 3))], r"Items\[0\] is 3x2 and Items\[1\] is 3x3"),
    ],
)
def test_wrong_items_are_named(items: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_data(Items(items))


def test_what_is_no_source_is_named() -> None:
    with pytest.raises(DataError, match=r"A Endless is not a source of images.*with a length"):
        load_data(Endless())
