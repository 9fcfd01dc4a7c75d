"""Folders from strangers: one sentence for each damage, before memory is taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pointillist as pt
from tests.hierarchy.helpers import tokenized


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a small hierarchy."""
    hierarchy = tokenized(pt.ImageSpec.infer((1, 8, 8)), [(3, 2)])
    for model in hierarchy.models.values():
        model.float()
    hierarchy.save(tmp_path)
    pt.Hierarchy.load(tmp_path)
    return tmp_path


def _edit(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    record = json.loads(path.read_text())
    change(record)
    path.write_text(json.dumps(record))


def _set(*keys: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(record: dict[str, Any]) -> None:
        for key in keys[:-1]:
            record = record[key]
        record[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        ("hierarchy.json", _set("format", value="other"), "not of a hierarchy of this release"),
        ("hierarchy.json", _set("format_version", value=2), "not of a hierarchy of this release"),
        ("hierarchy.json", _set("scales", value=10**9), "does not describe a hierarchy"),
        ("hierarchy.json", _set("scales", value=2), "no 'tokenizer2' yet"),
        ("hierarchy.json", _set("pixels", value=[]), "does not describe a hierarchy"),
        ("hierarchy.json", _set("more", value=1), "does not describe a hierarchy"),
        ("hierarchy.json", _set("tokenized", value=False), "does not take the codes before it"),
        ("tokenizer/config.json", _set("tokenizer", "channels", value=10**9), "channels"),
        ("tokenizer/config.json", _set("tokenizer", "channels", value=4096), "does not belong"),
        ("tokenizer/config.json", _set("tokenizer", "levels", value=[2, 3]), "other settings|does not belong"),
        ("tokenizer/config.json", _set("tokenizer", "levels", value=[65536] * 4), "at most 65,536"),
        ("tokenizer/config.json", _set("tokenizer", "downsample", value=2**40), "downsample"),
        ("tokenizer/config.json", _set("tokenizer", "image", "height", value=2**30), "at most 65,536|multiple"),
        ("tokenizer/config.json", _set("tokenizer", value=[1]), "tokenizer"),
        ("tokenizer/config.json", _set("tokenizer", value={"image": None}), "tokenizer"),
    ],
)  # fmt: skip
def test_damaged_settings(folder: Path, file: str, change: Callable[[dict[str, Any]], object], message: str) -> None:
    """Settings that are wrong, foreign or too large."""
    _edit(folder / file, change)
    with pytest.raises(pt.CheckpointError, match=message):
        pt.Hierarchy.load(folder)


@pytest.mark.parametrize("file", ["hierarchy.json", "tokenizer/config.json", "tokenizer/model.safetensors"])
def test_damaged_files(folder: Path, file: str) -> None:
    """Files that are cut off, that hold one flipped bit, or that are missing."""
    path = folder / file
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(pt.CheckpointError):
        pt.Hierarchy.load(folder)
    if file.endswith("safetensors"):
        path.write_bytes(whole[:-5] + bytes([whole[-5] ^ 4]) + whole[-4:])
        with pytest.raises(pt.CheckpointError, match="damaged"):
            pt.Hierarchy.load(folder)
    path.unlink()
    with pytest.raises(pt.CheckpointError):
        pt.Hierarchy.load(folder)


def test_stages_of_different_hierarchies(folder: Path, tmp_path: Path) -> None:
    """A tokenizer with more codes than the prior knows is found."""
    other = tokenized(pt.ImageSpec.infer((1, 8, 8)), [(4, 3)])
    other.tokenizers[0].save(folder / "tokenizer")
    with pytest.raises(pt.CheckpointError, match="tokenizer makes"):
        pt.Hierarchy.load(folder)
    with pytest.raises(pt.CheckpointError, match=r"hierarchy\.json"):
        pt.Hierarchy.load(folder / "codes")
