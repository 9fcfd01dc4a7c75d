"""The arrays that the demo's pictures are made of."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

from pointillist.analysis.query import ImageQuery
from pointillist.analysis.surprisal import surprisal_maps
from pointillist.data import ImageDataset
from pointillist.demo.results import CrossCheck
from pointillist.model.dataset_conditions import match_labels
from pointillist.model.inference import inference_mode
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.api import Samples, sample


@dataclass(frozen=True)
class PixelView:
    """One pixel of a test image: the probability of each level before it was known, and the level that was there."""

    row: int
    column: int
    probabilities: np.ndarray
    observed: int

    @property
    def entropy(self) -> float:
        """How uncertain the model was, in bits."""
        p = self.probabilities
        return float(-(p * np.log2(np.maximum(p, 1e-30))).sum())

    @property
    def surprise(self) -> float:
        """-log2 of the probability of what was there, in bits."""
        return float(-np.log2(max(float(self.probabilities[self.observed]), 1e-30)))


@dataclass(frozen=True)
class FigureData:
    """What the pages and pictures show.

    Attributes:
        painted: new images, the classes side by side, `per_class` rows of them.
        per_class: new images of each class.
        shown: levels of some test images `[n c h w]`, with their class names in `shown_names`.
        entropy, surprise: maps of them in bits `[n h w]`.
        pixels: some pixels of the image `pixels_of` of `shown`.
    """

    painted: Samples
    per_class: int
    shown: np.ndarray
    shown_names: tuple[str, ...]
    entropy: np.ndarray
    surprise: np.ndarray
    pixels: tuple[PixelView, ...]
    pixels_of: int


def collect_figure_data(
    model: PixelModel, test: ImageDataset, *, seed: int, per_class: int, classes_shown: tuple[int, ...]
) -> FigureData:
    """Paint new images and look at the first test image of some classes."""
    classes = model.config.classes
    labels = torch.arange(len(classes)).repeat_interleave(per_class)
    painted = sample(model, len(labels), label=labels, seed=seed)
    numbers = match_labels(model, test).numpy()
    index = np.array([int(np.flatnonzero(numbers == c)[0]) for c in classes_shown if (numbers == c).any()])
    batch = test.batch(index)
    told = torch.from_numpy(numbers[index])
    pairs = zip(batch.levels, told.tolist(), strict=True)
    maps = [surprisal_maps(ImageQuery.of(model, x, label)) for x, label in pairs]
    chosen = len(index) // 2
    return FigureData(
        painted=painted,
        per_class=per_class,
        shown=batch.levels.numpy(),
        shown_names=tuple(classes[numbers[i]] for i in index),
        entropy=np.stack([each.entropy.sum(0) for each in maps]),
        surprise=np.stack([each.surprisal.sum(0) for each in maps]),
        pixels=_pixels(model, batch.levels[chosen : chosen + 1], told[chosen : chosen + 1]),
        pixels_of=chosen,
    )


def _pixels(model: PixelModel, levels: torch.Tensor, label: torch.Tensor) -> tuple[PixelView, ...]:
    """Four telling pixels: a foreseen bright one, an even choice, the most uncertain, and the greatest surprise."""
    with inference_mode(model):
        log_probs = model.likelihood.conditional(
            model.params(levels, model.condition(model.told(label), 1)), levels, 0
        )[0]
    p = log_probs.double().exp().numpy()
    p /= p.sum(0)
    x = levels[0, 0].numpy()
    views = [PixelView(r, c, p[:, r, c], int(x[r, c])) for r in range(x.shape[0]) for c in range(x.shape[1])]
    bright = [v for v in views if v.observed >= 0.75 * (len(p) - 1)] or views
    middle = float(np.median([v.entropy for v in views if v.entropy > 0.5] or [0.0]))
    wishes = (
        (bright, lambda v: v.surprise),
        (views, lambda v: -v.surprise),
        (views, lambda v: -v.entropy),
        (views, lambda v: abs(v.entropy - middle)),
    )
    picked: list[PixelView] = []
    for candidates, cost in wishes:
        left = [v for v in candidates if v not in picked] or [v for v in views if v not in picked]
        if left:
            picked.append(min(left, key=cost))
    return tuple(sorted(picked, key=lambda v: (v.row, v.column)))


def cross_check(model: PixelModel, *, seed: int, images: int = 4) -> CrossCheck:
    """Paint the same images by the step engine and by a full forward for every pixel, from the same random numbers."""
    labels = torch.arange(images) % max(1, len(model.config.classes))
    uniforms = np.random.default_rng([seed, 2]).random((images, *model.image.shape))
    seconds, levels = [], []
    for engine in ("numpy", "naive"):
        sample(model, images, label=labels, uniforms=uniforms, engine=engine)  # warm up: the first call also prepares
        started = time.perf_counter()
        levels.append(sample(model, images, label=labels, uniforms=uniforms, engine=engine).levels)
        seconds.append(time.perf_counter() - started)
    return CrossCheck(images, bool(torch.equal(*levels)), *seconds)
