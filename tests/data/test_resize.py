"""Resizing: honest averages, no colour out of transparent pixels, centred crops and pads, any shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointillist.data import DataOptions
from pointillist.data.pixels import resize_image


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
