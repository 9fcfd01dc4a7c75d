"""Known pixels of the image itself: the condition of a model that completes images.

The network reads the image with its hole blanked, and the mask, in every direction. The known sub-pixels then cost
nothing, and the others are

    log p(unknown | known) = sum over unknown sub-pixels i of log p(x_i | earlier sub-pixels, known image, mask)

which is normalised for every mask. With nothing known it is the likelihood of the image. In training masks are drawn at
random (`training/completion_masks.py`). Any mask at any time is the idea of order-agnostic models (Uria et al. 2014,
arXiv 1310.1757; Hoogeboom et al. 2022, arXiv 2110.02037); here the order of the unknown pixels stays fixed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from numpy.typing import NDArray
from pydantic import Field

from pointillist.conditioning.portable import PortableEncoder, StoredEncoder, StoredWeights
from pointillist.conditioning.settings import ConditionConfig
from pointillist.errors import ConfigError, ShapeError
from pointillist.files.arrays import SCALE_SUFFIX, ArrayReader, ArrayWriter
from pointillist.images import ImageSpec

if TYPE_CHECKING:
    from pointillist.data import ImageDataset

OBSERVED = "known"
"""Name of the part that holds observed pixels of the image itself: facts, which guidance does not weigh."""
MAX_TABLE = 2**22
"""Entries of the tables of the first convolution, at most: an image of more levels has no portable encoder."""
_BITS, _INPUT_BITS = 12, 6
_EPSILON = 1e-6 * 4.0**_BITS
_FLOAT32_INTEGERS = 2**24


class StoredKnown(StoredEncoder):
    """JSON values of an encoder of known pixels."""

    image: ImageSpec
    dilations: list[Annotated[int, Field(ge=1, le=4096, strict=True)]] = Field(max_length=64)


@dataclass(frozen=True, eq=False)
class KnownFeatures(PortableEncoder):
    """The encoder of known pixels in numpy, in fixed point: the same bits on every platform.

    A feature h stands as the integer round(2^12 h). The first convolution adds entries of tables, one for each place of
    its kernel and each level. Each further layer rounds the input relu(n(h)) to steps of 2^-6, multiplies integers, and
    rounds the sum times the scale of the output. Sums of integers are the same in any order; the root, the quotient and
    the product with a scale are each rounded once, as IEEE 754 prescribes.

    Attributes:
        image: meaning of the integers of the image.
        weights: as of `HintFeatures`.
        dilations: of the layers.
    """

    key: ClassVar[str] = "known"
    keyword: ClassVar[str] = OBSERVED
    any_size: ClassVar[bool] = True

    image: ImageSpec
    weights: StoredWeights
    dilations: tuple[int, ...]
    reader: Any = field(default=None, init=False)

    def read(
        self, value: Any, count: int, size: tuple[int, int]
    ) -> tuple[Shaped[np.ndarray, "n c h w"], NDArray[np.bool_]]:
        """Read levels and a mask, `[h w]`, `[c h w]` or `[n c h w]`; None for nothing known."""
        shape = (count, self.image.channels, *size)
        if value is None:
            return np.broadcast_to(np.int64(0), shape), np.broadcast_to(np.False_, shape)
        levels, known = (np.asarray(array) for array in value)
        if known.dtype != bool or known.shape not in (shape, shape[1:], shape[2:]):
            raise ShapeError(f"`known` ({known.dtype}, shape {known.shape}) must be boolean, {shape[2:]} or {shape}.")
        if levels.shape not in (shape, shape[1:], shape[2:]):
            raise ShapeError(f"`known` has levels of shape {list(levels.shape)}: give {list(shape)}.")
        return np.broadcast_to(levels, shape), np.broadcast_to(known, shape)

    def features(self, values: Shaped[np.ndarray, "n c h w"], known: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Compute features `[n, h, w, width]`; what is the same for all images is encoded once."""
        if values.strides[0] == known.strides[0] == 0:
            result = self._encode(values[:1], known[:1])
            return np.broadcast_to(result, (len(values), *result.shape[1:]))
        return self._encode(values, known)

    def encode(self, arrays: ArrayWriter) -> dict[str, Any]:
        """Return the weights and the kind of image."""
        image = self.image.model_dump(mode="json")
        return {"image": image, "weights": self.weights.encode(arrays), "dilations": list(self.dilations)}

    @classmethod
    def decode(cls, document: Any, part: str, width: int, arrays: ArrayReader) -> KnownFeatures:
        """Read an encoder: square kernels of odd size, from an image and its mask to the width of the part."""
        stored = StoredKnown.parse(document, arrays)
        weights: dict[str, np.ndarray] = {}
        inputs = stored.image.channels
        if part != "map":
            raise arrays.damaged("an encoder of known pixels has no map")
        if not stored.image.ordered:
            weights |= stored.weight("embedding.weight", (stored.image.levels, None), arrays)
            inputs *= weights["embedding.weight"].shape[1]
        for n, name in enumerate(("first", *(f"layers.{n}" for n in range(len(stored.dilations))))):
            shape = (width, width if n else inputs + stored.image.channels, None, None)
            weights |= stored.weight(f"{name}.weight", shape, arrays)
            weights |= stored.weight(f"{name}.bias", (width,), arrays)
            rows, columns = weights[f"{name}.weight"].shape[2:]
            if rows != columns or rows % 2 == 0 or rows > 15:
                raise arrays.damaged(f"an encoder of known pixels has a kernel of {rows}x{columns}")
        result = cls(stored.image, StoredWeights(weights), tuple(stored.dilations))
        if not result.is_small:
            raise arrays.damaged("an encoder of known pixels has tables that are too large")
        return result

    @property
    def is_small(self) -> bool:
        """True if the tables of the first convolution have at most `MAX_TABLE` entries."""
        width, _, rows, columns = self.weights["first.weight"].shape
        return bool(self.image.channels * rows * columns * (self.image.levels + 1) * width <= MAX_TABLE)

    @cached_property
    def tables(self) -> Int[np.ndarray, "c taps rows d"]:
        """Tables of what each level adds to the first convolution at each place of the kernel; unknown pixels add 0."""
        channels, levels, weight = self.image.channels, self.image.levels, self.weights["first.weight"].astype(float)
        taps = np.moveaxis(weight.reshape(*weight.shape[:2], -1), 2, 0)  # [taps, d, inputs]
        if self.image.ordered:
            embedded = (np.arange(levels) * (2 / (levels - 1)) - 1)[:, None]
        else:
            embedded = self.weights["embedding.weight"].astype(float)
        each = embedded.shape[1]
        tables = np.zeros((channels, len(taps), levels + 1, weight.shape[0]))
        for c in range(channels):
            tables[c, :, :levels] = taps[:, None, :, channels * each + c]
            for i in range(each):  # in this order, so that sums are rounded in the same way everywhere
                tables[c, :, :levels] += taps[:, None, :, c * each + i] * embedded[:, i, None]
        return _rounded(tables * 2.0**_BITS)

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

    def _encode(
        self, values: Shaped[np.ndarray, "n c h w"], known: Bool[np.ndarray, "n c h w"]
    ) -> Float[np.ndarray, "n h w d"]:
        index = np.where(known, values, self.image.levels)
        size = index.shape[2:]
        reach = round(self.tables.shape[1] ** 0.5) // 2
        padding = ((0, 0), (0, 0), (reach, reach), (reach, reach))
        padded = np.pad(index, padding, constant_values=self.image.levels)
        bias = _rounded(self.weights["first.bias"].astype(np.float64) * 2.0**_BITS)
        h = np.broadcast_to(bias, (len(index), *size, len(bias))).copy()
        for tap in range(self.tables.shape[1]):
            row, column = divmod(tap, 2 * reach + 1)
            for c in range(self.image.channels):
                h += self.tables[c, tap][padded[:, c, row : row + size[0], column : column + size[1]]]
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
    result: NDArray[np.int64] = np.floor(x + 0.5).astype(np.int64)
    return result


def _normalise(h: Int[np.ndarray, "n h w d"]) -> NDArray[np.float64]:
    """Divide by the root mean square over the features."""
    mean = (h * h).sum(-1, keepdims=True) / h.shape[-1]
    result: NDArray[np.float64] = h / np.sqrt(mean + _EPSILON)
    return result


class KnownConfig(ConditionConfig):
    """Known pixels of the image itself.

    ```python
    pt.build("gated-pixelcnn", shape=(1, 28, 28), known=True)
    KnownConfig(width=16)
    ```

    Attributes:
        completion: Train the model to complete images, from any known pixels.
        width: features of the map that enters every layer.
        layers: number of residual 3x3 convolutions, with dilations 1, 2, 4 and 8 in turn.
        level_channels: features of the embedding of an unordered level.
    """

    kind: ClassVar[str] = "known"
    portable: ClassVar[type[PortableEncoder]] = KnownFeatures

    completion: bool = True
    width: int = Field(32, ge=1, le=1024)
    layers: int = Field(6, ge=0, le=64)
    level_channels: int = Field(8, ge=1, le=1024)

    @classmethod
    def of(cls, value: bool, image: ImageSpec) -> KnownConfig:
        """Expand True, the only short form."""
        if value is not True:
            raise ConfigError(f"`known` (={value!r}) must be True, for a model that completes images, or left out.")
        return cls()

    @classmethod
    def infer(cls, settings: KnownConfig | None, data: ImageDataset) -> KnownConfig | None:
        """Keep the settings: every image can be known in parts."""
        return settings if settings is not None and settings.completion else None

    def describe(self) -> list[str]:
        """Name the condition."""
        return ["known pixels (any mask)"]

    @classmethod
    def unsupported(cls, value: Any) -> ConfigError:
        """Name what completes images otherwise."""
        return ConfigError(
            "`known` cannot be used: this model was not trained to complete images. Use `pt.inpaint`, or train it with "
            "`--completion`."
        )
