"""Facts of normal images, to which a detector is fitted: statistics, maps, hashes, bits, and their neighbours."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pointillist.analysis.evaluation.lossless import MAX_IMAGES, lossless_size
from pointillist.anomaly.reading import ImageBatches
from pointillist.anomaly.statistics import NearestImages, ScoredBatch
from pointillist.data import ImageDataset
from pointillist.errors import DataError, ShapeError
from pointillist.images.array_types import Float
from pointillist.model.protocols import LikelihoodModel

MAX_NEIGHBOURS = 2_000  # more are seldom nearer, and cost time and bytes
_MAX_NUMBERS = 8_000_000  # in all of them, as float64 64 MB


@dataclass(frozen=True, eq=False)
class Normals:
    """Statistics of normal images, and sums over their smoothed maps.

    ```python
    normals = collect_normals(scorer.score(images))
    fitted, held_out = normals[::2], normals[1::2]
    ```

    Attributes:
        statistics: `[n windows k]`.
        sums, squares: sum over the smoothed excess of each image, in bits a pixel, and over its square, `[n]`.
        extremes: least and largest smoothed excess of each image, `[n 2]`.
        size: height and width of the images.
        digests: hash of the content of each image.
    """

    statistics: Float[np.ndarray, "n w k"]
    sums: Float[np.ndarray, " n"]
    squares: Float[np.ndarray, " n"]
    extremes: Float[np.ndarray, "n 2"]
    size: tuple[int, int]
    digests: np.ndarray

    def __len__(self) -> int:
        return len(self.sums)

    def __getitem__(self, index: slice | np.ndarray) -> Normals:
        names = ("statistics", "sums", "squares", "extremes", "digests")
        return replace(self, **{name: getattr(self, name)[index] for name in names})


def collect_normals(batches: Iterable[ScoredBatch]) -> Normals:
    """Collect the facts, and sort the images by a hash of their content: the order of the files does not matter.

    Raises:
        ShapeError: if images differ in size.
    """
    statistics, maps, digests = [], [], []
    size: tuple[int, int] | None = None
    for batch in batches:
        height, width = batch.excess.shape[1:]
        if size not in (None, (height, width)):
            raise ShapeError(f"Normal images of {size} and of {(height, width)} differ in size: resize them to one.")
        size = height, width
        statistics.append(batch.statistics)
        flat = batch.excess.reshape(len(batch.excess), -1)
        maps.append(np.stack([flat.sum(1), (flat**2).sum(1), flat.min(1), flat.max(1)], 1))
        digests += [image_digest(levels) for levels in batch.images.levels]
    assert size is not None  # an empty source is rejected when it is opened
    facts, hashes = np.concatenate(maps), np.array(digests, object)
    normals = Normals(np.concatenate(statistics), facts[:, 0], facts[:, 1], facts[:, 2:], size, hashes)
    return normals[np.argsort(hashes, kind="stable")]


def image_digest(levels: np.ndarray) -> bytes:
    """Hash the content of an image, `[c h w]`."""
    return hashlib.sha256(np.ascontiguousarray(levels, np.int64).data).digest()


def nearest_images(model: LikelihoodModel, normal: Any, neighbours: Any) -> NearestImages:
    """Read the images to which distances are measured: at most 2,000, evenly spaced, and none of the normal ones.

    A normal image at distance 0 from itself would make every other one anomalous.

    Args:
        model: the model that reads them.
        normal: normal images of a fit.
        neighbours: further normal images.

    Raises:
        DataError, ShapeError: if none is left, or they differ in size from the normal ones.
    """
    size, seen = (0, 0), set[bytes]()
    for batch in ImageBatches(model, normal).read(MAX_IMAGES):
        size = batch.windows.size
        seen |= {image_digest(levels) for levels in batch.levels}
    most = max(1, min(MAX_NEIGHBOURS, _MAX_NUMBERS // (size[0] * size[1] * model.image.channels)))
    if isinstance(neighbours, ImageDataset) and len(neighbours) > most:
        neighbours = neighbours.subset(np.linspace(0, len(neighbours) - 1, most).astype(int))
    parts = []
    for batch in ImageBatches(model, neighbours).read(MAX_IMAGES):
        if batch.windows.size != size:
            raise ShapeError(f"`neighbours` must be images of {size[0]}x{size[1]}, as the normal ones are.")
        parts += _without(batch.levels, seen)
    if not parts:
        raise DataError("`neighbours` are all among the normal images to fit: give others, such as training images.")
    spaced = np.linspace(0, len(parts) - 1, min(most, len(parts))).astype(int)
    return NearestImages(np.stack([parts[i] for i in spaced]).astype(np.uint16), model.image.ordered)


def _without(images: np.ndarray, seen: Set[bytes]) -> list[np.ndarray]:
    return [levels for levels in images if image_digest(levels) not in seen]


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

    @classmethod
    def of(cls, model: LikelihoodModel, normals: Normals, images: Any) -> ModelFit:
        """Compare the bits/dim of normal images with a file format, for the first of them."""
        first = next(ImageBatches(model, images).read(MAX_IMAGES))
        size = lossless_size(ImageDataset(first.levels, model.image.resized(*normals.size)))
        bits = float(normals.statistics[..., 0].mean())
        return cls(bits, None, None) if size is None else cls(bits, size.codec, size.bits_per_dim)

    @property
    def warning(self) -> str | None:
        """Say that the model is far from trained, if it is, so that a poor result is not laid to the method."""
        if self.codec_bits_per_dim is None or self.bits_per_dim < self.codec_bits_per_dim:
            return None
        return (
            f"the model needs {self.bits_per_dim:.2f} bits/dim for the normal images and {self.codec} "
            f"{self.codec_bits_per_dim:.2f}, so it is far from trained: what it misses says nothing of the method"
        )
