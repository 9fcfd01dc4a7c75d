"""Palettes: exact where that is possible, learned from training images only, read from every kind of file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pointillist.data import DataOptions, load_data
from pointillist.data.palette import learn_palette, read_palette
from pointillist.errors import ConfigError, DataError
from tests.datasets import dataset_of

COLOURS = ((255, 0, 0, 255), (0, 255, 0, 255), (1, 2, 3, 255))


def sprites(n: int = 12, seed: int = 0) -> np.ndarray:
    """RGBA `n 4 4 4` of three colours and transparency."""
    table = np.array([*COLOURS, (9, 9, 9, 0)], np.uint8)
    return table[np.random.default_rng(seed).integers(0, 4, (n, 4, 4))]


def test_few_colours_are_kept_without_loss() -> None:
    x = sprites()
    data = dataset_of(x, options=DataOptions(palette=16))
    assert data.spec.palette is not None
    assert data.spec.palette[0] == (0, 0, 0, 0)
    assert set(data.spec.palette[1:]) == set(COLOURS)
    assert "palette of all 4 colours, exact" in data.notes
    assert (data.spec.to_images(data.batch(range(12)).levels) == np.where(x[..., 3:] == 0, 0, x)).all()
    assert (data.spec.mode, data.spec.ordered, data.spec.levels) == ("palette", False, 4)


def test_indexes_are_those_of_the_model() -> None:
    x = np.random.default_rng(1).integers(0, 256, (6, 5, 5, 4), dtype=np.uint8)
    data = dataset_of(x, options=DataOptions(palette=7))
    assert data.spec.levels <= 7
    assert (data.batch(range(6)).levels == data.spec.to_levels(x)).all()
    transparent = x[..., 3] < 128
    assert ((data.batch(range(6)).levels[:, 0] == 0) == transparent).all()


def test_a_learnt_palette_beats_median_cut() -> None:
    x = np.random.default_rng(2).integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    data = dataset_of(x, options=DataOptions(palette=16))
    strip = Image.fromarray(x.reshape(-1, 16, 3))
    pillow = np.asarray(strip.quantize(16, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).convert("RGB"))
    ours = data.spec.to_images(data.batch(range(8)).levels)[..., :3]

    def error(y: np.ndarray) -> float:
        return float(((x.astype(int) - y.reshape(x.shape)) ** 2).mean())

    assert error(ours) < error(pillow)


def test_the_palette_is_learnt_from_training_images_only(tmp_path: Path) -> None:
    train, test = np.zeros((4, 2, 2, 3), np.uint8), np.full((1, 2, 2, 3), 200, np.uint8)
    train[:, 0] = 255
    np.savez(tmp_path / "a.npz", x_train=train, x_test=test)
    splits = load_data(tmp_path / "a.npz", palette=8)
    assert splits.get("test").spec.palette == ((0, 0, 0, 255), (255, 255, 255, 255))
    assert (splits.get("test")[0]["levels"] == 1).all()


def test_one_colour_still_makes_a_palette_of_two() -> None:
    palette, _ = learn_palette(np.full((1, 4, 2, 2), 255, np.uint8), 4)
    assert len(palette) == 2


def test_too_many_colours_without_a_number_are_refused() -> None:
    x = np.random.default_rng(3).integers(0, 256, (4, 16, 16, 3), dtype=np.uint8)
    with pytest.raises(DataError, match=r"more than the 256 colours.*`palette` 64"):
        dataset_of(x, options=DataOptions(mode="palette"))


def write(path: Path) -> Path:
    hexes = ["#ff0000", "#00FF00", "01020380"]
    if path.suffix == ".gpl":
        path.write_text("GIMP Palette\nName: x\n#\n255 0 0 red\n 0 255   0\n1 2 3\n")
    elif path.suffix in (".png", ".gif"):
        image = Image.fromarray(np.array([[0, 1, 2]], np.uint8)).convert("P")
        image.putpalette([255, 0, 0, 0, 255, 0, 1, 2, 3])
        image.save(path)
    else:
        path.write_text("\n".join(hexes) + "\n; comment\n")
    return path


@pytest.mark.parametrize("kind", ["gpl", "png", "gif", "hex", "txt"])
def test_palette_files_keep_their_order(tmp_path: Path, kind: str) -> None:
    palette = read_palette(write(tmp_path / f"p.{kind}"))
    assert [c[:3] for c in palette] == [c[:3] for c in COLOURS]
    assert palette[0][3] == 255
    data = dataset_of(sprites()[..., :3], options=DataOptions(palette=str(tmp_path / f"p.{kind}")))
    assert data.spec.palette == palette


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.hex", "ff0000\nzz", r"'zz' in the palette .*#rrggbb"),
        ("a.hex", "ff0000", r"has 1 colours: it must have 2 to 256"),
        ("a.gpl", "1 2 3\n1 2 300", r"not RGB or RGBA"),
        ("a.png", "hello", r"a.png cannot be read"),
    ],
)
def test_wrong_palettes_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=message):
        read_palette(tmp_path / name)


def test_a_missing_or_coloured_palette_file_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (2, 2)).save(tmp_path / "rgb.png")
    for name, message in (("gone.png", r"gone.png does not exist: check the path"), ("rgb.png", r"is a RGB picture")):
        with pytest.raises(DataError, match=message):
            read_palette(tmp_path / name)


def archive(path: Path, **more: Any) -> Path:
    np.savez(path, index=np.array([[[0, 1], [2, 1]]], np.uint8), colours=np.array(COLOURS, np.uint8), **more)
    return path


def test_indexes_beside_their_palette_are_kept(tmp_path: Path) -> None:
    data = load_data(archive(tmp_path / "a.npz"), npz_key="index", palette="colours").get("train")
    assert data.spec.palette == COLOURS
    assert data[0]["levels"].flatten().tolist() == [0, 1, 2, 1]
    again = load_data(tmp_path / "a.npz", npz_key="index", spec=data.spec).get("train")
    assert again.spec == data.spec
    clear = load_data(tmp_path / "a.npz", npz_key="index", palette="colours", transparent_index=1).get("train")
    assert clear.spec.palette == (COLOURS[0], (0, 0, 0, 0), COLOURS[2])
    assert load_data(tmp_path / "a.npz", npz_key="index", palette="colours", transparent_index=1, spec=clear.spec).get(
        "train"
    )
    with pytest.raises(ConfigError, match=r"`transparent_index` \(=3\) must be one of the 3 colours"):
        load_data(tmp_path / "a.npz", npz_key="index", palette="colours", transparent_index=3)
    with pytest.raises(ConfigError, match=r"`ordered` \(=True\) contradicts a palette"):
        load_data(tmp_path / "a.npz", npz_key="index", palette="colours", ordered=True)


def test_an_index_beyond_the_palette_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x=np.full((1, 2, 2), 9, np.uint8), colours=np.array(COLOURS, np.uint8))
    with pytest.raises(DataError, match=r"value 9, outside the levels \[0, 3\)"):
        load_data(tmp_path / "a.npz", palette="colours")
