"""Data of the demo's figures: samples, maps of test images, and one of them to explore."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

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
        explained: one of them, for the explorer.
    """

    samples: Samples
    per_class: int
    images: np.ndarray
    image_classes: tuple[str, ...]
    entropy: np.ndarray
    surprisal: np.ndarray
    explained: ImageQuery


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
    return FigureData(
        samples=samples,
        per_class=per_class,
        images=levels.numpy(),
        image_classes=tuple(classes[numbers[i]] for i in index),
        entropy=entropy,
        surprisal=surprisal,
        explained=queries[len(index) // 2],
    )


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
