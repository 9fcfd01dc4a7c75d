"""Density of the statistics of normal images, and p-values from held-out ones.

Density of States Estimation (Morningstar et al. 2021, arXiv 2006.09273): what is rare among the statistics of normal
images is anomalous, on either side. It is a Gaussian, or a kernel estimate, whichever fits held-out normals better.
scikit-learn estimates the covariance. Densities are evaluated here, so that a stored one needs no fit.

P-values and thresholds are valid in finite samples, whatever the score: split conformal prediction (Vovk et al. 2005;
Bates et al. 2023, arXiv 2104.08279). If a new image and the n held-out ones are exchangeable, its rank among them is
uniform, so P(p <= a) is at most a, for every a.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from sklearn.covariance import LedoitWolf
from sklearn.model_selection import KFold

from pointillist.errors import DataError
from pointillist.images.array_types import Float

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
