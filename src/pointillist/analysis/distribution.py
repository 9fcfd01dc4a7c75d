"""The distribution of one sub-pixel, and everything one may ask about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Unpack

import numpy as np
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from pointillist.analysis.charts import distribution_chart
from pointillist.analysis.query import NATS_PER_BIT, ImageQuery, QueryKwargs
from pointillist.conditioning import Label
from pointillist.distributions.likelihoods import DiscretizedLogisticMixture
from pointillist.model.arguments import check_site
from pointillist.model.inference import inference_mode
from pointillist.model.pixel_model import PixelModel
from pointillist.visualization import Chart, png_bytes

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, eq=False)
class MixtureComponents:
    """The logistics of a mixture at one sub-pixel, given the channels before it; `[m]` each.

    Attributes:
        weight: their shares, which add up to 1.
        mean, scale: in levels. A mean may lie outside of [0, levels): the edge levels take the tails.
    """

    weight: Float[np.ndarray, " m"]
    mean: Float[np.ndarray, " m"]
    scale: Float[np.ndarray, " m"]

    def shares(self, levels: int) -> Float[np.ndarray, "m k"]:
        """Probability of each level by each component; the edge levels take the tails. Summed over `m`, the whole."""
        edges = np.arange(levels + 1) - 0.5
        edges[0], edges[-1] = -np.inf, np.inf
        below = 0.5 * (1 + np.tanh((edges - self.mean[:, None]) / self.scale[:, None] / 2))  # the logistic's CDF
        found: np.ndarray = self.weight[:, None] * np.diff(below)
        return found


@dataclass(frozen=True, eq=False)
class LevelDistribution:
    """What the model held possible at one sub-pixel, given the true ones before it.

    Attributes:
        row, column, channel: where.
        log_probs: of each level, in nats, `[k]`.
        observed: the level that is there.
        ordered: whether levels are quantities, so that they have a mean and quantiles.
        components: of a mixture likelihood; None for the others.
    """

    row: int
    column: int
    channel: int
    log_probs: Float[np.ndarray, " k"] = field(repr=False)
    observed: int
    ordered: bool
    components: MixtureComponents | None = field(default=None, repr=False)

    @property
    def probs(self) -> Float[np.ndarray, " k"]:
        """Probabilities."""
        p = np.exp(self.log_probs)
        share: np.ndarray = p / p.sum()
        return share

    @property
    def surprise(self) -> float:
        """Of the observed level, in bits."""
        return float(-self.log_probs[self.observed] / NATS_PER_BIT)

    @property
    def entropy(self) -> float:
        """The expected surprise, in bits."""
        return float(-(self.probs * np.maximum(self.log_probs, -1e4)).sum() / NATS_PER_BIT)

    @property
    def rank(self) -> int:
        """How many levels were likelier than the observed one, plus 1."""
        return int((self.log_probs > self.log_probs[self.observed]).sum()) + 1

    @property
    def mean(self) -> float | None:
        """The expected level; None for unordered ones."""
        return float((self.probs * np.arange(len(self.log_probs))).sum()) if self.ordered else None

    @property
    def quantiles(self) -> dict[float, int] | None:
        """The smallest level whose cumulative probability reaches each of `QUANTILES`; None for unordered levels."""
        if not self.ordered:
            return None
        cumulative = np.cumsum(self.probs)
        last = len(cumulative) - 1
        return {q: min(last, int(np.searchsorted(cumulative, q - 1e-12))) for q in QUANTILES}

    def top(self, count: int = 5) -> list[tuple[int, float]]:
        """The likeliest levels and their probabilities."""
        best = np.argsort(-self.log_probs, kind="stable")[:count]
        return [(int(level), float(self.probs[level])) for level in best]

    def image(self) -> Image.Image:
        """Bars over the levels, the observed one marked."""
        return self.chart().image()

    def chart(self) -> Chart:
        """Bars over the levels; a mixture's components as lines."""
        parts = None if self.components is None else self.components.shares(len(self.log_probs))
        return distribution_chart(self.probs, self.observed, parts, place=(self.row, self.column, self.channel))

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON can hold it."""
        parts = self.components
        return {
            "row": self.row,
            "column": self.column,
            "channel": self.channel,
            "observed": self.observed,
            "surprise": self.surprise,
            "entropy": self.entropy,
            "rank": self.rank,
            "mean": self.mean,
            "quantiles": None if self.quantiles is None else {f"{q:g}": level for q, level in self.quantiles.items()},
            "probs": self.probs.tolist(),
            "components": None
            if parts is None
            else {"weight": parts.weight.tolist(), "mean": parts.mean.tolist(), "scale": parts.scale.tolist()},
        }

    def _repr_png_(self) -> bytes:
        return png_bytes(self.image())


def distribution(
    model: PixelModel,
    image: Any,
    row: int,
    column: int,
    channel: int = 0,
    label: Label = None,
    text: Any = None,
    **further: Unpack[QueryKwargs],
) -> LevelDistribution:
    """The distribution of one sub-pixel of an image. Arguments and errors as `bit_maps`.

    Raises:
        ConfigError: also if the place is not in the image.
    """
    return distribution_of(ImageQuery.of(model, image, label, text, **further), row, column, channel)


def distribution_of(asked: ImageQuery, row: int, column: int, channel: int = 0) -> LevelDistribution:
    """The distribution at a place of a question that is checked."""
    return distributions_of(asked, row, column, [channel])[0]


def distributions_of(
    asked: ImageQuery, row: int, column: int, channels: Sequence[int] | None = None
) -> list[LevelDistribution]:
    """The distributions of channels of a pixel, by default all, from one pass."""
    channels = range(asked.shape[0]) if channels is None else channels
    for channel in channels:
        check_site(asked.model, row, column, channel, asked.shape[1:])
    here = (slice(None), slice(None), slice(row, row + 1), slice(column, column + 1))
    with inference_mode(asked.model):
        params, x = asked.params[here], asked.x[here]
        return [_distribution(asked.model, params, x, (row, column, channel)) for channel in channels]


def _distribution(
    model: PixelModel, params: Float[Tensor, "1 p 1 1"], x: Int[Tensor, "1 c 1 1"], site: tuple[int, int, int]
) -> LevelDistribution:
    likelihood, channel = model.likelihood, site[2]
    log_probs = likelihood.conditional(params, x, channel)[0, :, 0, 0].double().cpu().numpy()
    components = None
    if isinstance(likelihood, DiscretizedLogisticMixture):
        parts = [t[0, :, 0, 0].double().cpu().numpy() for t in likelihood.components(params, x, channel)]
        half = (likelihood.levels - 1) / 2  # levels lie on [-1, 1]
        components = MixtureComponents(np.exp(parts[0]), (parts[1] + 1) * half, np.exp(parts[2]) * half)
    return LevelDistribution(*site, log_probs, int(x[0, channel, 0, 0]), model.image.ordered, components)
