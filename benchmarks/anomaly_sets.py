"""Images of `benchmarks/anomaly.py`: normal sets of 8-bit grey pictures, and the pairs that are judged.

Every set has training images, held-out normal images to fit a detector, and test images. The three do not overlap.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIDE = 28
_HELD_OUT = 1_500  # images to fit a detector, at most; a quarter of a small training set


@dataclass(frozen=True)
class NormalSet:
    """Normal images `n h w`, uint8: `train` for the model, `fit` for the detector, `test` for the benchmark."""

    train: np.ndarray
    fit: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Pair:
    """Normal images and odd ones.

    Attributes:
        name: such as `emoji -> mnist`.
        normal: name of the normal set.
        odd: makes the odd images, `n h w`.
        is_dev: whether statistics and smoothing may be chosen on it.
        masks: makes the masks of the odd images, where there are any.
        recipe: name of the run config in `recipes/anomaly`.
        windows: whether the model is one of windows of the images, which keep their size.
    """

    name: str
    normal: str
    odd: Callable[[], np.ndarray]
    is_dev: bool = False
    masks: Callable[[], np.ndarray] | None = None
    recipe: str = "grey28"
    windows: bool = False


@cache
def _arrays(name: str) -> Any:
    folder = os.environ.get("POINTILLIST_DATA")
    if folder is None:
        raise SystemExit("Set POINTILLIST_DATA to the folder of the data sets.")
    with np.load(Path(folder) / f"{name}.npz", allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def _resized(pictures: np.ndarray, side: int = SIDE) -> np.ndarray:
    return np.stack([np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BOX)) for one in pictures])


def _windows(pictures: np.ndarray, side: int) -> np.ndarray:
    """Cut pictures into windows, half a window apart."""
    starts = range(0, pictures.shape[1] - side + 1, side // 2)
    return np.concatenate([pictures[:, r : r + side, c : c + side] for r in starts for c in starts])


def _parted(train: np.ndarray, test: np.ndarray) -> NormalSet:
    """Hold out a part of the training images, drawn with seed 0."""
    order = np.random.default_rng(0).permutation(len(train))
    count = min(_HELD_OUT, len(train) // 4)
    return NormalSet(train[order[count:]], train[order[:count]], test)


@cache
def _emoji() -> tuple[np.ndarray, np.ndarray]:
    """Grey emoji on black, and which belong to the test part."""
    result = _arrays("emoji_noto")
    grey = 255 - result["rgb32"].mean(-1).round().astype(np.uint8)
    return _resized(grey), result["split"] == "test"


@cache
def _icons() -> tuple[np.ndarray, np.ndarray]:
    """Icons with a margin of two pixels, and which belong to the test part."""
    result = _arrays("icons24")
    return np.pad(result["x"] * np.uint8(85), ((0, 0), (2, 2), (2, 2))), result["split"] == "test"


def _without(digit: int) -> NormalSet:
    result = _arrays("mnist")
    return _parted(result["x_train"][result["y_train"] != digit], result["x_test"][result["y_test"] != digit])


@cache
def normal_set(name: str) -> NormalSet:
    """Read a set by its name."""
    if name.startswith("digits-without-"):
        return _without(int(name[-1]))
    if name == "emoji":
        grey, test = _emoji()
        return _parted(grey[~test], grey[test])
    if name == "icons":
        x, test = _icons()
        return _parted(x[~test], x[test])
    if name == "magnetic":
        result = _arrays("magnetic_tile_64")
        tiles = _parted(result["x_train"], result["x_test"][result["y_test"] == 0])
        return replace(tiles, train=_windows(tiles.train, 32))
    if name == "pneumonia":
        result = _arrays("pneumoniamnist")
        train, test = (result[f"x_{part}"][result[f"y_{part}"].reshape(-1) == 0] for part in ("train", "test"))
        return _parted(train, test)
    result = _arrays({"mnist": "mnist", "omniglot": "omniglot_small_28"}[name])
    return _parted(result["x_train"], result["x_test"])


def _tests(name: str) -> Callable[[], np.ndarray]:
    return lambda: normal_set(name).test


def _digit(digit: int) -> Callable[[], np.ndarray]:
    return lambda: _arrays("mnist")["x_test"][_arrays("mnist")["y_test"] == digit]


def _of(name: str, key: str, labels: str) -> Callable[[], np.ndarray]:
    return lambda: _arrays(name)[key][_arrays(name)[labels].reshape(-1) == 1]


PAIRS = (
    Pair("emoji -> mnist", "emoji", _tests("mnist"), is_dev=True),
    Pair("mnist -> emoji", "mnist", _tests("emoji"), is_dev=True),
    *(
        Pair(f"digits -> {d}", f"digits-without-{d}", _digit(d), is_dev=True, recipe="digits")
        for d in range(10)
    ),
    Pair("mnist -> fashion", "mnist", lambda: _arrays("fashion_mnist_sprite900")["x"]),
    Pair("icons -> mnist", "icons", _tests("mnist")),
    Pair("mnist -> icons", "mnist", _tests("icons")),
    Pair("omniglot -> mnist", "omniglot", _tests("mnist")),
    Pair("mnist -> omniglot", "mnist", _tests("omniglot")),
    Pair(
        "magnetic tiles",
        "magnetic",
        _of("magnetic_tile_64", "x_test", "y_test"),
        masks=_of("magnetic_tile_64", "mask_test", "y_test"),
        recipe="magnetic",
        windows=True,
    ),
    Pair("pneumonia", "pneumonia", _of("pneumoniamnist", "x_test", "y_test"), recipe="pneumonia"),
)  # fmt: skip
"""The pairs of the table; those with `is_dev` are for choosing, the others are only reported."""


def few(images: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return the indices of at most `count` images, drawn with a seed."""
    return np.sort(np.random.default_rng(seed).permutation(len(images))[:count])
