"""Levels to pictures and back at every number of levels, odd shapes, channel conversions; honest resizing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import pointillist as pt
from pointillist.data import DataOptions, load_data
from pointillist.data.pixels import resize_image
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


def resize(array: np.ndarray, height: int, width: int, **options: Any) -> np.ndarray:
    return resize_image(array, DataOptions(size=(height, width), **options))


def test_area_averages_and_rounds() -> None:
    array = np.array([[0, 10, 200, 201]], np.uint8)[..., None]
    assert resize(array, 1, 2, resize_mode="stretch").flatten().tolist() == [5, 200]


def test_averages_are_linear_in_alpha_and_take_no_hidden_colour() -> None:
    array = np.array([[[255, 0, 0, 255], [0, 255, 0, 0]]], np.uint8)
    assert resize(array, 1, 1, resize_mode="stretch")[0, 0].tolist() == [255, 0, 0, 128]
    array = np.array([[[200, 0, 0, 2], [0, 100, 0, 2]]], np.uint8)
    assert resize(array, 1, 1, resize_mode="stretch")[0, 0].tolist() == [100, 50, 0, 2]


def test_nearest_takes_the_pixel_under_each_centre() -> None:
    array = np.arange(9, dtype=np.uint16).reshape(1, 9, 1) * 300
    assert resize(array, 1, 3, resize_mode="stretch", resample="nearest").flatten().tolist() == [300, 1200, 2100]
    assert (
        resize(array, 2, 18, resize_mode="stretch", resample="nearest")[:, ::2, 0].tolist()
        == [array.flatten().tolist()] * 2
    )


def test_crop_and_pad_keep_the_aspect_and_are_centred() -> None:
    array = np.arange(1, 9, dtype=np.uint8).reshape(2, 4, 1)
    assert resize(array, 2, 2)[..., 0].tolist() == [[2, 3], [6, 7]]
    padded = resize(array, 4, 4, resize_mode="pad")[..., 0]
    assert padded[1:3].tolist() == array[..., 0].tolist()
    assert (padded[[0, 3]] == 0).all()


@settings(max_examples=60, deadline=None)
@given(
    *(st.integers(1, 12) for _ in range(4)),
    st.sampled_from([1, 3, 4]),
    st.sampled_from(["crop", "pad", "stretch"]),
    st.sampled_from(["area", "nearest", "bicubic", "lanczos"]),
)
def test_any_shape_reaches_any_size(
    h: int, w: int, height: int, width: int, channels: int, fit: str, resample: str
) -> None:
    array = np.full((h, w, channels), 77, np.uint8)
    out = resize(array, height, width, resize_mode=fit, resample=resample)
    assert out.shape == (height, width, channels)
    assert out.dtype == np.uint8
    assert set(np.unique(out)) <= ({77, 0} if fit == "pad" else {77})


@pytest.mark.parametrize("resample", ["area", "bicubic", "lanczos"])
def test_the_mean_is_kept(resample: str) -> None:
    array = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    assert abs(float(resize(array, 8, 8, resample=resample).mean()) - float(array.mean())) < 1.0
