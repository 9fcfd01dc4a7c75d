"""A local gain once more, pixel by pixel in plain numbers, from the equations of `nn/functional/local_gain.py`."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pointillist.nn import LocalGain
from pointillist.nn.functional import local_gain
from pointillist.nn.passes import FullPass

from ..tolerances import FORMULA

Pixel = NDArray[np.float64]


def prediction_of(image: NDArray[np.float64], row: int, column: int, levels: int) -> tuple[Pixel, int]:
    """Return the prediction of a pixel of an image `[c h w]` on [-1, 1], and the exponent of its gain."""
    width, middle = image.shape[2], np.zeros(len(image))
    west = image[:, row, column - 1] if column else None
    north = image[:, row - 1, column] if row else None
    north = north if north is not None else west if west is not None else middle
    corner = image[:, row - 1, column - 1] if row and column else north
    right = image[:, row - 1, column + 1] if row and column < width - 1 else north
    west = north if west is None else west
    base = np.array([sorted((w, n, w + n - d))[1] for w, n, d in zip(west, north, corner, strict=True)])
    if sum(map(bool, (column, row, row and column, row and column < width - 1))) < 2:
        return base, max(-1, math.ceil(math.log2(levels)) - 5)
    mean = np.mean([abs(neighbour - base) for neighbour in (west, corner, north, right)]) * (levels - 1) / 2
    candidates = range(-3, 18)  # the power of two that is nearest to mean + 1/2, on a logarithmic scale
    return base, min(candidates, key=lambda e: abs(math.log2(mean + 0.5) - e))


def check_local_gain(x: Tensor, levels: int) -> None:
    """Prediction, gain, and what a network reads, are those of the equations, at every pixel of images `[b c h w]`."""
    canvas = x.double() * 2 / (levels - 1) - 1
    gain = LocalGain(channels=x.shape[1], levels=levels)
    offsets = ((0, -2), (0, -1), (-1, 1), (-2, 3))
    predicted = gain.predict("near", canvas, FullPass())
    features = gain.normalise("window", canvas, FullPass(), offsets)
    for image, found, relative in zip(canvas.numpy(), predicted.numpy(), features.numpy(), strict=True):
        channels, height, width = image.shape
        for row in range(height):
            for column in range(width):
                base, exponent = prediction_of(image, row, column, levels)
                assert np.allclose(found[:channels, row, column], base, rtol=0, atol=FORMULA)
                assert found[channels, row, column] == exponent
                for index, (down, right) in enumerate(offsets):
                    y, z = row + down, column + right
                    inside = y >= 0 and 0 <= z < width
                    step = 2.0**exponent * 2 / (levels - 1)
                    expected = np.clip((image[:, y, z] - base) / step, -8, 8 - 1 / 16) if inside else 0 * base
                    part = relative[index * channels : (index + 1) * channels, row, column]
                    assert np.allclose(part, expected, rtol=0, atol=FORMULA)


def check_placed(params: Tensor, x: Tensor, levels: int, mixtures: int) -> None:
    """A mixture whose outputs are 0 but for couplings has the means of the centred equation."""
    channels = x.shape[1]
    canvas = x.double() * 2 / (levels - 1) - 1
    prediction = LocalGain(channels=channels, levels=levels).predict("near", canvas, FullPass())
    placed = local_gain.place(params, prediction, levels)
    first = mixtures * (1 + 2 * channels)
    for channel in range(channels):
        means = placed[:, mixtures * (1 + channel) : mixtures * (2 + channel)]
        outputs = params[:, mixtures * (1 + channel) : mixtures * (2 + channel)]
        expected = prediction[:, channel : channel + 1] + outputs * 2 ** prediction[:, channels:] * 2 / (levels - 1)
        for before in range(channel):
            start = first + mixtures * (channel * (channel - 1) // 2 + before)
            coupling = torch.tanh(placed[:, start : start + mixtures])
            # what the likelihood adds, with the prediction in place of the level, leaves the mean around its own
            means = means + coupling * prediction[:, before : before + 1]
        assert torch.allclose(means, expected, rtol=0, atol=FORMULA)
