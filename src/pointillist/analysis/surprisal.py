"""Bits at every sub-pixel: what the model expected, what came, and how far that is from usual."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Unpack

import numpy as np
from jaxtyping import Float, Int
from PIL import Image

from pointillist.analysis.charts import running_chart
from pointillist.analysis.color_scales import Z_TOP, color_scale_max
from pointillist.analysis.query import NATS_PER_BIT, ImageQuery, QueryKwargs
from pointillist.conditioning import Label
from pointillist.images import channel_names
from pointillist.model.inference import inference_mode
from pointillist.model.pixel_model import PixelModel
from pointillist.visualization import Chart, heat_map, png_bytes

_STILL = 1e-12  # bits squared: below this variance a sub-pixel is certain


@dataclass(frozen=True, eq=False)
class SurprisalMaps:
    """Surprise and its expectation at every sub-pixel of one image, in bits.

    Attributes:
        surprise: -log2 of the probability of the level that is there, `[c h w]`. They add up to the bits of the image.
        entropy: the surprise that the model expected there, given the true sub-pixels before it.
        variance: of that surprise, in bits squared.
        places: the place of each sub-pixel in the order of painting, from 0.
        top: the value of the last colour of a scale, in bits a sub-pixel; the same for all images of a model.
        names: of the channels.
    """

    surprise: Float[np.ndarray, "c h w"] = field(repr=False)
    entropy: Float[np.ndarray, "c h w"] = field(repr=False)
    variance: Float[np.ndarray, "c h w"] = field(repr=False)
    places: Int[np.ndarray, "c h w"] = field(repr=False)
    top: float
    names: tuple[str, ...] = ()

    @property
    def bits(self) -> float:
        """Of the whole image."""
        return float(self.surprise.sum())

    @property
    def bits_per_dim(self) -> float:
        """Bits a sub-pixel."""
        return self.bits / self.surprise.size

    @property
    def expected(self) -> float:
        """The sum of the entropies: what the bits would be, were each sub-pixel as surprising as foreseen."""
        return float(self.entropy.sum())

    @property
    def z(self) -> float:
        """(bits - expected) / deviation of the whole image.

        Given those before it, the expected excess of each sub-pixel is 0, so excesses of different sub-pixels are
        uncorrelated and their variances add up: for images of the model's own the mean is 0 and the deviation 1.
        """
        return float(_z(self.surprise.sum(), self.entropy.sum(), self.variance.sum()))

    @property
    def excess(self) -> Float[np.ndarray, "c h w"]:
        """Surprise minus entropy, in bits."""
        found: np.ndarray = self.surprise - self.entropy
        return found

    @property
    def z_map(self) -> Float[np.ndarray, "c h w"]:
        """The excess of each sub-pixel in deviations."""
        return _z(self.surprise, self.entropy, self.variance)

    @property
    def pixel_z(self) -> Float[np.ndarray, "h w"]:
        """The excess of each pixel, its channels together, in deviations."""
        return _z(self.surprise.sum(0), self.entropy.sum(0), self.variance.sum(0))

    @property
    def channel_bits(self) -> Float[np.ndarray, " c"]:
        """Bits of each channel."""
        totals: np.ndarray = self.surprise.sum((1, 2))
        return totals

    @property
    def sequence(self) -> Int[np.ndarray, " n"]:
        """Sub-pixels, as positions in `[c h w]` read row by row, in the order in which they are painted."""
        return np.argsort(self.places, axis=None)

    @property
    def running(self) -> CumulativeBits:
        """Where the bits go, along the order."""
        order = self.sequence
        sums = [
            np.concatenate([[0.0], m.ravel()[order].cumsum()]) for m in (self.surprise, self.entropy, self.variance)
        ]
        return CumulativeBits(sums[0], sums[1], np.sqrt(sums[2]))

    def image(self) -> Image.Image:
        """Entropy and surprise of each channel, on the model's scale."""
        captions = [f"{what} {name}".strip() for what in ("entropy", "surprise") for name in self.names]
        maps = np.concatenate([self.entropy, self.surprise])
        return heat_map(maps, top=self.top, captions=captions, columns=len(self.names))

    def z_image(self) -> Image.Image:
        """The excess of each channel in deviations, blue where less came than expected, red where more."""
        return heat_map(
            self.z_map, top=Z_TOP, unit="deviations above the expected surprise", captions=self.names, both=True
        )

    def to_dict(self) -> dict[str, Any]:
        """The numbers of the whole image."""
        return {
            "bits": self.bits,
            "bits_per_dim": self.bits_per_dim,
            "expected_bits": self.expected,
            "deviation": float(np.sqrt(self.variance.sum())),
            "z": self.z,
            "channels": dict(zip(self.names, self.channel_bits.tolist(), strict=True)),
        }

    def _repr_png_(self) -> bytes:
        return png_bytes(self.image())


@dataclass(frozen=True, eq=False)
class CumulativeBits:
    """Bits so far, before each sub-pixel in the order of painting and after the last: `[n + 1]` each.

    Attributes:
        bits: paid.
        expected: the sum of the entropies so far.
        deviation: of the difference of the two, under the model.
    """

    bits: Float[np.ndarray, " n"]
    expected: Float[np.ndarray, " n"]
    deviation: Float[np.ndarray, " n"]

    def chart(self) -> Chart:
        """Bits paid along the order against those expected."""
        return running_chart(self.bits, self.expected, self.deviation)


def surprisal_maps(
    model: PixelModel, image: Any, label: Label = None, text: Any = None, **further: Unpack[QueryKwargs]
) -> SurprisalMaps:
    """Surprise, entropy and variance at every sub-pixel of an image.

    Args:
        image: levels `[c h w]`, a PIL picture or the path of one.
        label, text, further: as for `PixelModel.log_prob`.

    Raises:
        ShapeError, DataError, ConfigError: if the model does not take them.
    """
    return maps_of(ImageQuery.of(model, image, label, text, **further))


def maps_of(asked: ImageQuery) -> SurprisalMaps:
    """The maps of a question that is checked."""
    entropy, variance = np.zeros(asked.shape), np.zeros(asked.shape)
    with inference_mode(asked.model):
        for channel in range(asked.shape[0]):
            for rows, log_probs in asked.tables(asked.params, channel):
                bits = -log_probs.clamp(min=-1e4) / NATS_PER_BIT
                probs = log_probs.exp()
                mean = (probs * bits).sum(0)
                entropy[channel, rows] = mean.cpu().numpy()
                variance[channel, rows] = (probs * (bits - mean) ** 2).sum(0).cpu().numpy()
    names = channel_names(asked.model.image)
    return SurprisalMaps(asked.bits, entropy, variance, asked.places, color_scale_max(asked.model), names)


def _z(surprise: Any, entropy: Any, variance: Any) -> np.ndarray:
    return np.asarray((surprise - entropy) / np.sqrt(np.maximum(variance, _STILL)))


def most_surprising_pixels(maps: SurprisalMaps, count: int) -> Sequence[tuple[int, int]]:
    """Rows and columns of the most surprising pixels, the most surprising first."""
    total = maps.surprise.sum(0)
    return [divmod(int(i), total.shape[1]) for i in np.argsort(-total, axis=None, kind="stable")[:count]]
