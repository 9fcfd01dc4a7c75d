"""Fit a detector to normal images: neighbours, synthetic anomalies to weigh them, how well the model knows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pointillist.anomaly.combination import Combination, Measured, NearestImages, combine, most_images
from pointillist.anomaly.density import DensityKind
from pointillist.anomaly.reading import neighbour_levels, normal_images
from pointillist.anomaly.scoring import Normals, Scorer, image_digest
from pointillist.data import ImageDataset
from pointillist.errors import DataError, ShapeError
from pointillist.evaluation.lossless import lossless_size
from pointillist.images.array_types import Int
from pointillist.model.protocols import LikelihoodModel

KINDS = ("halves side by side", "halves stacked", "upside down", "mirrored", "pasted block", "block of noise")
"""Synthetic anomalies: parts of two images, as in CutPaste (Li et al. 2021, arXiv 2104.04015), turned images, as in CSI
(Tack et al. 2020, arXiv 2007.08176), and noise."""
MOST_SYNTHETIC = 100
"""Normal images from which synthetic anomalies come: more change the weight little."""
WEAK = 0.6
"""AUROC of the statistics of a model on noise and pasted parts, below which it knows nothing of the images."""


@dataclass(frozen=True)
class ModelFit:
    """Fit of a model to normal images that it has not seen.

    Attributes:
        bits_per_dim: mean over the images.
        codec: the file format that stores them in fewer bits than others; None for images that none can hold.
        codec_bits_per_dim: of that format.
    """

    bits_per_dim: float
    codec: str | None
    codec_bits_per_dim: float | None

    def warning(self, combination: Combination) -> str | None:
        """Say that the model is far from trained, if it is, so that a poor result is not laid to the method."""
        if self.codec_bits_per_dim is not None and self.bits_per_dim >= self.codec_bits_per_dim:
            return (
                f"the model needs {self.bits_per_dim:.2f} bits/dim for the normal images and {self.codec} "
                f"{self.codec_bits_per_dim:.2f}, so it is far from trained: what it misses says nothing of the method"
            )
        if combination.trial is not None and combination.trial.model < WEAK:
            return (
                f"the model alone has an AUROC of {combination.trial.model:.2f} on synthetic anomalies from the normal "
                "images, where 0.5 is chance: train it longer, or on more images"
            )
        return None


def reference_images(
    model: LikelihoodModel, neighbours: Any, train: ImageDataset | None, normals: Normals
) -> Int[np.ndarray, "m c h w"] | None:
    """Return the images to which distances are measured, without the normal ones; None for half of these.

    Raises:
        DataError, ShapeError: if the images that are named are too few, or do not fit.
    """
    source: Any = train
    if neighbours is not None:
        images, training = normal_images(model, neighbours)
        source = images if training is None else training
    if source is None:
        return None
    levels = neighbour_levels(model, source, normals.size, most_images(normals.levels[0].size))
    if levels is not None:
        seen = set(normals.digests)
        levels = levels[[image_digest(image) not in seen for image in levels]]
    if levels is not None and len(levels) >= len(normals) // 2:
        return levels
    if neighbours is None:
        return None
    if levels is None:
        raise ShapeError(f"`neighbours` must be images of {normals.size[0]}x{normals.size[1]}, as the normal ones are.")
    raise DataError(
        f"`neighbours` are {len(levels):,} images besides the normal ones, fewer than the half of these that would be "
        "taken without it: give more, or leave it out."
    )


def combine_normals(
    scorer: Scorer, fitted: Normals, reference: Int[np.ndarray, "m c h w"] | None, density: DensityKind
) -> Combination:
    """Fit density, neighbours and their weight to one half of the normal images.

    Args:
        scorer: what computes statistics; with conditions there are no synthetic anomalies, and the weight is 0.
        fitted: the half.
        reference: images of the distances; None for the half itself, where an image skips itself.
        density: its kind.
    """
    skip, ordered = int(reference is None), scorer.model.image.ordered
    if reference is None:
        reference = fitted.levels[: most_images(fitted.levels[0].size)]
    neighbours = NearestImages(reference, ordered)
    anomalies = {}
    if not scorer.conditions:
        for kind, images in synthetic_anomalies(fitted.levels[:MOST_SYNTHETIC].astype(np.int64)).items():
            statistics = np.concatenate([batch.statistics for batch in scorer.score(images)])
            anomalies[kind] = Measured(statistics, neighbours.distances(images, skip))
    return combine(Measured(fitted.statistics, _distances(neighbours, fitted, skip)), anomalies, neighbours, density)


def _distances(neighbours: NearestImages, fitted: Normals, skip: int) -> np.ndarray:
    """Measure normal images; those that are not in the reference themselves skip nothing."""
    count = len(neighbours.reference) if skip else 0
    parts = [neighbours.distances(fitted.levels[:count], skip)] if count else []
    if count < len(fitted.levels):
        parts.append(neighbours.distances(fitted.levels[count:]))
    return np.concatenate(parts)


def model_fit(model: LikelihoodModel, fitted: Normals) -> ModelFit:
    """Compare the bits/dim of normal images with a file format."""
    bits = float(fitted.statistics[..., 0].mean())
    images = ImageDataset(fitted.levels, model.image.resized(*fitted.size))
    size = lossless_size(images)
    return ModelFit(bits, None, None) if size is None else ModelFit(bits, size.codec, size.bits_per_dim)


def synthetic_anomalies(levels: Int[np.ndarray, "n c h w"], seed: int = 0) -> dict[str, Int[np.ndarray, "n c h w"]]:
    """Make an anomalous image from each normal one, of every kind of `KINDS`.

    Args:
        levels: normal images, two or more; the partner of each is the one before it.
        seed: chooses positions and noise.
    """
    rng = np.random.default_rng(seed)
    height, width = levels.shape[2:]
    partner = np.roll(levels, 1, 0)
    joined, stacked = levels.copy(), levels.copy()
    joined[..., width // 2 :] = partner[..., width // 2 :]
    stacked[:, :, height // 2 :] = partner[:, :, height // 2 :]
    sides = [max(1, min(height, width, max(2, min(height, width) // part))) for part in (3, 4)]

    def cut(i: int, side: int) -> np.ndarray:
        row, column = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        return np.asarray(partner[i, :, row : row + side, column : column + side])

    def noise(i: int, side: int) -> np.ndarray:
        return np.asarray(rng.choice(levels.reshape(-1), (levels.shape[1], side, side)))

    images = (
        joined,
        stacked,
        levels[:, :, ::-1, ::-1].copy(),
        levels[..., ::-1].copy(),
        _with_blocks(levels, sides[0], cut, rng),
        _with_blocks(levels, sides[1], noise, rng),
    )
    return dict(zip(KINDS, images, strict=True))


def _with_blocks(
    levels: np.ndarray, side: int, block: Callable[[int, int], np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Put a block into each image, at a random position."""
    out = levels.copy()
    for i in range(len(out)):
        row, column = (rng.integers(0, size - side + 1) for size in out.shape[2:])
        out[i, :, row : row + side, column : column + side] = block(i, side)
    return out
