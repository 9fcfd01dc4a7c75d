"""Facts of normal images, the density of their statistics, and p-values from held-out ones.

Density of States Estimation (Morningstar et al. 2021, arXiv 2006.09273): what is rare among the statistics of normal
images is anomalous, on either side. It is a Gaussian, or a kernel estimate, whichever fits held-out normals better.
scikit-learn estimates the covariance. Densities are evaluated here, so that a stored one needs no fit.

P-values and thresholds are valid in finite samples, whatever the score: split conformal prediction (Vovk et al. 2005;
Bates et al. 2023, arXiv 2104.08279). If a new image and the n held-out ones are exchangeable, its rank among them is
uniform, so P(p <= a) is at most a, for every a.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.model_selection import KFold

from pointillist.analysis.evaluation.memorization import MAX_IMAGES, lossless_size
from pointillist.anomaly.reading import ImageBatches
from pointillist.anomaly.statistics import NearestImages, ScoredBatch
from pointillist.data import ImageDataset
from pointillist.errors import DataError, ShapeError
from pointillist.files.arrays import Summary
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
    parts: list[np.ndarray] = []
    for batch in ImageBatches(model, neighbours).read(MAX_IMAGES):
        if batch.windows.size != size:
            raise ShapeError(f"`neighbours` must be images of {size[0]}x{size[1]}, as the normal ones are.")
        parts += (levels for levels in batch.levels if image_digest(levels) not in seen)
    if not parts:
        raise DataError("`neighbours` are all among the normal images to fit: give others, such as training images.")
    spaced = np.linspace(0, len(parts) - 1, min(most, len(parts))).astype(int)
    return NearestImages(np.stack([parts[i] for i in spaced]).astype(np.uint16), model.image.ordered)


@dataclass(frozen=True)
class ModelFit(Summary):
    """Fit of a model to normal images that it has not seen.

    Attributes:
        bits_per_dim: mean over the images.
        codec: the file format that stores them in fewer bits than others; None for images that none can hold.
        codec_bits_per_dim: of that format.
    """

    _summary = "bits_per_dim codec codec_bits_per_dim"

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


DensityKind = Literal["auto", "gaussian", "kde"]
KINDS: tuple[DensityKind, ...] = ("auto", "gaussian", "kde")
MAX_CENTRES = 2_000  # of a kernel estimate: more change little, and cost time and bytes
_BANDWIDTHS = (0.3, 0.4, 0.55, 0.75, 1.0)  # in standard deviations of the whitened statistics
_FOLDS = 5
_TABLE_SIZE = 4_000_000  # differences held at once


@dataclass(frozen=True, eq=False)
class Density:
    """Equal mixture of Gaussians of one shape: a single one, or one at each of many points.

    ```python
    density = fit_density(statistics, "auto")
    density.log_density(statistics)
    ```

    Attributes:
        location, scale: mean and standard deviation of each statistic over normal images, `[k]`.
        centres: means of the Gaussians, in standardised statistics, `[m k]`.
        whitening: matrix that makes their covariance the identity, `[k k]`.
    """

    location: Float[np.ndarray, " k"]
    scale: Float[np.ndarray, " k"]
    centres: Float[np.ndarray, "m k"]
    whitening: Float[np.ndarray, "k k"]

    @property
    def kind(self) -> str:
        """`gaussian` or `kde`."""
        return "gaussian" if len(self.centres) == 1 else "kde"

    def standardise(self, statistics: Float[np.ndarray, "n k"]) -> Float[np.ndarray, "n k"]:
        """Express statistics in standard deviations of normal images from their mean."""
        standardised: np.ndarray = (statistics - self.location) / self.scale
        return standardised

    def log_density(self, statistics: Float[np.ndarray, "n k"]) -> Float[np.ndarray, " n"]:
        """Compute the log-density of standardised statistics, in nats."""
        points, centres = (_by_rows(rows, self.whitening) for rows in (self.standardise(statistics), self.centres))
        step = max(1, _TABLE_SIZE // centres.size)
        parts = [_log_mean_gaussian(points[start : start + step], centres) for start in range(0, len(points), step)]
        log_volume = np.linalg.slogdet(self.whitening)[1] - 0.5 * points.shape[1] * np.log(2 * np.pi)
        log_density: np.ndarray = np.concatenate([*parts, np.empty(0)]) + log_volume
        return log_density

    def of_worst_windows(self, statistics: Float[np.ndarray, "b n k"]) -> tuple[np.ndarray, np.ndarray]:
        """Return the log-density of the most anomalous window of each image, and its statistics, standardised."""
        count, windows, width = statistics.shape
        log_density = self.log_density(statistics.reshape(-1, width)).reshape(count, windows)
        lowest, here = log_density.argmin(1), np.arange(count)
        return log_density[here, lowest], self.standardise(statistics[here, lowest])


def fit_density(statistics: Float[np.ndarray, "n k"], kind: DensityKind = "auto") -> Density:
    """Fit the density of statistics of normal images.

    The covariance is estimated as by Ledoit and Wolf (2004), for which few images suffice. Kernels have its shape,
    scaled by a bandwidth. `auto` and the bandwidth are chosen by the likelihood of held-out images, in five parts.

    Args:
        statistics: one row for each image, in an order that does not matter to the result.
        kind: `gaussian`, `kde` or `auto`.

    Raises:
        DataError: if the statistics do not vary, as with equal images.
    """
    location, scale = statistics.mean(0), statistics.std(0)
    varies = scale > 1e-12 * np.maximum(1, np.abs(location))
    if not varies.any():
        raise DataError("The normal images are all equal, so nothing tells what is normal: give different ones.")
    scale = np.where(varies, scale, 1.0)
    z = (statistics - location) / scale
    folds = [(z[train], z[test]) for train, test in KFold(min(_FOLDS, len(z))).split(z)]
    mean, whitening = _whitening(z)
    gaussian = Density(location, scale, mean[None], whitening)
    if kind == "gaussian":
        return gaussian
    likelihoods = {h: sum(_held_out(train, test, h) for train, test in folds) for h in _BANDWIDTHS}
    bandwidth = max(likelihoods, key=lambda h: likelihoods[h])
    if kind == "auto" and likelihoods[bandwidth] <= sum(_held_out(train, test, None) for train, test in folds):
        return gaussian
    return Density(location, scale, z[:MAX_CENTRES], whitening / bandwidth)


def _held_out(train: np.ndarray, test: np.ndarray, bandwidth: float | None) -> float:
    """Return the log-likelihood of `test` under a density of `train`; without a bandwidth, the Gaussian."""
    mean, whitening = _whitening(train)
    scaling = np.zeros(train.shape[1]), np.ones(train.shape[1])
    gaussian = Density(*scaling, mean[None], whitening)
    density = gaussian if bandwidth is None else Density(*scaling, train[:MAX_CENTRES], whitening / bandwidth)
    return float(density.log_density(test).sum())


def _whitening(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of standardised statistics, and a matrix that makes their covariance the identity.

    Raises:
        DataError: if there is no such matrix, as of images that are nearly all equal.
    """
    fitted = LedoitWolf().fit(z)
    try:
        return fitted.location_, np.linalg.cholesky(fitted.precision_)
    except np.linalg.LinAlgError as error:
        raise DataError(
            "The normal images differ too little to tell what is normal, as they are nearly all equal: give more, and "
            "different ones."
        ) from error


def _by_rows(rows: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Multiply each row by a matrix. `@` would round a row by the number of the others: one image, two scores."""
    product: np.ndarray = (rows[:, :, None] * matrix).sum(1)
    return product


def _log_mean_gaussian(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Compute the log of the mean over centres of exp(-d^2 / 2)."""
    exponent = -0.5 * ((points[:, None] - centres[None]) ** 2).sum(-1)
    most = exponent.max(1, keepdims=True)
    result: np.ndarray = most[:, 0] + np.log(np.exp(exponent - most).mean(1))
    return result


def conformal_p_values(
    calibration: Float[np.ndarray, " n"], scores: Float[np.ndarray, " m"]
) -> Float[np.ndarray, " m"]:
    """Compute (1 + number of held-out scores that are at most as high) / (n + 1); high scores are normal.

    Example:
        conformal_p_values(np.array([1.0, 2.0, 3.0]), np.array([1.5]))  # [0.5]
    """
    lower = np.searchsorted(np.sort(calibration), scores, side="right")
    return (1 + lower) / (len(calibration) + 1)


def conformal_threshold(calibration: Float[np.ndarray, " n"], rate: float) -> float:
    """Return the score below which the p-value is at most `rate`; minus infinity if no score is so low.

    Example:
        conformal_threshold(np.arange(19.0), 0.05)  # 0.0: the lowest of 19
    """
    rank = math.floor(rate * (len(calibration) + 1) + 1e-9)
    return float(np.sort(calibration)[rank - 1]) if rank else -math.inf


def least_count(rate: float) -> int:
    """Return the number of held-out scores that a p-value of `rate` needs."""
    return math.ceil(1 / rate - 1e-9) - 1
