"""Surprisal maps: bits at every sub-pixel, their expectation, and how far the two lie apart; their colour scale."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from pointillist.analysis.charts import cumulative_chart
from pointillist.analysis.query import NATS_PER_BIT, ImageQuery
from pointillist.files.arrays import Summary
from pointillist.images import channel_names
from pointillist.images.array_types import Float, Int
from pointillist.images.visualization import Chart, heat_map
from pointillist.images.visualization.pixels import ShownAsPicture
from pointillist.model.protocols import LikelihoodModel

MAX_Z = 4.0  # standard deviations at either end of a scale
_MIN_VARIANCE = 1e-12  # bits squared: a sub-pixel of less variance is certain
_TYPICAL_MULTIPLE = 4.0  # a scale ends at this many times the bits of a typical sub-pixel


def color_scale_max(model: LikelihoodModel) -> float:
    """Return the bits of the last colour of a scale: a whole number, the same for all images of the model.

    Four times the bits/dim of validation, if the training record has it, so that the scale is well used; at most the
    bits of a level if all levels are equally likely.
    """
    most = (model.image.levels - 1).bit_length()
    typical = model.training_record.valid_bits_per_dim
    if typical is None or not math.isfinite(typical) or typical <= 0:
        return float(most)
    return float(min(most, max(1, math.ceil(_TYPICAL_MULTIPLE * typical))))


@dataclass(frozen=True, eq=False)
class SurprisalMaps(ShownAsPicture, Summary):
    """Surprisal of every sub-pixel of one image, with its mean and variance under the model, in bits.

    ```python
    maps = surprisal_maps(ImageQuery.of(model, x, label="6"))
    maps.surprisal.sum(), maps.entropy.sum()  # bits, and expected bits
    maps.image().save("surprisal.png")
    ```

    Attributes:
        bits: bits of the whole image: its negative log-likelihood, as `evaluate` computes it.
        surprisal: -log2 of the probability of the level that is there, `[c h w]`; sums to `bits`, up to rounding.
        entropy: expected surprisal, given the true sub-pixels before it, `[c h w]`.
        variance: variance of the surprisal, in bits squared, `[c h w]`.
        order_index: index of each sub-pixel in the generation order, from 0, `[c h w]`.
        color_max: value of the last colour of a scale, in bits per sub-pixel; the same for all images of a model.
        names: names of the channels.
    """

    _summary = "bits bits_per_dim expected_bits=expected std z_score channels=_named_bits"

    bits: float
    surprisal: Float[np.ndarray, "c h w"] = field(repr=False)
    entropy: Float[np.ndarray, "c h w"] = field(repr=False)
    variance: Float[np.ndarray, "c h w"] = field(repr=False)
    order_index: Int[np.ndarray, "c h w"] = field(repr=False)
    color_max: float
    names: tuple[str, ...] = ()

    @property
    def bits_per_dim(self) -> float:
        """Bits per sub-pixel."""
        return self.bits / self.surprisal.size

    @property
    def expected(self) -> float:
        """Sum of the entropies: the bits of the image if each sub-pixel were as surprising as expected."""
        return float(self.entropy.sum())

    @property
    def std(self) -> float:
        """Standard deviation of `bits - expected` under the model."""
        return float(np.sqrt(self.variance.sum()))

    @property
    def z_score(self) -> float:
        """Excess surprisal of the whole image, in standard deviations: `(bits - expected) / std`.

        Given the sub-pixels before it, the expected excess of each sub-pixel is 0. So excesses of different sub-pixels
        are uncorrelated, and their variances add up: over samples of the model the mean is 0 and the deviation 1.
        """
        return float(_z_score(self.surprisal.sum(), self.entropy.sum(), self.variance.sum()))

    @property
    def z_score_map(self) -> Float[np.ndarray, "c h w"]:
        """Excess surprisal of each sub-pixel, in standard deviations."""
        return _z_score(self.surprisal, self.entropy, self.variance)

    @property
    def pixel_z_score(self) -> Float[np.ndarray, "h w"]:
        """Excess surprisal of each pixel, its channels together, in standard deviations."""
        return _z_score(self.surprisal.sum(0), self.entropy.sum(0), self.variance.sum(0))

    @property
    def channel_bits(self) -> Float[np.ndarray, " c"]:
        totals: np.ndarray = self.surprisal.sum((1, 2))
        return totals

    @property
    def sequence(self) -> Int[np.ndarray, " n"]:
        """Flat indices into `[c h w]` of all sub-pixels, in the generation order."""
        return np.argsort(self.order_index, axis=None)

    @property
    def cumulative(self) -> CumulativeBits:
        """Bits so far, along the generation order."""
        order = self.sequence
        maps = (self.surprisal, self.entropy, self.variance)
        sums = [np.concatenate([[0.0], each.ravel()[order].cumsum()]) for each in maps]
        return CumulativeBits(sums[0], sums[1], np.sqrt(sums[2]), "pixels" if len(self.names) == 1 else "sub-pixels")

    def image(self) -> Image.Image:
        """Draw entropy and surprisal of each channel, on the model's colour scale."""
        captions = [f"{what} {name}".strip() for what in ("entropy", "surprisal") for name in self.names]
        maps = np.concatenate([self.entropy, self.surprisal])
        return heat_map(maps, top=self.color_max, captions=captions, columns=len(self.names))

    def z_score_image(self) -> Image.Image:
        """Draw the z-scores of each channel: blue where the surprisal is below its expectation, red where above."""
        unit = "standard deviations above the expected surprisal"
        return heat_map(self.z_score_map, top=MAX_Z, unit=unit, captions=self.names, both=True)

    def _named_bits(self) -> dict[str, float]:
        return dict(zip(self.names, self.channel_bits.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class CumulativeBits:
    """Bits before each sub-pixel in the generation order, and after the last: `[n + 1]` each.

    ```python
    curve = surprisal_maps(query).cumulative
    curve.bits[-1]  # bits of the whole image
    ```

    Attributes:
        bits: cumulative surprisal.
        expected: cumulative entropy.
        std: standard deviation of the difference of the two, under the model.
        unit: name of what is counted: pixels, where each has one channel.
    """

    bits: Float[np.ndarray, " n"]
    expected: Float[np.ndarray, " n"]
    std: Float[np.ndarray, " n"]
    unit: str = "sub-pixels"

    def chart(self) -> Chart:
        """Draw cumulative surprisal against cumulative entropy."""
        return cumulative_chart(self.bits, self.expected, self.std, self.unit)


def surprisal_maps(query: ImageQuery) -> SurprisalMaps:
    """Compute surprisal, entropy and variance of every sub-pixel of an image; once per query.

    Example::

        maps = surprisal_maps(ImageQuery.of(model, x, label="3"))
        maps.surprisal  # bits [c h w]
        maps.entropy  # bits [c h w]: how uncertain the model was
        maps.z_score  # of the whole image
    """
    return query.cached("surprisal_maps", lambda: _surprisal_maps(query))


def _surprisal_maps(query: ImageQuery) -> SurprisalMaps:
    entropy, variance = np.zeros(query.shape), np.zeros(query.shape)
    for channel in range(query.shape[0]):
        for rows in query.iter_rows():
            mean, spread = query.distributions[:, :, rows].moments(channel)
            entropy[channel, rows] = mean[0] / NATS_PER_BIT
            variance[channel, rows] = spread[0] / NATS_PER_BIT**2
    names = channel_names(query.model.image)
    maps = (query.surprisal, entropy, variance)
    return SurprisalMaps(query.bits, *maps, query.order_index, color_scale_max(query.model), names)


def _z_score(surprisal: Any, entropy: Any, variance: Any) -> np.ndarray:
    return np.asarray((surprisal - entropy) / np.sqrt(np.maximum(variance, _MIN_VARIANCE)))


def most_surprising_pixels(maps: SurprisalMaps, count: int) -> Sequence[tuple[int, int]]:
    """Return rows and columns of the pixels of most surprisal, in falling order."""
    total = maps.surprisal.sum(0)
    return [divmod(int(i), total.shape[1]) for i in np.argsort(-total, axis=None, kind="stable")[:count]]
