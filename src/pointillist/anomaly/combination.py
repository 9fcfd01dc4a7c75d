"""Score of an image: density of its statistics and distance to its neighbours, weighed on normal images alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pointillist.anomaly.density import Density, DensityKind, fit_density
from pointillist.images.array_types import Float, Int

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 0.9)
"""Weights of the distance among which one is chosen; the statistics of the model always have a say."""
_LEAST = 1e-12  # deviation below which nothing varies
MAX_IMAGES = 2_000  # that are kept: more are seldom nearer, and cost time and bytes
MAX_NUMBERS = 8_000_000  # in all of them, as float64 64 MB
COUNT = 5


@dataclass(frozen=True, eq=False)
class NearestImages:
    """Normal images, to which the distance of others is measured: Euclidean, or the number of other levels.

    ```python
    NearestImages(levels, ordered=True).distances(images)  # [n]
    ```

    Attributes:
        reference: the images, `[m c h w]`.
        ordered: whether levels are ordered, so that their differences mean something.
    """

    reference: Int[np.ndarray, "m c h w"]
    ordered: bool

    @cached_property
    def _rows(self) -> np.ndarray:
        flat = self.reference.reshape(len(self.reference), -1)
        return flat.astype(np.float64) if self.ordered else flat

    def distances(self, levels: Int[np.ndarray, "b c h w"], skip: int = 0) -> Float[np.ndarray, " b"]:
        """Compute the mean distance of each image to its nearest reference images, at most five.

        Args:
            levels: images of the size of the reference.
            skip: number of nearest ones that are left out: 1 for images that are themselves in the reference.
        """
        queries = levels.reshape(len(levels), -1)
        if self.ordered:  # whole numbers below 2^53, so that the products are exact in any order
            queries = queries.astype(np.float64)
            squares = (queries**2).sum(1)[:, None] + (self._rows**2).sum(1) - 2 * queries @ self._rows.T
            distances = np.sqrt(squares)
        else:
            distances = np.stack([(self._rows != query).sum(1) for query in queries]).astype(np.float64)
        last = min(skip + COUNT, len(self._rows))
        nearest = np.sort(np.partition(distances, last - 1, axis=1)[:, :last], axis=1)
        return np.asarray(nearest[:, min(skip, last - 1) :].mean(1))


def most_images(numbers: int) -> int:
    """Return how many reference images of so many numbers are kept."""
    return max(COUNT + 1, min(MAX_IMAGES, MAX_NUMBERS // max(numbers, 1)))


@dataclass(frozen=True)
class NormalScale:
    """Mean and standard deviation over normal images."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, values: np.ndarray) -> NormalScale:
        """Take them from some values; where these are equal, distances keep their unit."""
        deviation = float(values.std())
        return cls(float(values.mean()), deviation if deviation > _LEAST else 1.0)

    def z(self, values: np.ndarray) -> np.ndarray:
        """Express values in deviations from the mean."""
        return np.asarray((values - self.mean) / self.deviation)


@dataclass(frozen=True)
class Trial:
    """AUROC of each part on synthetic anomalies.

    Attributes:
        count: number of those images.
        model: of the statistics of the model alone.
        neighbours: of the distance to neighbours alone.
        together: of both, with the chosen weight.
    """

    count: int
    model: float
    neighbours: float
    together: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Combination:
    """Score of images, high for normal ones: a weighted mean of log-density and distance, each standardised.

    ```python
    scores, standardised = combination.score(statistics, distances)
    ```

    Attributes:
        density: density of the statistics of normal images.
        neighbours: normal images, to which distances are measured.
        density_scale: scale of the log-density of normal images, each by a density that did not see it.
        distance_scale: scale of the distances of normal images.
        weight: share of the distance.
        trial: how the weight was chosen; None where nothing was chosen.
    """

    density: Density
    neighbours: NearestImages
    density_scale: NormalScale
    distance_scale: NormalScale
    weight: float
    trial: Trial | None

    def score(
        self, statistics: Float[np.ndarray, "b n k"], distances: Float[np.ndarray, " b"]
    ) -> tuple[Float[np.ndarray, " b"], Float[np.ndarray, "b j"]]:
        """Compute the score of each image, and all statistics of its most anomalous window, standardised."""
        log_density, standardised = worst_windows(self.density, statistics)
        z = self.distance_scale.z(distances)
        scores = (1 - self.weight) * self.density_scale.z(log_density) - self.weight * z
        return scores, np.concatenate([standardised, z[:, None]], 1)


def worst_windows(density: Density, statistics: Float[np.ndarray, "b n k"]) -> tuple[np.ndarray, np.ndarray]:
    """Return the log-density of the most anomalous window of each image, and its statistics, standardised."""
    count, windows, width = statistics.shape
    log_density = density.log_density(statistics.reshape(-1, width)).reshape(count, windows)
    lowest, here = log_density.argmin(1), np.arange(count)
    return log_density[here, lowest], density.standardise(statistics[here, lowest])


@dataclass(frozen=True, eq=False)
class Measured:
    """Statistics `[n windows k]` of some images, and their distances to neighbours `[n]`."""

    statistics: np.ndarray
    distances: np.ndarray


def combine(
    normal: Measured, anomalies: Mapping[str, Measured], neighbours: NearestImages, kind: DensityKind
) -> Combination:
    """Fit the density of normal images, and choose the weight of the distance to neighbours.

    Where the distance alone does better on synthetic anomalies than the model alone, the largest weight is taken whose
    AUROC is within one standard error of the best (Breiman et al. 1984): the distance is the simpler statistic.
    Elsewhere it has no weight.

    Args:
        normal: normal images.
        anomalies: of each kind, one from each of the first normal images; none leave the weight at 0.
        neighbours: images of the distances.
        kind: of the density.
    """
    width = normal.statistics.shape[2]
    density = fit_density(normal.statistics.reshape(-1, width), kind)
    part = np.arange(len(normal.statistics)) % 2
    log_density = np.zeros(len(part))
    of_kind = {name: np.zeros(len(each.distances)) for name, each in anomalies.items()}
    for half in (0, 1):  # an image is judged by a density that did not see it
        other = fit_density(normal.statistics[part != half].reshape(-1, width), "gaussian")
        log_density[part == half] = worst_windows(other, normal.statistics[part == half])[0]
        for name, each in anomalies.items():
            here = part[: len(each.distances)] == half
            of_kind[name][here] = worst_windows(other, each.statistics[here])[0]
    scales = NormalScale.of(log_density), NormalScale.of(normal.distances)

    def placements(weight: float) -> np.ndarray:
        """Share of normal images that are less anomalous than the anomalies from each image, mean over kinds."""
        usual = weight * scales[1].z(normal.distances) - (1 - weight) * scales[0].z(log_density)
        parts = [
            weight * scales[1].z(each.distances) - (1 - weight) * scales[0].z(of_kind[name])
            for name, each in anomalies.items()
        ]
        order = np.sort(usual)
        both = [np.searchsorted(order, part, side) / len(order) for part in parts for side in ("left", "right")]
        return np.asarray(np.mean(both, 0))

    weight, trial = (
        _choose({weight: placements(weight) for weight in (*WEIGHTS, 1.0)}, len(anomalies))
        if anomalies
        else (0.0, None)
    )
    return Combination(
        density=density,
        neighbours=neighbours,
        density_scale=scales[0],
        distance_scale=scales[1],
        weight=weight,
        trial=trial,
    )


def _choose(placements: Mapping[float, np.ndarray], kinds: int) -> tuple[float, Trial]:
    """Choose a weight by the placements of the anomalies from each normal image."""
    auroc = {weight: float(values.mean()) for weight, values in placements.items()}
    weights = WEIGHTS if auroc[1.0] >= auroc[0.0] else WEIGHTS[:1]
    best = max(weights, key=lambda weight: auroc[weight])
    values = placements[best]
    least = auroc[best] - float(values.std(ddof=1)) / len(values) ** 0.5
    weight = max(weight for weight in weights if auroc[weight] >= least)
    return weight, Trial(len(values) * kinds, auroc[0.0], auroc[1.0], auroc[weight])
