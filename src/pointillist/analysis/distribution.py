"""The conditional distribution of one sub-pixel: probabilities, mean, quantiles, rank, mixture components."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from pointillist.analysis.charts import distribution_chart
from pointillist.analysis.query import NATS_PER_BIT, ImageQuery
from pointillist.distributions.transform import Transform
from pointillist.files.arrays import Summary
from pointillist.images.array_types import Float
from pointillist.images.visualization import Chart
from pointillist.images.visualization.pixels import ShownAsPicture
from pointillist.model.protocols import Distributions

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_LEAST = -1e4  # log-probability of a level that is impossible, in sums over levels
_WIDEST = 80.0  # log-scale of a component that is drawn: the scale of an untrained one may be too large for a number


@dataclass(frozen=True, eq=False)
class MixtureComponents(Summary):
    """Logistic components of a mixture at one sub-pixel, given the channels before it; `[m]` each.

    ```python
    components = distribution(query, 3, 4).components
    components.weight, components.mean, components.scale
    ```

    Attributes:
        weight: mixture weights, which sum to 1.
        mean, scale: parameters in levels. A mean may lie outside [0, levels): the edge levels take the tails.
    """

    _summary = "weight mean scale"

    weight: Float[np.ndarray, " m"]
    mean: Float[np.ndarray, " m"]
    scale: Float[np.ndarray, " m"]

    def shares(self, levels: int) -> Float[np.ndarray, "m k"]:
        """Return the probability of each level by each component; sums over `m` to the probability of the level."""
        edges = np.arange(levels + 1) - 0.5
        edges[0], edges[-1] = -np.inf, np.inf
        below = 0.5 * (1 + np.tanh((edges - self.mean[:, None]) / self.scale[:, None] / 2))  # the logistic's CDF
        result: np.ndarray = self.weight[:, None] * np.diff(below)
        return result


@dataclass(frozen=True, eq=False)
class LevelDistribution(ShownAsPicture, Summary):
    """Distribution of one sub-pixel, given the true sub-pixels before it.

    ```python
    here = distribution(ImageQuery.of(model, x), 3, 4)
    here.top(5)  # the five most probable levels, with their probabilities
    here.mean, here.quantiles
    ```

    Attributes:
        row, column, channel: position of the sub-pixel.
        log_probs: log-probability of each level, in nats, `[k]`.
        observed: the level that is there.
        ordered: whether levels are quantities, which have a mean and quantiles.
        components: components of a mixture likelihood; None for other likelihoods.
    """

    _summary = "row column channel observed surprisal entropy rank mean quantiles probs components"

    row: int
    column: int
    channel: int
    log_probs: Float[np.ndarray, " k"] = field(repr=False)
    observed: int
    ordered: bool
    components: MixtureComponents | None = field(default=None, repr=False)

    @property
    def probs(self) -> Float[np.ndarray, " k"]:
        p = np.exp(self.log_probs)
        share: np.ndarray = p / p.sum()
        return share

    @property
    def surprisal(self) -> float:
        """Surprisal of the observed level, in bits."""
        return float(-self.log_probs[self.observed] / NATS_PER_BIT)

    @property
    def entropy(self) -> float:
        """Expected surprisal, in bits."""
        return float(-(self.probs * np.maximum(self.log_probs, _LEAST)).sum() / NATS_PER_BIT)

    @property
    def rank(self) -> int:
        """Rank of the observed level by probability; 1 is the likeliest."""
        return int((self.log_probs > self.log_probs[self.observed]).sum()) + 1

    @property
    def mean(self) -> float | None:
        """Expected level; None for unordered levels."""
        return float((self.probs * np.arange(len(self.log_probs))).sum()) if self.ordered else None

    @property
    def quantiles(self) -> dict[float, int] | None:
        """Smallest level whose cumulative probability reaches each of `QUANTILES`; None for unordered levels."""
        if not self.ordered:
            return None
        cumulative = np.cumsum(self.probs)
        last = len(cumulative) - 1
        return {q: min(last, int(np.searchsorted(cumulative, q - 1e-12))) for q in QUANTILES}

    def top(self, count: int = 5) -> list[tuple[int, float]]:
        """Return the likeliest levels with their probabilities."""
        best = np.argsort(-self.log_probs, kind="stable")[:count]
        return [(int(level), float(self.probs[level])) for level in best]

    def image(self) -> Image.Image:
        """Draw the probabilities, with the observed level marked."""
        return self.chart().image()

    def chart(self) -> Chart:
        """Draw the probabilities as bars, and a mixture's components as lines."""
        parts = None if self.components is None else self.components.shares(len(self.log_probs))
        return distribution_chart(self.probs, self.observed, parts, site=(self.row, self.column, self.channel))


def distribution(query: ImageQuery, row: int, column: int, channel: int = 0) -> LevelDistribution:
    """Return the distribution of one sub-pixel of an image.

    Args:
        row, column, channel: position of the sub-pixel, from 0.

    Raises:
        ConfigError: if the position lies outside the image.

    Example::

        result = distribution(ImageQuery.of(model, x, label="6"), 3, 4)
        result.top(5)  # the five likeliest levels with their probabilities
        result.surprisal  # bits
    """
    return pixel_distributions(query, row, column, [channel])[0]


def pixel_distributions(
    query: ImageQuery, row: int, column: int, channels: Sequence[int] | None = None
) -> list[LevelDistribution]:
    """Return the distributions of channels of one pixel, by default of all; see `distribution`.

    ```python
    for result in pixel_distributions(query, 3, 4):
        print(result.channel, result.observed)
    ```
    """
    channels = range(query.shape[0]) if channels is None else channels
    for channel in channels:
        query.model.image.check_site(row, column, channel, query.shape[1:])
    here = (slice(None), slice(None), slice(row, row + 1), slice(column, column + 1))
    return [_distribution(query, query.distributions[here], (row, column, channel)) for channel in channels]


def sampling_distributions(
    query: ImageQuery, row: int, column: int, transform: Transform
) -> list[Float[np.ndarray, " k"]]:
    """Return what the levels of each channel of a pixel are drawn from under guidance, temperature and top-p.

    An integer program draws from integers; these are the same, divided by their sum.

    ```python
    sampling_distributions(query, 3, 4, Transform(temperature=0.8))[0]  # sums to 1
    ```

    Raises:
        ConfigError: if the position lies outside the image.
    """
    if not query.conditions.is_conditional:
        transform = transform.unguided()
    here = (slice(None), slice(None), slice(row, row + 1), slice(column, column + 1))
    query.model.image.check_site(row, column, 0, query.shape[1:])
    reference = query.guidance_reference().distributions[here] if transform.is_guided else None
    pixel, channels = query.distributions[here], range(query.shape[0])
    return [pixel.drawn_from(channel, transform, reference)[0, :, 0, 0] for channel in channels]


def _distribution(query: ImageQuery, pixel: Distributions, site: tuple[int, int, int]) -> LevelDistribution:
    channel = site[2]
    log_probs = pixel.conditional(channel)[0, :, 0, 0]
    components = None
    if query.model.likelihood_name == "mixture":
        parts = [part[0, :, 0, 0] for part in pixel.components(channel)]
        half = (query.model.image.levels - 1) / 2  # levels lie on [-1, 1]
        scale = np.exp(parts[2].clip(max=_WIDEST)) * half
        components = MixtureComponents(np.exp(parts[0]), (parts[1] + 1) * half, scale)
    return LevelDistribution(*site, log_probs, int(pixel.x[0, channel, 0, 0]), query.model.image.ordered, components)


def divergence(log_p: Float[np.ndarray, ...], log_q: Float[np.ndarray, ...], axis: int) -> Float[np.ndarray, ...]:
    """Compute the Kullback-Leibler divergence of p from q, in bits, over the levels along an axis.

    ```python
    divergence(np.log([0.5, 0.5]), np.log([0.25, 0.75]), 0)  # 0.2075
    ```
    """
    log_p, log_q = np.maximum(log_p, _LEAST), np.maximum(log_q, _LEAST)
    nats = (np.exp(log_p) * (log_p - log_q)).sum(axis)
    return np.asarray(nats.clip(min=0) / NATS_PER_BIT)
