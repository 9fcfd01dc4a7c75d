"""Encoders of conditions without torch: stored weights, and features in numpy.

Features are computed before the first pixel, each image by itself, so that they do not depend on the batch, and in
fixed point, so that they do not depend on the processor. They become integers (`quantize_inputs`), which are the input
of the integer program.

Small networks over prompts have the same bits on every platform, in any order of the sums. A number x stands as the
integer round(2^18 x), of magnitude at most 2^24; a weight as round(2^20 w), at most 2^22; a bias as round(2^38 b), at
most 2^60. Rounding is to the nearest, halves upwards. With S the table of round(2^24 / (1 + exp(-i / 256))),
i = -4096 .. 4096, read by linear interpolation, its ends beyond,

    linear(x) = floor((sum of weight x + bias + 2^19) / 2^20)
    silu(x)   = floor((x S(x) + 2^23) / 2^24)

A sum of up to 2^16 products stays below 2^62.

Hints and known pixels share the canvas of a program of a grid: an image that is known in parts, embedded in 8 bits, and
its mask. `conditioning/encoders/grids.py` has their networks in torch. These are recorded as programs, which compute
the features (`model/portable/conditions.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pointillist.errors import ConfigError
from pointillist.files.arrays import SCALE_SUFFIX, Array, ArrayReader, ArrayWriter
from pointillist.images import ImageSpec
from pointillist.images.array_types import Bool, Float, Int, Shaped

Name = Annotated[str, Field(max_length=1000)]
Document = TypeVar("Document", bound="StoredEncoder")
Integers = NDArray[np.int64]


class PortableEncoder(ABC):
    """The half of a condition encoder that a model without torch stores and computes.

    `ConditionEncoder.portable` makes it of an encoder; the settings of its kind name its class in `portable`, so that a
    stored model can be read.

    ```python
    encoder = integer_model.parts[0][0].encoder
    value = encoder.reader.read(hint, 4, (8, 8))
    encoder.features(value.values, value.known).shape  # (4, 8, 8, 32)
    ```

    Attributes:
        key: name of its entry in `program.json`.
        reader: reads values; shared with the encoder in torch.
    """

    key: ClassVar[str]
    reader: Any

    @abstractmethod
    def features(self, values: Array, known: NDArray[np.bool_]) -> NDArray[np.floating[Any]]:
        """Compute features of images of which something is known: `[n, width]`, or a map `[n, h, w, width]`."""

    @abstractmethod
    def encode(self, arrays: ArrayWriter) -> dict[str, Any]:
        """Return the JSON values of the encoder; its arrays are added to `arrays`."""

    @classmethod
    @abstractmethod
    def decode(cls, document: Any, part: str, width: int, arrays: ArrayReader) -> PortableEncoder:
        """Read the encoder, with every type and shape checked.

        Args:
            document: JSON values that `encode` returned, from a file that anyone may have written.
            part: the part of the condition that it is for, `vector` or `map`.
            width: features of that part.
            arrays: the arrays.

        Raises:
            CheckpointError: if something is not what it must be.
        """


@dataclass(frozen=True, eq=False)
class StoredWeights:
    """Arrays by name.

    ```python
    weights = StoredWeights({"out.weight": np.ones((2, 3), np.float32)})
    weights["out.weight"].shape  # (2, 3)
    ```

    Attributes:
        arrays: float32, or int8 `[outputs, ...]` with the scale of each output, `NAME_scale`.
    """

    arrays: Mapping[str, Array]
    _decoded: dict[str, Array] = field(default_factory=dict)
    _layers: dict[str, tuple[Integers, Integers]] = field(default_factory=dict)

    def linear(self, name: str, x: Integers) -> Integers:
        """Apply a linear layer to `[..., in]`. Its weights are rounded once.

        Raises:
            ConfigError: if it has too many inputs.
        """
        if x.shape[-1] > MAX_TERMS:
            raise ConfigError(f"An encoder of prompts has {x.shape[-1]:,} inputs, which must be at most {MAX_TERMS:,}.")
        if name not in self._layers:
            weight = to_fixed(self[f"{name}.weight"], WEIGHT_BITS, WEIGHT_LIMIT)
            self._layers[name] = weight, to_fixed(self[f"{name}.bias"], BITS + WEIGHT_BITS, BIAS_LIMIT)
        weight, bias = self._layers[name]
        result: Integers = (x.clip(-LIMIT, LIMIT) @ weight.T + bias + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS
        return result

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        """Decode a weight; int8 times scale is exact in float32."""
        if name not in self._decoded:
            array = self.arrays[name].astype(np.float32)
            scale = self.arrays.get(name + SCALE_SUFFIX)
            shape = (-1, *[1] * (array.ndim - 1))
            self._decoded[name] = array if scale is None else array * scale.reshape(shape)
        return self._decoded[name]

    def encode(self, arrays: ArrayWriter) -> dict[str, str]:
        return {name: arrays.name(array) for name, array in self.arrays.items()}


@dataclass(frozen=True, eq=False)
class LayerFeatures(PortableEncoder):
    """Base of encoders that compute with the layers of the encoder in torch.

    Attributes:
        reader: reads values.
        weights: the weights of the layers, by name.
    """

    reader: Any
    weights: StoredWeights

    def encode(self, arrays: ArrayWriter) -> dict[str, Any]:
        """Return the weights; a subclass adds what its reader needs."""
        return {"weights": self.weights.encode(arrays)}


class StoredEncoder(BaseModel):
    """JSON values of an encoder: names of the arrays of its weights; a subclass adds its settings."""

    model_config: ClassVar[ConfigDict] = ConfigDict(extra="forbid", frozen=True, defer_build=True)

    weights: dict[Name, Name] = Field(max_length=512)

    @classmethod
    def parse(cls: type[Document], document: Any, arrays: ArrayReader) -> Document:
        """Validate JSON values.

        Raises:
            CheckpointError: naming the first that is wrong.
        """
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            first = error.errors()[0]
            raise arrays.damaged(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error

    def weight(self, name: str, shape: tuple[int | None, ...], arrays: ArrayReader) -> dict[str, Array]:
        """Read a finite weight: float32, or int8 with the scale of each output.

        Raises:
            CheckpointError: if it is missing, or anything else.
        """
        scale = self.weights.get(name + SCALE_SUFFIX)
        result = {name: arrays.get(self.weights.get(name), "float32" if scale is None else "int8", shape)}
        if scale is not None:
            result[name + SCALE_SUFFIX] = arrays.get(scale, "float32", (len(result[name]),))
        if any(not np.isfinite(array).all() for array in result.values()):
            raise arrays.damaged(f"the weight `{name}` of an encoder holds a number that is not finite")
        return result


BITS, WEIGHT_BITS = 18, 20
LIMIT, WEIGHT_LIMIT, BIAS_LIMIT = 1 << 24, 1 << 22, 1 << 60
MAX_TERMS = 1 << 16
_TABLE_BITS, _STEP_BITS, _REACH = 24, 8, 16
_ARGUMENTS = np.arange(-_REACH << _STEP_BITS, (_REACH << _STEP_BITS) + 1) / (1 << _STEP_BITS)
SIGMOID: Integers = np.floor(2.0**_TABLE_BITS / (1 + np.exp(-_ARGUMENTS)) + 0.5).astype(np.int64)
"""No entry lies near a half before it is rounded, so that every library of mathematics rounds it so."""


def to_fixed(x: NDArray[np.floating[Any]], bits: int = BITS, limit: int = LIMIT) -> Integers:
    """Round numbers to integers in steps of `2 ** -bits`, of magnitude at most `limit`."""
    return np.clip(np.floor(x.astype(np.float64) * 2.0**bits + 0.5), -limit, limit).astype(np.int64)


def from_fixed(x: Integers) -> NDArray[np.float64]:
    """Return the numbers that integers stand for, without rounding."""
    return x / 2.0**BITS


def silu(x: Integers) -> Integers:
    """Apply x sigmoid(x)."""
    x = x.clip(-LIMIT, LIMIT)
    inside = BITS - _STEP_BITS
    index = ((x >> inside) + len(SIGMOID) // 2).clip(0, len(SIGMOID) - 2)
    rest = (x - ((index - len(SIGMOID) // 2) << inside)).clip(0, 1 << inside)
    low = SIGMOID[index]
    squashed = low + (((SIGMOID[index + 1] - low) * rest) >> inside)
    result: Integers = (x * squashed + (1 << (_TABLE_BITS - 1))) >> _TABLE_BITS
    return result


MASK = 64
"""What a pixel that is known writes to the channels of its mask; it stands for 1."""
MOST = 127


@dataclass(frozen=True, eq=False)
class LevelTable:
    """Numbers in 8 bits that levels of an image write to a grid.

    Attributes:
        levels: of each level, `[levels, e]`; None for images of floats, which are rounded.
        unit: the number that an integer stands for, `[e]`; of floats, of each channel.
    """

    levels: Int[np.ndarray, "levels e"] | None
    unit: Float[np.ndarray, " e"]

    @classmethod
    def ordered(cls, count: int) -> LevelTable:
        """Spread ordered levels over [-1, 1]: without rounding, if there are at most 128."""
        # nearly as large as 8 bits allow: a product has one unit for the weights of levels and of the mask
        steps = MOST // (count - 1) * (count - 1) or MOST
        numbers = np.floor((np.arange(count) * (2 / (count - 1)) - 1) * steps + 0.5)
        return cls(numbers.astype(np.int8)[:, None], np.full(1, 1 / steps))

    @classmethod
    def embedded(cls, vectors: Float[np.ndarray, "levels e"]) -> LevelTable:
        """Round the vectors of unordered levels."""
        unit = cls.floats(np.abs(vectors).max(axis=0)).unit
        return cls(np.floor(vectors / unit + 0.5).clip(-MOST, MOST).astype(np.int8), unit)

    @classmethod
    def floats(cls, largest: Float[np.ndarray, " c"]) -> LevelTable:
        """Choose the units of floats by the largest magnitude of each channel."""
        return cls(None, 2.0 ** np.ceil(np.log2(np.maximum(largest.astype(np.float64), 2.0**-20) / MOST)))


@dataclass(frozen=True, eq=False)
class GridFeatures(PortableEncoder):
    """Write an image that is known in parts, and its mask, to the canvas of a program.

    Attributes:
        table: what levels write.
        masks_channels: whether there is a mask for each channel of the image; else one for all.
    """

    masks_channels: ClassVar[bool] = False

    table: LevelTable

    @property
    def unit(self) -> Float[np.ndarray, " i"]:
        """The number that an integer of each channel of the canvas stands for."""
        channels: int = self.reader.channels
        level = self.table.unit if self.table.levels is None else np.tile(self.table.unit, channels)
        return np.append(level, np.full(channels if self.masks_channels else 1, 1 / MASK))

    def features(self, values: Shaped[np.ndarray, "n c h w"], known: Bool[np.ndarray, "n m h w"]) -> np.ndarray:
        """Return the canvas `[n, h, w, i]` in integers: of each channel what its level writes, and then the mask."""
        if self.table.levels is None:
            rounded = np.floor(np.moveaxis(values, 1, -1).astype(np.float64) / self.table.unit + 0.5)
            written = np.where(np.moveaxis(known, 1, -1), rounded.clip(-MOST, MOST), 0)
        else:
            vectors = np.moveaxis(self.table.levels[np.where(known, values, 0)], 1, 3)
            written = np.where(np.moveaxis(known, 1, -1)[..., None], vectors, 0)
            written = written.reshape(*written.shape[:3], -1)
        return np.concatenate([written, np.moveaxis(known, 1, -1) * MASK], -1).astype(np.int32)

    def encode(self, arrays: ArrayWriter) -> dict[str, object]:
        """Return the table of levels; a subclass adds what its reader needs."""
        stored = {"levels": self.table.levels, "unit": self.table.unit}
        return {"weights": {name: arrays.name(array) for name, array in stored.items() if array is not None}}


class StoredGrid(StoredEncoder):
    """JSON values of an encoder of an image on the grid: what levels write; a subclass adds its settings."""

    def table(self, image: ImageSpec | None, channels: int, arrays: ArrayReader) -> LevelTable:
        """Read what levels write.

        Raises:
            CheckpointError: if an array is missing, or has another shape.
        """
        levels = None if image is None else arrays.get(self.weights.get("levels"), "int8", (image.levels, None))
        width = channels if levels is None else levels.shape[1]
        return LevelTable(levels, arrays.get(self.weights.get("unit"), "float64", (width,)))
