"""Folders in the imagefolder layout, and what is said when they do not fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pointillist import system
from pointillist.data import load_data
from pointillist.errors import DataError


def paint(path: Path, value: Any = 0, size: tuple[int, int] = (4, 3), mode: str = "RGB") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)
    return path


def all_of(source: Path, **options: Any) -> Any:
    return load_data(source, valid_fraction=0.0, **options).get("train")


def test_a_flat_folder_is_read_in_alphabetical_order(tmp_path: Path) -> None:
    for name, value in (("b.png", 2), ("a.png", 1), ("c.bmp", 3), (".hidden.png", 9), ("notes.txt.md", 0)):
        if name.endswith(".md"):
            (tmp_path / name).write_text("no image")
        else:
            paint(tmp_path / name, value, mode="L")
    data = all_of(tmp_path)
    assert data.batch(range(3)).levels[:, 0, 0, 0].tolist() == [1, 2, 3]
    assert data.spec.shape == (1, 3, 4)
    assert data.labels is None
    assert data.classes == ()
    assert data.texts is None


def test_class_folders_are_labels(tmp_path: Path) -> None:
    for i, name in enumerate(("dog", "cat", "cat", "train")):
        paint(tmp_path / name / f"{i}.png", i, mode="L")
    data = all_of(tmp_path)
    assert data.classes == ("cat", "dog", "train")
    assert data.labels is not None
    assert data.labels.tolist() == [0, 0, 1, 2]
    assert all_of(tmp_path, labels=False).labels is None


def test_one_folder_or_mixed_depths_are_no_classes(tmp_path: Path) -> None:
    paint(tmp_path / "only" / "a.png")
    assert all_of(tmp_path).labels is None
    paint(tmp_path / "other" / "deep" / "a.png")
    assert all_of(tmp_path).labels is None


def test_split_folders_are_kept(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("val", 2), ("test", 3)):
        for i in range(count):
            paint(tmp_path / split / "ab"[i % 2] / f"{i}.png", i, mode="L")
    splits = load_data(tmp_path, test_fraction=0.2)
    assert {name: len(splits.get(name)) for name in splits.names} == {"train": 4, "valid": 2, "test": 3}
    assert splits.get("test").classes == ("a", "b")


def test_a_folder_of_test_images_alone_has_no_other_part(tmp_path: Path) -> None:
    paint(tmp_path / "test" / "a.png")
    splits = load_data(tmp_path)
    assert splits.names == ("test",)
    with pytest.raises(DataError, match=r"no 'train' split: it has test"):
        splits.get("train")
    with pytest.raises(DataError, match=r"'trian'.*train, valid or test"):
        splits.get("trian")


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_metadata_give_texts_and_labels(tmp_path: Path, kind: str) -> None:
    rows = [
        {"file_name": "b.png", "text": "ein rotes Tor", "label": 1},
        {"file_name": "in/a.png", "text": "a, b", "label": 0},
    ]
    for row in rows:
        paint(tmp_path / str(row["file_name"]))
    paint(tmp_path / "unlisted.png")
    if kind == "jsonl":
        (tmp_path / "metadata.jsonl").write_text("\n".join(json.dumps(r) for r in rows), encoding="utf-8")
    else:
        lines = ["file_name,text,label"] + [f'{r["file_name"]},"{r["text"]}",{r["label"]}' for r in rows]
        (tmp_path / "metadata.csv").write_text("\ufeff" + "\n".join(lines) + "\n", encoding="utf-8")
    data = all_of(tmp_path)
    assert data.texts == ("ein rotes Tor", "a, b")
    assert data.labels is not None
    assert data.labels.tolist() == [1, 0]
    assert data[1]["text"] == "a, b"
    assert data.batch([1, 0]).texts == ("a, b", "ein rotes Tor")
    assert "1 image left out, which the metadata do not list" in data.notes


@pytest.mark.parametrize("separator", [",", ";", "\t", " , "])
def test_metadata_of_spreadsheets(tmp_path: Path, separator: str) -> None:
    """Semicolons and tabs separate, where the first line has them; names of columns lose their spaces."""
    for name in ("a.png", "b.png"):
        paint(tmp_path / name)
    values = separator.strip(" ")
    text = f"file_name{separator}label\na.png{values}x\nb.png{values}y\n"
    (tmp_path / "metadata.csv").write_text(text, encoding="utf-8")
    assert all_of(tmp_path).classes == ("x", "y")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file_name,label,label\na.png,x,y\n", "has two columns 'label'"),
        ("file_name,label\na.png,x\na.png,y\n", "names 'a.png' again, with other values"),
        ("File,label\na.png,x\n", r"has no `file_name` \(columns: 'File', 'label'\)"),
    ],
)
def test_metadata_that_say_two_things_are_an_error(tmp_path: Path, text: str, sentence: str) -> None:
    paint(tmp_path / "a.png")
    (tmp_path / "metadata.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=sentence):
        all_of(tmp_path)


def test_metadata_in_each_split_with_named_labels(tmp_path: Path) -> None:
    for split, label in (("train", "cat"), ("test", "dog")):
        paint(tmp_path / split / "x.png")
        (tmp_path / split / "metadata.jsonl").write_text(json.dumps({"file_name": "x.png", "kind": label}))
    splits = load_data(tmp_path, label_column="kind")
    assert splits.get("test").classes == ("cat", "dog")
    assert splits.get("test")[0]["label"] == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"Line 1 of .*metadata.jsonl is not valid JSON"),
        ("[1]", r"not a JSON object"),
        ('{"text": "x"}', r"Row 1 of .*no `file_name`"),
        ('{"file_name": "gone.png"}', r"'gone.png', which does not exist"),
        ('{"file_name": "../x.png"}', r"'../x.png', outside"),
        ('{"file_name": "a.png", "label": 1.5}', r"a.png has the label 1.5"),
    ],
)
def test_wrong_metadata_are_named(tmp_path: Path, line: str, message: str) -> None:
    paint(tmp_path / "a.png")
    (tmp_path / "metadata.jsonl").write_text(line)
    with pytest.raises(DataError, match=message):
        all_of(tmp_path)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    paint(tmp_path / "a.png")
    (tmp_path / "metadata.jsonl").write_text('{"file_name": "a.png", "title": "x"}')
    assert all_of(tmp_path, caption_column="title").texts == ("x",)
    with pytest.raises(DataError, match=r"'caption' is not in the metadata, which have: file_name, title"):
        all_of(tmp_path, caption_column="caption")


def test_file_names_can_be_captions(tmp_path: Path) -> None:
    paint(tmp_path / "red_kite-shield 2.png")
    assert all_of(tmp_path, caption_column="filename").texts == ("red kite shield 2",)


def test_mixed_sizes_name_the_first_two_and_the_option(tmp_path: Path) -> None:
    paint(tmp_path / "a.png", size=(4, 3))
    paint(tmp_path / "b.png", size=(4, 3))
    paint(tmp_path / "c.png", size=(5, 6))
    with pytest.raises(DataError, match=r"a.png is 3x4 and .*c.png is 6x5 .*`size=3`"):
        all_of(tmp_path)
    data = all_of(tmp_path, size=(3, 4))
    assert data.spec.shape == (3, 3, 4)
    assert "1 of 3 images resized to 3x4 (crop, area)" in data.notes
    with pytest.raises(DataError, match=r"c.png is 6x5 .*crop, pad or stretch"):
        all_of(tmp_path, size=(3, 4), resize_mode="require")


@pytest.mark.parametrize("damage", ["empty", "text", "cut"])
def test_a_broken_file_is_named_and_can_be_skipped(tmp_path: Path, damage: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "good.png")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "bad.png").write_bytes({"empty": b"", "text": b"hello", "cut": whole[:500]}[damage])
    with pytest.raises(DataError, match=r"bad.png cannot be read as an image .*`skip_bad=True`"):
        all_of(tmp_path)
    data = all_of(tmp_path, skip_bad=True)
    assert len(data) == 1
    assert any(note.startswith("1 unreadable file skipped") and "bad.png" in note for note in data.notes)
    assert (data[0]["levels"] == noise.transpose(2, 0, 1)).all()


def test_skipping_keeps_labels_beside_their_images(tmp_path: Path) -> None:
    paint(tmp_path / "a" / "1.png", 7, mode="L")
    (tmp_path / "a" / "0.png").write_bytes(b"broken")
    paint(tmp_path / "b" / "1.png", 9, mode="L")
    data = all_of(tmp_path, skip_bad=True)
    assert data.labels is not None
    assert list(zip(data.batch([0, 1]).levels[:, 0, 0, 0].tolist(), data.labels.tolist(), strict=True)) == [
        (7, 0),
        (9, 1),
    ]


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"no image that can be read: .*bad.png"):
        all_of(tmp_path, skip_bad=True)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty holds no images: put PNG"):
        all_of(tmp_path / "empty")


def test_too_many_images_are_refused_before_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paint(tmp_path / "a.png", size=(100, 100))
    monkeypatch.setattr(system, "available_bytes", lambda: 1000)
    monkeypatch.setattr(system, "FEW_BYTES", 0)
    with pytest.raises(DataError, match=r"1 images of 100x100 .*80%.*smaller `size`"):
        all_of(tmp_path)


def test_the_memory_of_resizing_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One picture of bytes may fit where the floats that its resizing needs do not."""
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    monkeypatch.setattr(system, "available_bytes", lambda: 2 * 10**9)
    with pytest.raises(DataError, match=r"1 images? of 9000x9000 .* would take 1.9 GiB"):
        load_data(tmp_path, size=9000)


def test_deep_images_are_reduced_and_said(tmp_path: Path) -> None:
    deep = np.array([[0, 128, 129, 257, 32768, 65535]], np.uint16)
    Image.fromarray(deep).save(tmp_path / "a.png")
    data = all_of(tmp_path)
    assert data[0]["levels"].flatten().tolist() == [0, 0, 1, 1, 128, 255]
    assert "1 16-bit image reduced to 8 bits" in data.notes
    codes = all_of(tmp_path, mode="codes")
    assert codes[0]["levels"].flatten().tolist() == deep.flatten().tolist()
    assert codes.spec.levels == 65536


def test_floating_point_files_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((2, 2), np.float32)).save(tmp_path / "a.tiff")
    with pytest.raises(DataError, match=r"a.tiff has pixels of kind 'F'"):
        all_of(tmp_path)


def test_the_camera_rotation_is_applied(tmp_path: Path) -> None:
    picture = Image.fromarray(np.array([[0, 255, 255]], np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(tmp_path / "a.png", exif=exif)
    data = all_of(tmp_path)
    assert data.spec.shape == (1, 3, 1)
    assert data[0]["levels"].flatten().tolist() == [0, 255, 255]


def test_the_first_frame_of_an_animation_is_read(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (3, 2), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    data = all_of(tmp_path)
    assert data[0]["levels"][:, 0, 0].tolist() == [255, 0, 0]
    assert "1 animation: the first frame was read" in data.notes


def test_the_smallest_kind_that_holds_every_image_is_taken(tmp_path: Path) -> None:
    paint(tmp_path / "a.png", 5, mode="L")
    assert all_of(tmp_path).spec.mode == "grey"
    paint(tmp_path / "b.jpg", (1, 2, 3))
    assert all_of(tmp_path).spec.mode == "rgb"
    paint(tmp_path / "c.png", (1, 2, 3, 255), mode="RGBA")
    assert all_of(tmp_path).spec.mode == "rgb"
    paint(tmp_path / "d.png", (1, 2, 3, 0), mode="RGBA")
    data = all_of(tmp_path)
    assert data.spec.mode == "rgba"
    assert data[3]["levels"][:, 0, 0].tolist() == [0, 0, 0, 0]


def test_files_of_one_bit_have_two_levels(tmp_path: Path) -> None:
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "a.png")
    data = all_of(tmp_path)
    assert (data.spec.mode, data.spec.levels) == ("grey", 2)
    assert data[0]["levels"].flatten().tolist() == [1, 0]


def test_tile_maps_keep_the_numbers_of_indexed_files(tmp_path: Path) -> None:
    tiles = Image.fromarray(np.array([[0, 3], [2, 1]], np.uint8)).convert("P")
    tiles.putpalette([9, 9, 9] * 4)
    tiles.save(tmp_path / "a.png")
    data = all_of(tmp_path, mode="codes")
    assert data[0]["levels"].flatten().tolist() == [0, 3, 2, 1]
    assert (data.spec.levels, data.spec.ordered) == (4, False)
    paint(tmp_path / "b.png", size=(2, 2))
    with pytest.raises(DataError, match=r"b.png is a RGB picture"):
        all_of(tmp_path, mode="codes")


def test_a_single_image_is_a_data_set(tmp_path: Path) -> None:
    data = all_of(paint(tmp_path / "a.png", (1, 2, 3)))
    assert data[0]["levels"][:, 0, 0].tolist() == [1, 2, 3]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    paint(tmp_path / "a" / "x.png")
    (tmp_path / "a" / "again").symlink_to(tmp_path, target_is_directory=True)
    assert len(all_of(tmp_path)) == 1


@pytest.mark.parametrize("source", ["nowhere", "./no/where", "x.npz", "no/such.png"])
def test_a_missing_source_is_named(source: str) -> None:
    with pytest.raises(DataError, match=r"does not exist: give a folder .*uci-digits"):
        load_data(source)


def test_an_unknown_kind_of_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.doc").write_text("x")
    with pytest.raises(DataError, match=r"a.doc has an unsupported type"):
        load_data(tmp_path / "a.doc")
