"""A folder is read once while its files have not changed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import pointillist as pt
from pointillist.files import reading
from pointillist.files.reading import ReadOnce
from pointillist.model.folder.opening import open_scored
from pointillist.zoo import resolve


def test_a_folder_is_read_again_when_a_file_changes(tmp_path: Path) -> None:
    """Its text, a replaced file of the same length, and a new file; a failure is not kept."""
    reads: list[str] = []

    def read(folder: Path) -> str:
        text = (folder / "a").read_text()
        reads.append(text)
        if text == "bad":
            raise ValueError(text)
        return text

    once = ReadOnce(read)
    (tmp_path / "a").write_text("one")
    assert [once(tmp_path), once(tmp_path)] == ["one", "one"]
    (tmp_path / "other").write_text("two")
    (tmp_path / "other").replace(tmp_path / "a")
    assert once(tmp_path) == "two"
    (tmp_path / "a").write_text("bad")
    for _ in range(2):
        with pytest.raises(ValueError, match="bad"):
            once(tmp_path)
    assert reads == ["one", "two", "bad", "bad"]


def test_the_files_of_all_folders_stay_within_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder that was used longest ago leaves first."""
    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    reads: list[str] = []
    once = ReadOnce(lambda folder: reads.append(folder.name))
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"12345")
    for name in ("a", "b", "a", "c", "a", "b"):
        once(tmp_path / name)
    assert reads == ["a", "b", "c", "b"]


def test_a_model_by_name_is_opened_once_until_its_files_change(tmp_path: Path) -> None:
    """Another program in its folder is sampled at the next call."""
    folder, other = resolve("digits"), resolve("dungeons")
    assert folder is not None
    assert other is not None
    model = tmp_path / "model"
    shutil.copytree(folder, model)
    first = open_scored(model)
    assert open_scored(model) is first
    shutil.rmtree(model)
    shutil.copytree(other, model)
    assert open_scored(model).image == pt.load("dungeons").image
