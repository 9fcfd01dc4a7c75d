"""Statistics of an image under a model, from its pixel maps: what is judged against normal images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

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
}
"""Name of each statistic, with its meaning and unit."""
_PEAKS = {"peak_3x3": 3, "peak_5x5": 5}
_PIT = ("pit_mean", "pit_lag_row", "pit_lag_column")
_LEAST = 1e-9  # variance below which nothing varies


def statistic_names(*, ordered: bool, background: bool, condition: bool) -> tuple[str, ...]:
    """List the statistics of a detector, in the order of their columns.

    Args:
        ordered: whether levels are ordered, so that they have a PIT.
        background: whether there is a background model.
        condition: whether images are scored with their conditions.

    Example:
        statistic_names(ordered=True, background=False, condition=False)[:2]  # ("bits", "excess")
    """
    applies = {**dict.fromkeys(_PIT, ordered), "background": background, "condition": condition}
    return tuple(name for name in DESCRIPTIONS if applies.get(name, True))


def image_statistics(
    maps: PixelMaps,
    dims: int,
    codec_bits: Float[Tensor, " b"],
    background_bits: Float[Tensor, " b"] | None = None,
    unconditional_bits: Float[Tensor, " b"] | None = None,
) -> Float[Tensor, "b k"]:
    """Compute the statistics of each image, float64, in the order of `statistic_names`.

    Args:
        maps: maps of the images.
        dims: sub-pixels of an image.
        codec_bits: bits of each image in a lossless codec.
        background_bits: bits of each image under the background model.
        unconditional_bits: bits of each image without conditions, where `maps` are conditioned.
    """
    bits = maps.surprisal.double().sum((1, 2))
    excess = maps.excess.double().sum((1, 2))
    deviation = maps.variance.double().sum((1, 2)).clamp(min=_LEAST).sqrt()
    result = [bits / dims, excess / deviation, (bits - codec_bits) / dims]
    result += [_peak(maps.excess, side) for side in _PEAKS.values()]
    if maps.pit is not None and maps.pit_variance is not None:
        result += _pit_statistics(maps.pit.double(), maps.pit_variance.double())
    if background_bits is not None:
        result.append((bits - background_bits) / dims)
    if unconditional_bits is not None:
        result.append((unconditional_bits - bits) / dims)
    return torch.stack(result, 1)


def _peak(excess: Float[Tensor, "b h w"], side: int) -> Float[Tensor, " b"]:
    """Find the largest mean of a window; an image that is smaller is one window."""
    window = min(side, excess.shape[1]), min(side, excess.shape[2])
    return F.avg_pool2d(excess[:, None], window, stride=1).flatten(1).amax(1).double()


def _pit_statistics(pit: Float[Tensor, "b c h w"], variance: Float[Tensor, "b c h w"]) -> list[Float[Tensor, " b"]]:
    """Compute sums of the PIT and of its products with that of a neighbour, in standard deviations of the model."""
    pairs = [
        (pit, variance),
        (pit[..., 1:] * pit[..., :-1], variance[..., 1:] * variance[..., :-1]),
        (pit[..., 1:, :] * pit[..., :-1, :], variance[..., 1:, :] * variance[..., :-1, :]),
    ]
    return [value.flatten(1).sum(1) / spread.flatten(1).sum(1).clamp(min=_LEAST).sqrt() for value, spread in pairs]
