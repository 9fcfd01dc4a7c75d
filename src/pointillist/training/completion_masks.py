"""Masks of known pixels for models that complete images: a mixture of kinds, a pure function of seed and image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pointillist.conditioning import OBSERVED, ConditionInputs
from pointillist.images.array_types import Bool
from pointillist.training.augmentation import RandomStream
from pointillist.training.config import CompletionSettings

Hole = Bool[np.ndarray, "h w"]
"""Pixels that are to be completed."""
Known = Bool[np.ndarray, "h w"]
"""Pixels that are known."""


def reveal_pixels(
    inputs: ConditionInputs, keys: NDArray[np.int64], seed: int, settings: CompletionSettings
) -> ConditionInputs:
    """Draw the known pixels of each image, for a model that completes images; others are left as they are.

    Args:
        keys: index of each image in the data set, `b`.
        seed: seed of the epoch.
        settings: kinds of masks.
    """
    if OBSERVED not in inputs.parts:
        return inputs
    part = inputs.parts[OBSERVED]
    shape = tuple(part.values.shape[1:])
    masks = np.stack([draw_mask(RandomStream.KNOWN_PIXELS.generator(seed, key), shape, settings) for key in keys])
    return ConditionInputs(inputs.count, {**inputs.parts, OBSERVED: replace(part, known=masks)})


def draw_mask(
    rng: np.random.Generator, shape: tuple[int, ...], settings: CompletionSettings
) -> Bool[np.ndarray, "c h w"]:
    """Draw the mask of known sub-pixels of an image: whole pixels, or at times some of their channels.

    Example:
        draw_mask(np.random.default_rng(0), (1, 8, 8), CompletionSettings()).sum()
    """
    channels, height, width = shape
    shares = np.array([*settings.masks.values()])
    kind = [*settings.masks][rng.choice(len(shares), p=shares / shares.sum())]
    if kind in KNOWN:
        density = math.exp(rng.uniform(*np.log(settings.density)))
        known = KNOWN[kind](rng, height, width, density)
    else:
        known = ~HOLES[kind](rng, height, width)
    mask = np.broadcast_to(known, shape).copy()
    if channels > 1 and rng.random() < 0.1:
        mask &= (rng.random(channels) < 0.5)[:, None, None]
    return mask


def nothing_known(rng: np.random.Generator, height: int, width: int) -> Hole:
    """Leave the whole image open, so that the model remains one of whole images."""
    return np.ones((height, width), bool)


def rectangle(rng: np.random.Generator, height: int, width: int) -> Hole:
    """Open a rectangle of any size, at any place; one time in five its outside instead."""
    rows, columns = _interval(rng, height), _interval(rng, width)
    hole = np.zeros((height, width), bool)
    hole[rows, columns] = True
    return ~hole if rng.random() < 0.2 else hole


def half(rng: np.random.Generator, height: int, width: int) -> Hole:
    """Open one side of a straight cut at any position."""
    down = rng.random() < 0.5
    size = height if down else width
    side = np.arange(size) >= rng.integers(0, size)
    side = side if rng.random() < 0.5 else side[::-1]
    return np.broadcast_to(side[:, None] if down else side, (height, width))


def frame(rng: np.random.Generator, height: int, width: int) -> Hole:
    """Open a frame of any thickness around known pixels, or the inside of a known frame."""
    thickness = int(rng.integers(1, max(2, min(height, width) // 2 + 1)))
    inside = np.zeros((height, width), bool)
    inside[thickness : height - thickness, thickness : width - thickness] = True
    return inside if rng.random() < 0.5 else ~inside


def neighbours(rng: np.random.Generator, height: int, width: int) -> Hole:
    """Open the middle one of 3x3 cells; known are those left and right, above and below, all others, or any of them."""
    choice = rng.integers(len(NEIGHBOURS) + 1)
    known = rng.random((3, 3)) < 0.5 if choice == len(NEIGHBOURS) else np.array(NEIGHBOURS[choice], bool)
    known[1, 1] = False
    rows, columns = (
        np.searchsorted(
            [rng.integers(0, size // 3 + 1), size - rng.integers(0, size // 3 + 1)], np.arange(size), "right"
        )
        for size in (height, width)
    )
    return ~known[rows][:, columns]


NEIGHBOURS = (
    ((0, 0, 0), (1, 0, 1), (0, 0, 0)),
    ((1, 1, 1), (0, 0, 0), (1, 1, 1)),
    ((1, 1, 1), (1, 0, 1), (1, 1, 1)),
)
"""Known cells around one that is drawn, as the chunks of a world are: see `pointillist.sampling.worlds`."""


def patches(rng: np.random.Generator, height: int, width: int) -> Hole:
    """Open cells of a grid of random lines, each with one probability: most pixels lie near an edge of a known part."""
    rows, columns = (
        np.searchsorted(np.cumsum(rng.integers(3, 11, size)), np.arange(size), "right") for size in (height, width)
    )
    return (rng.random((height, width)) < 0.3 + 0.4 * rng.random())[rows][:, columns]


def strokes(rng: np.random.Generator, height: int, width: int) -> Hole:
    """Open one to four straight strokes of a brush."""
    hole = np.zeros((height, width), bool)
    rows, columns = np.mgrid[:height, :width]
    for _ in range(rng.integers(1, 5)):
        (y, x), (y_end, x_end) = rng.random((2, 2)) * (height, width)
        radius = 0.5 + rng.random() * max(1.0, min(height, width) / 8)
        length = max((y_end - y) ** 2 + (x_end - x) ** 2, 1e-9)
        along = np.clip(((rows - y) * (y_end - y) + (columns - x) * (x_end - x)) / length, 0, 1)
        hole |= (rows - y - along * (y_end - y)) ** 2 + (columns - x - along * (x_end - x)) ** 2 <= radius**2
    return hole


def scattered(rng: np.random.Generator, height: int, width: int) -> Hole:
    """Open each pixel with one probability, which is drawn first."""
    return rng.random((height, width)) < rng.random()


def few_open(rng: np.random.Generator, height: int, width: int) -> Hole:
    """Open one to four pixels."""
    hole = np.zeros(height * width, bool)
    hole[rng.integers(0, height * width, rng.integers(1, 5))] = True
    return hole.reshape(height, width)


def few_known(rng: np.random.Generator, height: int, width: int) -> Hole:
    """Open all but one to four pixels."""
    return ~few_open(rng, height, width)


HOLES: dict[str, Callable[[np.random.Generator, int, int], Hole]] = {
    hole.__name__: hole
    for hole in (
        *(neighbours, patches, nothing_known, rectangle, half),
        *(frame, strokes, scattered, few_open, few_known),
    )
}
"""Kinds of holes."""


def sparse(rng: np.random.Generator, height: int, width: int, density: float) -> Known:
    """Reveal scattered pixels, at least one: boreholes in a map."""
    known = rng.random((height, width)) < density
    known[rng.integers(height), rng.integers(width)] = True
    return known


def wells(rng: np.random.Generator, height: int, width: int, density: float) -> Known:
    """Reveal straight lines from one edge: wells in a section go down, at any slope one time in four; some are rows."""
    down = rng.random() < 0.8
    size = (height, width) if down else (width, height)
    known = np.zeros(size, bool)
    for _ in range(max(1, round(density * size[1]))):
        depth = int(rng.integers(1, size[0] + 1))
        slope = rng.uniform(-1, 1) if rng.random() < 0.25 else 0.0
        rows = np.arange(depth)
        columns = rng.integers(size[1]) + np.rint(slope * rows).astype(np.int64)
        inside = (columns >= 0) & (columns < size[1])
        known[rows[inside], columns[inside]] = True
    return known if down else known.T


KNOWN: dict[str, Callable[[np.random.Generator, int, int, float], Known]] = {"sparse": sparse, "wells": wells}
"""Kinds of known pixels, of a given density."""


def _interval(rng: np.random.Generator, size: int) -> slice:
    length = int(rng.integers(1, size + 1))
    start = int(rng.integers(0, size - length + 1))
    return slice(start, start + length)
