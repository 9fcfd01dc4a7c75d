"""Random draws of training for each image: augmentation, captions, condition dropout, masks of known pixels.

Pure functions of the seed, the epoch and the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pointillist.conditioning import OBSERVED, ConditionInputs
from pointillist.conditioning.inputs import PROMPT_PARTS
from pointillist.data import Batch
from pointillist.images.array_types import Bool
from pointillist.training.config import CaptionSettings, CompletionSettings, ConditionDropoutConfig


class RandomStream(IntEnum):
    """Independent streams of random numbers: the last entry of a seed `[seed, counter, stream]`.

    A stored run repeats its draws only as long as the numbers stay the same.
    """

    SHIFT = 7
    CONDITION_DROPOUT = 11
    CAPTIONS = 13
    KNOWN_PIXELS = 19
    MUTATION = 23
    GENERATION_ORDER = 17

    def generator(self, seed: int, counter: int | np.int64) -> np.random.Generator:
        """Make the generator of this stream for one image (or round) of an epoch."""
        return np.random.default_rng([seed, int(counter), int(self)])


def drop_conditions(
    inputs: ConditionInputs, keys: NDArray[np.int64], seed: int, dropout: ConditionDropoutConfig
) -> ConditionInputs:
    """Drop conditions at random, so that the model also learns with some conditions, and unconditionally.

    Each condition is dropped independently, and so is each attribute. Where an image has several conditions, all are
    dropped together with probability `dropout.unconditional`.

    Args:
        keys: index of each image in the data set, `b`.
        seed: seed of the epoch.
    """
    from_caption = [name for name in inputs.parts if name in PROMPT_PARTS]
    parts = {name: part for name, part in inputs.parts.items() if name not in from_caption[1:] and not part.observed}
    widths = {name: part.known.shape[1] if name == "attributes" else 1 for name, part in parts.items()}
    total = sum(widths.values())
    if not total:
        return inputs
    draws = np.stack([RandomStream.CONDITION_DROPOUT.generator(seed, key).random(1 + total) for key in keys])
    everything = draws[:, :1] < (dropout.unconditional if total > 1 else 0.0)
    masks, column = {}, 1
    for name, width in widths.items():
        probability = dropout.label if name == "label" else dropout.other
        dropped = (draws[:, column : column + width] < probability) | everything
        masks[name] = dropped if name == "attributes" else dropped[:, 0]
        column += width
    for name in from_caption[1:]:
        masks[name] = masks[from_caption[0]]
    return inputs.dropped(masks)


def augment_captions(batch: Batch, keys: NDArray[np.int64], seed: int, settings: CaptionSettings) -> Batch:
    """Replace the captions of a batch by variants; see `augment_caption`."""
    if batch.texts is None or not settings.is_active:
        return batch
    generators = [RandomStream.CAPTIONS.generator(seed, key) for key in keys]
    texts = tuple(augment_caption(text, rng, settings) for text, rng in zip(batch.texts, generators, strict=True))
    return replace(batch, texts=texts)


def shift_batch(batch: Batch, keys: NDArray[np.int64], seed: int, reach: int) -> Batch:
    """Shift images and their hints by up to `reach` pixels per axis; the offsets depend on (seed, key) alone."""
    height, width = batch.levels.shape[2:]
    shifted = {name: np.zeros_like(x) for name in ("levels", "hints") if (x := getattr(batch, name)) is not None}
    for i, key in enumerate(keys):
        dy, dx = RandomStream.SHIFT.generator(seed, key).integers(-reach, reach + 1, 2)
        (to_rows, from_rows), (to_columns, from_columns) = _overlap(dy, height), _overlap(dx, width)
        for name, out in shifted.items():
            out[i, :, to_rows, to_columns] = getattr(batch, name)[i, :, from_rows, from_columns]
    return replace(batch, **shifted)


def mutate_batch(batch: Batch, keys: NDArray[np.int64], seed: int, rate: float, levels: int) -> Batch:
    """Give each sub-pixel a level drawn uniformly with probability `rate`; the draws depend on (seed, key) alone.

    A model learns what the noise does not destroy: the background (Ren et al. 2019, arXiv 1906.02845).
    """
    images = batch.levels.copy()
    for image, key in zip(images, keys, strict=True):
        generator = RandomStream.MUTATION.generator(seed, key)
        mutated = generator.random(image.shape) < rate
        image[mutated] = generator.integers(0, levels, int(mutated.sum()))
    return replace(batch, levels=images)


def _overlap(offset: int, size: int) -> tuple[slice, slice]:
    """Return the target and the source slice of the part that stays in view; both are empty where nothing does."""
    visible = max(0, size - abs(offset))
    target, origin = max(offset, 0), max(-offset, 0)
    return slice(target, target + visible), slice(origin, origin + visible)


def augment_caption(text: str, rng: np.random.Generator, settings: CaptionSettings) -> str:
    """Draw a variant of a caption. The result depends on `text`, the state of `rng` and the settings alone.

    ```python
    augment_caption("monster, red dragon", np.random.default_rng(0), CaptionSettings(part_dropout=0.5))
    ```
    """
    drop, position, _ = rng.random(3)  # three, as in the runs of the bundled models
    if settings.part_dropout:
        text = _drop_parts(text, rng, settings.part_dropout)
    words = text.split()
    if len(words) > 1 and drop < settings.word_dropout:
        del words[int(position * len(words))]
    return " ".join(words)


def _drop_parts(text: str, rng: np.random.Generator, dropout: float) -> str:
    parts = [part.strip() for part in text.split(",")]
    staying, dropped = int(rng.random() * len(parts)), rng.random(len(parts)) < dropout
    return ", ".join(part for number, part in enumerate(parts) if number == staying or not dropped[number])


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


NEIGHBOURS = (((0, 0, 0), (1, 0, 1), (0, 0, 0)), ((1, 1, 1), (0, 0, 0), (1, 1, 1)), ((1, 1, 1), (1, 0, 1), (1, 1, 1)))
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
