"""Data of the demo's figures: samples, maps of test images, and distributions of a few pixels."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from pointillist.analysis.distribution import LevelDistribution, distribution
from pointillist.analysis.query import ImageQuery
from pointillist.analysis.surprisal import surprisal_maps
from pointillist.data import ImageDataset
from pointillist.demo.results import CrossCheck
from pointillist.model.batches import match_labels
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.api import sample
from pointillist.sampling.samples import Samples


@dataclass(frozen=True)
class FigureData:
    """Data of the demo's figures.

    Attributes:
        samples: new images, `per_class` of each class, class by class.
        per_class: number of new images of each class.
        images: levels of some test images `[n c h w]`.
        image_classes: the class name of each.
        entropy, surprisal: maps of these images in bits `[n h w]`.
        pixels: distributions at some pixels of one of them.
        pixels_of: index of that image.
    """

    samples: Samples
    per_class: int
    images: np.ndarray
    image_classes: tuple[str, ...]
    entropy: np.ndarray
    surprisal: np.ndarray
    pixels: tuple[LevelDistribution, ...]
    pixels_of: int


def collect_figure_data(
    model: PixelModel, test: ImageDataset, *, seed: int, per_class: int, classes_shown: tuple[int, ...]
) -> FigureData:
    """Sample new images, and analyse the first test image of some classes.

    Args:
        seed: seed of the samples.
        per_class: number of new images of each class.
        classes_shown: numbers of the classes whose first test image is analysed.
    """
    classes = model.config.classes
    labels = torch.arange(len(classes)).repeat_interleave(per_class)
    samples = sample(model, len(labels), label=labels, seed=seed)
    numbers = match_labels(model, test).numpy()
    index = np.array([int(np.flatnonzero(numbers == c)[0]) for c in classes_shown if (numbers == c).any()])
    levels = test.batch(index).levels
    queries = [ImageQuery.of(model, x, label) for x, label in zip(levels, numbers[index].tolist(), strict=True)]
    maps = [surprisal_maps(query) for query in queries]
    entropy, surprisal = (
        np.stack([m.sum(0) for m in each]) for each in zip(*((m.entropy, m.surprisal) for m in maps), strict=True)
    )
    chosen = len(index) // 2
    positions = choose_pixels(levels[chosen, 0].numpy(), entropy[chosen], surprisal[chosen], model.image.levels)
    return FigureData(
        samples=samples,
        per_class=per_class,
        images=levels.numpy(),
        image_classes=tuple(classes[numbers[i]] for i in index),
        entropy=entropy,
        surprisal=surprisal,
        pixels=tuple(distribution(queries[chosen], *position) for position in positions),
        pixels_of=chosen,
    )


def choose_pixels(
    levels: np.ndarray, entropy: np.ndarray, surprisal: np.ndarray, num_levels: int
) -> list[tuple[int, int]]:
    """Choose four informative pixels of an image: row and column of each, in raster order.

    These are a bright pixel that was expected, the one with the greatest surprisal, the one with the greatest entropy,
    and one with medium entropy. Arrays are `[h w]`; entropy and surprisal are in bits.
    """
    bright = levels >= 0.75 * (num_levels - 1)
    uncertain = entropy[entropy > 0.5]
    medium = float(np.median(uncertain)) if len(uncertain) else 0.0
    costs = (np.where(bright | ~bright.any(), surprisal, np.inf), -surprisal, -entropy, abs(entropy - medium))
    chosen: list[int] = []
    for cost in costs:
        ranked = np.argsort(cost, axis=None, kind="stable").tolist()
        chosen += [pixel for pixel in ranked if pixel not in chosen][:1]
    return [divmod(pixel, levels.shape[1]) for pixel in sorted(chosen)]


def cross_check(model: PixelModel, *, seed: int, images: int = 4) -> CrossCheck:
    """Sample the same images by the numpy engine and by full forwards, from the same random numbers."""
    labels = torch.arange(images) % max(1, len(model.config.classes))
    uniforms = np.random.default_rng([seed, 2]).random((images, *model.image.shape))
    seconds, levels = [], []
    for engine in ("numpy", "naive"):
        sample(model, images, label=labels, uniforms=uniforms, engine=engine)  # warm up: the first call also prepares
        started = time.perf_counter()
        levels.append(sample(model, images, label=labels, uniforms=uniforms, engine=engine).levels)
        seconds.append(time.perf_counter() - started)
    return CrossCheck(images, bool(torch.equal(*levels)), *seconds)
