"""Features of hints without torch: the encoder of `conditioning/grid.py` on stored weights, in numpy.

It runs in float64, before the first pixel. Its features become integers (`quantize_inputs`), which are the input of the
integer program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Shaped
from numpy.typing import NDArray

from pointillist.conditioning.hint import HintReader
from pointillist.portable.weights import StoredWeights

Features = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HintFeatures:
    """An encoder of hints.

    Attributes:
        reader: what it takes as a hint.
        weights: `first.weight`, `first.bias`, `layers.N.weight`, `layers.N.bias`, and the `embedding.weight` of
            unordered levels.
        dilations: of the layers.
    """

    reader: HintReader
    weights: StoredWeights
    dilations: tuple[int, ...]

    def __call__(self, hint: Any, count: int, size: tuple[int, int]) -> Features:
        """Encode hints of images: `[n, h, w, c]`; see `HintReader.read` for what they may be, and the errors."""
        values = self.reader.read(hint, count, size)
        known = np.broadcast_to(self.reader.known(size), (count, 1, *size))
        same = values.strides[0] == 0
        result = self.features(values[:1], known[:1]) if same else self.features(values, known)
        return np.broadcast_to(result, (count, *result.shape[1:]))

    def features(self, values: Shaped[np.ndarray, "b c h w"], known: Bool[np.ndarray, "b 1 h w"]) -> Features:
        """Compute features of values and their mask; each image by itself, so that they do not depend on its batch."""
        return np.stack([self._encode(value, mask) for value, mask in zip(values, known, strict=True)])

    def _encode(self, value: Shaped[np.ndarray, "c h w"], known: Bool[np.ndarray, "1 h w"]) -> Features:
        mask = np.moveaxis(known, 0, -1).astype(np.float64)
        h = self._convolve("first", np.concatenate([self._embed(np.moveaxis(value, 0, -1)) * mask, mask], -1), 1)
        for n, dilation in enumerate(self.dilations):
            h = h + self._convolve(f"layers.{n}", np.maximum(_normalise(h), 0), dilation)
        return _normalise(h)

    def _embed(self, value: Shaped[np.ndarray, "h w c"]) -> Float[np.ndarray, "h w i"]:
        """Values as network inputs: ordered levels in [-1, 1], unordered ones embedded, floats as they are."""
        image = self.reader.image
        if image is None:
            return value.astype(np.float64)
        if image.ordered:
            return np.asarray(value * (2 / (image.levels - 1)) - 1, np.float64)
        result: Features = self.weights["embedding.weight"][value].reshape(*value.shape[:2], -1).astype(np.float64)
        return result

    def _convolve(self, name: str, x: Float[np.ndarray, "h w i"], dilation: int) -> Float[np.ndarray, "h w o"]:
        """Convolve with zeros beyond the border."""
        weight, (height, width) = self.weights[f"{name}.weight"].astype(np.float64), x.shape[:2]
        reach = weight.shape[-1] // 2 * dilation
        padded = np.pad(x, ((reach, reach), (reach, reach), (0, 0)))
        result = np.broadcast_to(self.weights[f"{name}.bias"].astype(np.float64), (height, width, len(weight)))
        for row in range(weight.shape[2]):
            for column in range(weight.shape[3]):
                y, z = row * dilation, column * dilation
                result = result + padded[y : y + height, z : z + width] @ weight[:, :, row, column].T
        return result


def _normalise(h: Float[np.ndarray, "h w d"]) -> Float[np.ndarray, "h w d"]:
    """Divide by the root mean square over the features; see `conditioning/grid.py`."""
    result: Features = h / np.sqrt((h**2).mean(-1, keepdims=True) + 1e-6)
    return result
