"""Statistics of an image under a model, from its pixel maps: what is judged against normal images."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from pointillist.anomaly.pixel_maps import PixelMaps

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
    """Compute sums of the PIT and of its products with that of a neighbour, in standard deviations of the model."""
    pairs = [
        (pit, variance),
        (pit[..., 1:] * pit[..., :-1], variance[..., 1:] * variance[..., :-1]),
        (pit[..., 1:, :] * pit[..., :-1, :], variance[..., 1:, :] * variance[..., :-1, :]),
    ]
    return [value.sum((1, 2, 3)) / np.sqrt(spread.sum((1, 2, 3)).clip(min=_LEAST)) for value, spread in pairs]
