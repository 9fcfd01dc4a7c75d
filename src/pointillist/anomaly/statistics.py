"""Statistics and heat maps of images, batch by batch: by one pass of the model, and by distances to normal images."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pointillist.analysis.evaluation.memorization import deflate_bits
from pointillist.anomaly.reading import ImageBatch, ImageBatches
from pointillist.conditioning import ConditionInputs
from pointillist.distributions.moments import centred_pit, entropy_and_variance
from pointillist.errors import Bounded, ConfigError, Range, within
from pointillist.files.progress import Bar
from pointillist.images.array_types import Float, Int
from pointillist.model.batches import check_likelihood
from pointillist.model.protocols import Distributions, LikelihoodModel

NATS_PER_BIT = 0.6931471805599453
_TABLE_SIZE = 1_000_000  # probabilities at once: they stay in the cache of the processor
DESCRIPTIONS = {
    "bits": "bits/dim of the image",
    "excess": "bits above those expected, in standard deviations of the model",
    "codec": "bits/dim above DEFLATE's on the same image",
    "peak_3x3": "largest excess of a window of 3x3 pixels, in bits a pixel",
    "peak_5x5": "largest excess of a window of 5x5 pixels, in bits a pixel",
    "pit_mean": "mean of the PIT: levels above or below those expected",
    "pit_lag_row": "correlation of the PIT with the PIT of the pixel to the left",
    "pit_lag_column": "correlation of the PIT with the PIT of the pixel above",
    "background": "bits/dim above the background model's",
    "neighbours": "distance to the five nearest of some normal images, pixel by pixel, without the model",
}
"""Name of each statistic, with its meaning and unit."""
_PEAKS = {"peak_3x3": 3, "peak_5x5": 5}
_PIT = ("pit_mean", "pit_lag_row", "pit_lag_column")
_LEAST = 1e-9  # variance below which nothing varies
_COUNT = 5  # nearest images
_REACH = 3  # standard deviations at which the smoothing kernel ends


@dataclass(frozen=True, eq=False)
class PixelMaps:
    """Maps of a batch of images, one value a pixel, the channels together; bits and bits squared.

    ```python
    maps = pixel_maps(model.scorer(), x, model.conditions.inputs(None, len(x)))
    maps.excess.sum((1, 2))  # bits above those that the model expected
    ```

    Attributes:
        surprisal: -log2 of the probability of the pixel, `[b h w]`.
        entropy, variance: expectation and variance of `surprisal` under the model, given the pixels before.
        pit, pit_variance: centred PIT of each sub-pixel and its variance, `[b c h w]`; None for unordered levels.
    """

    surprisal: Float[np.ndarray, "b h w"]
    entropy: Float[np.ndarray, "b h w"]
    variance: Float[np.ndarray, "b h w"]
    pit: Float[np.ndarray, "b c h w"] | None = None
    pit_variance: Float[np.ndarray, "b c h w"] | None = None

    @property
    def excess(self) -> Float[np.ndarray, "b h w"]:
        """Surprisal minus entropy, in bits: its expectation under the model is 0."""
        return np.asarray(self.surprisal - self.entropy)


def pixel_maps(model: LikelihoodModel, x: Int[np.ndarray, "b c h w"], inputs: ConditionInputs) -> PixelMaps:
    """Compute the maps of images that the model has checked.

    Args:
        model: scores images for an engine (`PixelModel.scorer`).
        x: levels.
        inputs: conditions of the images.

    Example:
        maps = pixel_maps(model.scorer(), model.check_array(x), model.conditions.inputs(None, len(x)))
    """
    distributions = model.distributions(x, inputs)
    height, row = x.shape[2], model.image.levels * x.shape[3]
    step, rows = max(1, _TABLE_SIZE // (row * height)), max(1, _TABLE_SIZE // row)
    surprisal = -distributions.log_prob().sum(1) / NATS_PER_BIT
    parts = []
    for images in (slice(start, start + step) for start in range(0, len(x), step)):
        bands = [(images, slice(None), slice(start, start + rows)) for start in range(0, height, rows)]
        each = [_moments(distributions[band]) for band in bands]
        parts.append([np.concatenate(arrays, 2) for arrays in zip(*each, strict=True)])
    entropy, variance, pit, pit_variance = (np.concatenate(each) for each in zip(*parts, strict=True))
    maps = (surprisal, entropy.sum(1) / NATS_PER_BIT, variance.sum(1) / NATS_PER_BIT**2)
    return PixelMaps(*maps, pit, pit_variance) if model.image.ordered else PixelMaps(*maps)


def _moments(distributions: Distributions) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Compute entropy, its variance, and the PIT with its variance, `[b c h w]` each, in nats."""
    result = []
    for channel in range(distributions.x.shape[1]):
        probs = distributions.probs(channel)
        result.append([*entropy_and_variance(probs), *centred_pit(probs, distributions.x[:, channel])])
    entropy, variance, pit, pit_variance = (np.stack(each, 1) for each in zip(*result, strict=True))
    return entropy, variance, pit, pit_variance


def image_statistics(
    maps: PixelMaps,
    dims: int,
    codec_bits: Float[np.ndarray, " b"],
    background_bits: Float[np.ndarray, " b"] | None = None,
) -> Float[np.ndarray, "b k"]:
    """Compute the statistics of each image, float64, in the order of `DESCRIPTIONS`, without the distances.

    Args:
        maps: maps of the images.
        dims: sub-pixels of an image.
        codec_bits: bits of each image in a lossless codec.
        background_bits: bits of each image under the background model.
    """
    bits = maps.surprisal.sum((1, 2))
    excess = maps.excess.sum((1, 2))
    deviation = np.sqrt(maps.variance.sum((1, 2)).clip(min=_LEAST))
    result = [bits / dims, excess / deviation, (bits - codec_bits) / dims]
    result += [_peak(maps.excess, side) for side in _PEAKS.values()]
    if maps.pit is not None and maps.pit_variance is not None:
        result += _pit_statistics(maps.pit, maps.pit_variance)
    if background_bits is not None:
        result.append((bits - background_bits) / dims)
    return np.stack(result, 1)


def _peak(excess: Float[np.ndarray, "b h w"], side: int) -> Float[np.ndarray, " b"]:
    """Find the largest mean of a window; an image that is smaller is one window."""
    window = min(side, excess.shape[1]), min(side, excess.shape[2])
    means = np.lib.stride_tricks.sliding_window_view(excess, window, (1, 2)).mean((3, 4))
    return np.asarray(means.reshape(len(excess), -1).max(1))


def _pit_statistics(
    pit: Float[np.ndarray, "b c h w"], variance: Float[np.ndarray, "b c h w"]
) -> list[Float[np.ndarray, " b"]]:
    """Compute sums of the PIT and of its products with a neighbour's PIT, in standard deviations of the model."""
    pairs = [
        (pit, variance),
        (pit[..., 1:] * pit[..., :-1], variance[..., 1:] * variance[..., :-1]),
        (pit[..., 1:, :] * pit[..., :-1, :], variance[..., 1:, :] * variance[..., :-1, :]),
    ]
    return [value.sum((1, 2, 3)) / np.sqrt(spread.sum((1, 2, 3)).clip(min=_LEAST)) for value, spread in pairs]


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

    def distances(self, levels: Int[np.ndarray, "b c h w"]) -> Float[np.ndarray, " b"]:
        """Compute the mean distance of each image to its nearest images of the reference, at most five."""
        queries = levels.reshape(len(levels), -1)
        if self.ordered:  # whole numbers below 2^53, so that the products are exact in any order
            queries = queries.astype(np.float64)
            squares = (queries**2).sum(1)[:, None] + (self._rows**2).sum(1) - 2 * queries @ self._rows.T
            distances = np.sqrt(squares)
        else:
            distances = np.stack([(self._rows != query).sum(1) for query in queries]).astype(np.float64)
        count = min(_COUNT, len(self._rows))
        return np.asarray(np.sort(np.partition(distances, count - 1, axis=1)[:, :count], axis=1).mean(1))


@dataclass(frozen=True, eq=False)
class ScoredBatch:
    """Some images with their statistics and maps.

    Attributes:
        images: the images.
        statistics: statistics of each window of each image, `[b windows k]`.
        excess: smoothed excess surprisal, in bits a pixel, `[b h w]`.
    """

    images: ImageBatch
    statistics: Float[np.ndarray, "b n k"]
    excess: Float[np.ndarray, "b h w"]


@dataclass(frozen=True, kw_only=True)
class Scorer(Bounded):
    """Compute the statistics that a detector scores images by.

    ```python
    scorer = Scorer(model=model)
    for batch in scorer.score(images):
        batch.statistics[..., 0]  # bits/dim
    ```

    Attributes:
        model: the model of normal images.
        background: a model of what all images of this kind share.
        neighbours: normal images, to which distances are measured.
        smoothing: standard deviation of the Gaussian that smooths maps, in pixels; 0 leaves them as they are.
        batch_size: images, or windows of them, at once.
        engine: what gives the distributions, as for `evaluate`; a background model without a program is in floats.
    """

    model: LikelihoodModel
    background: LikelihoodModel | None = None
    neighbours: NearestImages | None = None
    smoothing: float = within(1.5, Range(0, 1000, "be 0 to 1,000 pixels: 1.5 suits small images"))
    batch_size: int = within(64, Range(1))
    engine: str = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.background is not None and self.background.image.model_dump() != self.model.image.model_dump():
            raise ConfigError(
                f"`background` is a model of {self.background.image}, and the model is one of {self.model.image}: "
                "train it on the same images."
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the statistics, in the order of their columns."""
        applies = {
            **dict.fromkeys(_PIT, self.model.image.ordered),
            "background": self.background is not None,
            "neighbours": self.neighbours is not None,
        }
        return tuple(name for name in DESCRIPTIONS if applies.get(name, True))

    def score(self, images: Any) -> Iterator[ScoredBatch]:
        """Score images of any source that `ImageBatches` reads, in their order.

        Raises:
            DataError, ShapeError, ConfigError: if they do not fit the model.
        """
        source = ImageBatches(self.model, images)
        done = 0
        with Bar("scoring", source.count) as bar:
            for batch in source.read(self.batch_size):
                yield self._score(batch)
                done += len(batch.names)
                bar.show(done)

    def _score(self, batch: ImageBatch) -> ScoredBatch:
        x, windows = batch.x, batch.windows
        scorer = self.model.scorer(self.engine, windows.window)
        maps = pixel_maps(scorer, x, self.model.conditions.inputs(None, len(x), size=windows.window))
        check_likelihood(maps.surprisal.sum((1, 2)))
        background = None if self.background is None else self._background_bits(self.background, x)
        result = image_statistics(maps, x[0].size, deflate_bits(x), background)
        excess = smooth(windows.blend(maps.excess), self.smoothing)
        statistics = result.reshape(len(batch.names), len(windows), -1)
        if self.neighbours is not None:
            distances = np.repeat(self.neighbours.distances(batch.levels)[:, None, None], len(windows), 1)
            statistics = np.concatenate([statistics, distances], 2)
        return ScoredBatch(batch, statistics, excess)

    def _background_bits(self, background: LikelihoodModel, x: Int[np.ndarray, "n c i j"]) -> Float[np.ndarray, " n"]:
        size = (x.shape[2], x.shape[3])
        scorer = background.scorer("torch" if self.engine == "torch" else "auto", size)
        inputs = background.conditions.inputs(None, len(x), size=size)
        nats = -scorer.unchecked_log_prob_map(background.check_array(x), inputs)
        return np.asarray(nats.sum((1, 2, 3)) / NATS_PER_BIT)


def smooth(maps: Float[np.ndarray, "b h w"], deviation: float) -> Float[np.ndarray, "b h w"]:
    """Smooth maps by a Gaussian, cut off at the border and normalised there.

    Args:
        deviation: standard deviation of the Gaussian, in pixels; 0 changes nothing.
    """
    if not deviation:
        return maps
    reach = math.ceil(_REACH * deviation)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    both = np.concatenate([maps, np.ones_like(maps[:1])])
    for axis in (1, 2):
        padding = [(0, 0), (0, 0), (0, 0)]
        padding[axis] = (reach, reach)
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(both, padding), len(kernel), axis)
        both = (windows * kernel).sum(-1)  # `@` would round by the number of maps
    return np.asarray(both[:-1] / both[-1:])
