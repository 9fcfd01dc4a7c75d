"""Maps of surprisal and of the PIT of images, by one pass of the model, and the statistics that are judged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointillist.conditioning import ConditionInputs
from pointillist.distributions.moments import centred_pit, entropy_and_variance
from pointillist.images.array_types import Float, Int, Shaped
from pointillist.model.protocols import ScoringLikelihood, ScoringModel

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
    "condition": "bits/dim that the conditions of the image save",
    "neighbours": "distance to the five nearest normal images, pixel by pixel, without the model",
}
"""Name of each statistic, with its meaning and unit."""
_PEAKS = {"peak_3x3": 3, "peak_5x5": 5}
_PIT = ("pit_mean", "pit_lag_row", "pit_lag_column")
_LEAST = 1e-9  # variance below which nothing varies


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


def pixel_maps(model: ScoringModel, x: Int[np.ndarray, "b c h w"], inputs: ConditionInputs) -> PixelMaps:
    """Compute the maps of images that the model has checked.

    Args:
        model: scores images for an engine (`PixelModel.scorer`).
        x: levels.
        inputs: conditions of the images.

    Example:
        maps = pixel_maps(model.scorer(), model.check_array(x), model.conditions.inputs(None, len(x)))
    """
    params, likelihood = model.params(x, inputs), model.likelihood
    height, row = x.shape[2], model.image.levels * x.shape[3]
    step, rows = max(1, _TABLE_SIZE // (row * height)), max(1, _TABLE_SIZE // row)
    surprisal = -likelihood.log_prob(params, x).sum(1) / NATS_PER_BIT
    parts = []
    for images in (slice(start, start + step) for start in range(0, len(x), step)):
        bands = [(images, slice(None), slice(start, start + rows)) for start in range(0, height, rows)]
        each = [_moments(likelihood, params[band], x[band]) for band in bands]
        parts.append([np.concatenate(arrays, 2) for arrays in zip(*each, strict=True)])
    entropy, variance, pit, pit_variance = (np.concatenate(each) for each in zip(*parts, strict=True))
    maps = (surprisal, entropy.sum(1) / NATS_PER_BIT, variance.sum(1) / NATS_PER_BIT**2)
    return PixelMaps(*maps, pit, pit_variance) if model.image.ordered else PixelMaps(*maps)


def _moments(
    likelihood: ScoringLikelihood, params: Shaped[np.ndarray, "b p h w"], x: Int[np.ndarray, "b c h w"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Compute entropy, its variance, and the PIT with its variance, `[b c h w]` each, in nats."""
    result = []
    for channel in range(x.shape[1]):
        probs = likelihood.probs(params, x, channel)
        result.append([*entropy_and_variance(probs), *centred_pit(probs, x[:, channel])])
    entropy, variance, pit, pit_variance = (np.stack(each, 1) for each in zip(*result, strict=True))
    return entropy, variance, pit, pit_variance


def statistic_names(*, ordered: bool, background: bool, condition: bool) -> tuple[str, ...]:
    """List the statistics of an image under a model, in the order of their columns.

    Args:
        ordered: whether levels are ordered, so that they have a PIT.
        background: whether there is a background model.
        condition: whether images are scored with their conditions.

    Example:
        statistic_names(ordered=True, background=False, condition=False)[:2]  # ("bits", "excess")
    """
    applies = {**dict.fromkeys(_PIT, ordered), "background": background, "condition": condition, "neighbours": False}
    return tuple(name for name in DESCRIPTIONS if applies.get(name, True))


def image_statistics(
    maps: PixelMaps,
    dims: int,
    codec_bits: Float[np.ndarray, " b"],
    background_bits: Float[np.ndarray, " b"] | None = None,
    unconditional_bits: Float[np.ndarray, " b"] | None = None,
) -> Float[np.ndarray, "b k"]:
    """Compute the statistics of each image, float64, in the order of `statistic_names`.

    Args:
        maps: maps of the images.
        dims: sub-pixels of an image.
        codec_bits: bits of each image in a lossless codec.
        background_bits: bits of each image under the background model.
        unconditional_bits: bits of each image without conditions, where `maps` are conditioned.
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
    if unconditional_bits is not None:
        result.append((unconditional_bits - bits) / dims)
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
