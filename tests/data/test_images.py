"""Levels to pictures and back, through files and arrays, at every number of levels; odd shapes; channel conversions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pointillist as pt
from pointillist.data import load_data
from pointillist.images import ImageSpec
from pointillist.images.pictures import composite_on_white, to_luma
from tests.datasets import dataset_of


@pytest.mark.parametrize("levels", range(2, 257))
def test_levels_to_images_to_levels_is_the_identity(levels: int) -> None:
    spec = ImageSpec(channels=1, height=1, width=levels, levels=levels, mode="grey")
    x = np.arange(levels, dtype=np.int64).reshape(1, 1, 1, levels)
    pictures = spec.to_images(x)
    assert pictures.dtype == np.uint8
    assert (spec.to_levels(pictures).numpy() == x).all()
    read = dataset_of(pictures, spec=spec) if levels == 256 else None
    assert read is None or (read.batch([0]).levels == x).all()


@pytest.mark.parametrize("levels", [2, 3, 4, 5, 16, 17, 100, 128, 255, 256])
@pytest.mark.parametrize("mode", ["grey", "rgb", "rgba"])
def test_files_are_quantised_as_the_model_would(tmp_path: Path, levels: int, mode: str) -> None:
    channels = {"grey": 1, "rgb": 3, "rgba": 4}[mode]
    array = np.random.default_rng(levels).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    array[0, 0] = 0  # a fully transparent pixel
    Image.fromarray(array if channels > 1 else array[..., 0]).save(tmp_path / "a.png")
    data = load_data(tmp_path, levels=levels).get("train")
    assert data.spec.mode == mode
    assert data.spec.levels == levels
    assert (data.batch([0]).levels == data.spec.to_levels(array[None])).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (3, 5), (13, 7)])
def test_any_height_and_width(tmp_path: Path, shape: tuple[int, int]) -> None:
    array = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    for name in "ab":
        Image.fromarray(array).save(tmp_path / f"{name}.png")
    data = load_data(tmp_path).get("train")
    assert data.spec.shape == (3, *shape)
    assert (data[0]["levels"] == array.transpose(2, 0, 1)).all()


def test_grey_and_white_ground_are_those_of_pillow() -> None:
    rgba = np.random.default_rng(1).integers(0, 256, (1, 4, 16, 16), dtype=np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(rgba[0].transpose(1, 2, 0)))
    assert (to_luma(rgba[:, :3])[0, 0] == np.asarray(picture.convert("RGB").convert("L"))).all()
    ground = Image.new("RGBA", picture.size, "white")
    ground.alpha_composite(picture)
    assert (
        np.abs(composite_on_white(rgba)[0].transpose(1, 2, 0).astype(int) - np.asarray(ground.convert("RGB"))).max()
        <= 1
    )


@pytest.mark.parametrize("mode", ["grey", "rgb"])
def test_transparency_is_laid_on_white_and_said(tmp_path: Path, mode: str) -> None:
    Image.new("RGBA", (2, 2), (10, 20, 30, 0)).save(tmp_path / "a.png")
    data = load_data(tmp_path, mode=mode).get("train")
    assert (data[0]["levels"] == 255).all()
    assert "transparency composited on white" in data.notes


def test_a_picture_without_pixels_is_named() -> None:
    with pytest.raises(pt.DataError, match="holds pictures of 8x0 pixels"):
        pt.load_data([Image.new("L", (0, 8))])
