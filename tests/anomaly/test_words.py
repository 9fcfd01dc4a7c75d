"""Words on a picture follow from what was done to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import pytest

import pointillist as pt
from pointillist.anomaly.statistics import DESCRIPTIONS
from pointillist.anomaly.words import NOTABLE, describe
from pointillist.images import ImageSpec

Defect = Callable[[np.ndarray], np.ndarray]
COUNT = 12


@lru_cache
def detector() -> pt.AnomalyDetector:
    """The bundled digits, 28x28 in 16 levels; its own samples are normal."""
    return pt.AnomalyDetector("digits").fit(pt.sample("digits", 80, seed=0).levels)


def share(defect: Defect, *words: str) -> float:
    """Return the share of images, after a defect, whose words contain all of some words in one sentence."""
    normal = pt.sample("digits", COUNT, seed=7).levels
    texts = [record.words for record in detector().records(defect(normal))]
    return float(np.mean([any(all(word in sentence for word in words) for sentence in text) for text in texts]))


def scratch(images: np.ndarray) -> np.ndarray:
    """Draw a white line from top to bottom, at the left."""
    out = images.copy()
    out[..., 5] = 15
    return out


def blur(images: np.ndarray) -> np.ndarray:
    """Take the mean of 3x3 pixels."""
    padded = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    height, width = images.shape[2:]
    return np.rint(sum(padded[..., i : i + height, j : j + width] for i in range(3) for j in range(3)) / 9).astype(int)


def noise(images: np.ndarray) -> np.ndarray:
    """Put noise into the upper left."""
    out = images.copy()
    out[:, :, 2:9, 2:9] = np.random.default_rng(0).integers(0, 16, (len(out), 1, 7, 7))
    return out


def brighter(images: np.ndarray) -> np.ndarray:
    """Add a quarter of the range."""
    return np.minimum(images + 4, 15)


@pytest.mark.parametrize(
    ("defect", "words"),
    [
        (scratch, ("stripes from top to bottom",)),
        (blur, ("softer than usual",)),
        (noise, ("rougher", "brighter", "in the upper left")),
        (brighter, ("brighter", "all over")),
        (lambda images: images.swapaxes(2, 3)[:, :, ::-1, ::-1] // 2, ("parts do not fit together as usual",)),
    ],
    ids=["scratch", "blur", "noise", "brightness", "turned and darker"],
)
def test_words_name_the_defect_and_the_normal_images_lack_it(defect: Defect, words: tuple[str, ...]) -> None:
    """Most images with a defect are described by it, and few without."""
    assert share(defect, *words) >= 0.75
    assert share(lambda images: images, *words) <= 0.25


def test_the_place_follows_the_map() -> None:
    """Each corner, the middle and bands have their names; a map of one sign over most of the image is all over."""
    spec = ImageSpec(channels=1, height=12, width=12, levels=4, mode="grey")
    normal = np.random.default_rng(0).integers(0, 4, (30, 1, 12, 12))
    places = {
        (0, 3, 0, 3): "in the upper left",
        (9, 12, 9, 12): "in the lower right",
        (5, 7, 5, 7): "in the middle",
        (9, 11, 0, 12): "in a band from left to right, at the bottom",
        (0, 12, 10, 12): "in a band from top to bottom, at the right",
        (0, 12, 0, 8): "all over",
    }
    for (top, bottom, left, right), name in places.items():
        z_map, image = np.zeros((12, 12)), normal[0].copy()
        z_map[top:bottom, left:right], image[0, top:bottom, left:right] = 9.0, 3
        assert describe({"peak_3x3": 9.0}, z_map, z_map > 5, image, spec, normal[1:])[0].endswith(f"than usual {name}")


def test_every_statistic_has_words_on_both_sides() -> None:
    """Each alone, at nine deviations above and below; below the limit nothing stands out."""
    spec = ImageSpec(channels=1, height=4, width=4, levels=4, ordered=False)
    normal = np.random.default_rng(0).integers(0, 4, (30, 1, 4, 4))
    flat, mask = np.zeros((4, 4)), np.zeros((4, 4), bool)
    said = {
        tuple(describe({name: sign * 9.0}, flat, mask, normal[0], spec, normal)[-1:])
        for name in DESCRIPTIONS
        for sign in (1, -1)
    }
    assert len(said) == 2 * len(DESCRIPTIONS)
    calm = dict.fromkeys(DESCRIPTIONS, NOTABLE - 0.1)
    assert describe(calm, flat, mask, normal[0], spec, normal) == ["nothing stands out by itself"]


def test_colours_without_an_order_are_busier_or_plainer() -> None:
    """Tiles have no brightness; a palette has."""
    rng, mask = np.random.default_rng(0), np.zeros((8, 8), bool)
    tiles = ImageSpec(channels=1, height=8, width=8, levels=4, ordered=False)
    normal = np.repeat(np.repeat(rng.integers(0, 4, (40, 1, 4, 4)), 2, 2), 2, 3)
    busy = rng.integers(0, 4, (1, 8, 8))
    assert describe({}, np.zeros((8, 8)), mask, busy, tiles, normal)[0] in (
        "busier than usual all over",
        "much busier than usual all over",
    )
    palette = tuple((60 * level, 60 * level, 60 * level, 255) for level in range(4))
    colours = ImageSpec(channels=1, height=8, width=8, levels=4, ordered=False, mode="palette", palette=palette)
    white = np.where(normal[0] == 0, 3, normal[0])
    assert "brighter" in describe({}, np.zeros((8, 8)), mask, np.maximum(white, 2), colours, normal)[0]
