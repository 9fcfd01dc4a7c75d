"""Convolutions over an image on the grid of the generated one, in fixed point: the same bits on every platform.

The encoders of hints and of known pixels share them; `conditioning/encoders/grids.py` has them in torch.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pointillist.conditioning.portable import PortableEncoder, StoredEncoder, StoredWeights
from pointillist.files.arrays import SCALE_SUFFIX, ArrayReader
from pointillist.images import ImageSpec
from pointillist.images.array_types import Bool, Float, Int, Shaped

_BITS, _INPUT_BITS = 12, 6
_LIMIT = 2**20
_EPSILON = 1e-6 * 4.0**_BITS
_FLOAT32_INTEGERS = 2**24


class StoredGrid(StoredEncoder):
    """JSON values of an encoder of an image on the grid: the weights, and the dilations of its layers."""

    dilations: list[Annotated[int, Field(ge=1, le=4096, strict=True)]] = Field(max_length=64)

    def grid_weights(
        self, channels: int, masks: int, image: ImageSpec | None, width: int, arrays: ArrayReader
    ) -> StoredWeights:
        """Read square kernels of odd size, from `channels` of an image and `masks` of its mask to `width` features.

        Raises:
            CheckpointError: if a weight is missing, or has another shape.
        """
        weights: dict[str, np.ndarray] = {}
        if image is not None and not image.ordered:
            weights |= self.weight("embedding.weight", (image.levels, None), arrays)
            channels *= weights["embedding.weight"].shape[1]
        for n, name in enumerate(("first", *(f"layers.{n}" for n in range(len(self.dilations))))):
            weights |= self.weight(f"{name}.weight", (width, width if n else channels + masks, None, None), arrays)
            weights |= self.weight(f"{name}.bias", (width,), arrays)
            rows, columns = weights[f"{name}.weight"].shape[2:]
            if rows != columns or rows % 2 == 0 or rows > 15:
                raise arrays.damaged(f"an encoder of an image has a kernel of {rows}x{columns}")
        return StoredWeights(weights)


@dataclass(frozen=True, eq=False)
class GridFeatures(PortableEncoder):
    """Residual convolutions over an image that is known in parts, and its mask, in integers.

    A feature h stands as the integer round(2^12 h). For each place of its kernel and each channel of the image, the
    first convolution adds an integer: of the weight of the mask (where the mask has one channel for all, with the first
    channel of the image) and the weights times the level, rounded. Each further layer rounds the input relu(n(h)) to
    steps of 2^-6, multiplies integers, and rounds the sum times the scale of the output. Sums of integers are the same
    in any order; the root, the quotient and the product with a scale are each rounded once, as IEEE 754 prescribes.

    Attributes:
        weights: `first.weight`, `first.bias`, `layers.N.weight`, `layers.N.bias`, and the `embedding.weight` of
            unordered levels.
        dilations: of the layers.
    """

    weights: StoredWeights
    dilations: tuple[int, ...]

    @property
    @abstractmethod
    def spec(self) -> ImageSpec | None:
        """Meaning of the integers of the image; None for floats."""

    def features(self, values: Shaped[np.ndarray, "n c h w"], known: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Compute features `[n, h, w, width]`; images that are the same are encoded once."""
        numbers: dict[bytes, int] = {}
        keys = [image.tobytes() + mask.tobytes() for image, mask in zip(values, known, strict=True)]
        index = [numbers.setdefault(key, len(numbers)) for key in keys]
        first = [index.index(number) for number in range(len(numbers))]
        return self._encode(values[first], known[first])[index]

    @cached_property
    def matrices(self) -> list[tuple[NDArray[Any], Float[np.ndarray, " d"], Int[np.ndarray, " d"]]]:
        """Integers of each layer `[taps, in, out]`, the factors of its outputs, and its bias."""
        result = []
        for n in range(len(self.dilations)):
            name = f"layers.{n}.weight"
            scale = self.weights.arrays.get(name + SCALE_SUFFIX)
            whole = self.weights.arrays[name].astype(np.float64)
            if scale is None:
                largest = np.abs(whole).reshape(len(whole), -1).max(1)
                steps = np.where(largest > 0, largest, 1) / 32_767
                whole = np.floor(whole / steps[:, None, None, None] + 0.5)
            else:
                steps = scale.astype(np.float64)
            most = np.sqrt(len(whole)) * 2**_INPUT_BITS + 1
            fits = most * np.abs(whole).reshape(len(whole), -1).sum(1).max() < _FLOAT32_INTEGERS
            matrix = np.ascontiguousarray(whole.reshape(*whole.shape[:2], -1).transpose(2, 1, 0))
            bias = _rounded(self.weights[f"layers.{n}.bias"].astype(np.float64) * 2.0**_BITS)
            result.append(
                (matrix.astype(np.float32 if fits else np.float64), steps * 2.0 ** (_BITS - _INPUT_BITS), bias)
            )
        return result

    @cached_property
    def _taps(self) -> Float[np.ndarray, "taps d i"]:
        weight = self.weights["first.weight"].astype(np.float64)
        return np.moveaxis(weight.reshape(*weight.shape[:2], -1), 2, 0)

    def terms(self, values: Shaped[np.ndarray, ...], channel: int, channels: int, tap: int) -> NDArray[np.int64]:
        """Compute what values of a channel add to the first convolution at a place of its kernel, `[..., d]`."""
        weights, spec = self._taps[tap], self.spec
        if spec is None:
            embedded = values.astype(np.float64)[..., None]
        elif spec.ordered:
            embedded = (values * (2 / (spec.levels - 1)) - 1)[..., None]
        else:
            embedded = self.weights["embedding.weight"].astype(np.float64)[values]
        each = embedded.shape[-1]
        masks = weights.shape[1] - channels * each
        mask = weights[:, channels * each + channel] if channel < masks else np.zeros(len(weights))
        result = np.broadcast_to(mask, (*values.shape, len(mask)))
        for i in range(each):  # in this order, so that sums are rounded in the same way everywhere
            result = result + embedded[..., i, None] * weights[:, channel * each + i]
        return _rounded((result * 2.0**_BITS).clip(-_LIMIT, _LIMIT))

    def _encode(
        self, values: Shaped[np.ndarray, "n c h w"], known: Bool[np.ndarray, "n m h w"]
    ) -> Float[np.ndarray, "n h w d"]:
        (height, width), taps, channels = values.shape[2:], len(self._taps), values.shape[1]
        reach = round(taps**0.5) // 2
        different, index = np.unique(values, return_inverse=True)
        unknown = len(different)
        index = np.where(known, index.reshape(values.shape), unknown)
        index = np.pad(index, ((0, 0), (0, 0), (reach, reach), (reach, reach)), constant_values=unknown)
        bias = _rounded(self.weights["first.bias"].astype(np.float64) * 2.0**_BITS)
        h = np.broadcast_to(bias, (len(values), height, width, len(bias))).copy()
        table = np.zeros((unknown + 1, len(bias)), np.int64)  # an unknown pixel adds 0
        for tap in range(taps):
            row, column = divmod(tap, 2 * reach + 1)
            for c in range(channels):
                table[:unknown] = self.terms(different, c, channels, tap)
                h += table.take(index[:, c, row : row + height, column : column + width], axis=0)
        for dilation, (matrix, factors, bias) in zip(self.dilations, self.matrices, strict=True):
            x = np.floor(_normalise(h).clip(min=0) * 2.0**_INPUT_BITS + 0.5).astype(matrix.dtype)
            h += _rounded(_convolve(x, matrix, dilation) * factors) + bias
        return _normalise(h)


def _convolve(x: Float[np.ndarray, "n h w i"], matrix: NDArray[Any], dilation: int) -> Float[np.ndarray, "n h w o"]:
    """Convolve integers with zeros beyond the border; float types hold their sums."""
    side = round(len(matrix) ** 0.5)
    reach, (height, width) = side // 2 * dilation, x.shape[1:3]
    padded = np.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    total = np.zeros((*x.shape[:3], matrix.shape[2]), x.dtype)
    for tap, weights in enumerate(matrix):
        row, column = (dilation * n for n in divmod(tap, side))
        total += padded[:, row : row + height, column : column + width] @ weights
    return total


def _rounded(x: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.floor(x + 0.5).astype(np.int64)


def _normalise(h: Int[np.ndarray, "n h w d"]) -> NDArray[np.float64]:
    """Divide by the root mean square over the features."""
    mean = (h * h).sum(-1, keepdims=True) / h.shape[-1]
    result: NDArray[np.float64] = h / np.sqrt(mean + _EPSILON)
    return result
