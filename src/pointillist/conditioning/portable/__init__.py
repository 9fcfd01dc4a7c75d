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
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pointillist.conditioning.inputs import MaskedValue
from pointillist.errors import ConfigError
from pointillist.files.arrays import SCALE_SUFFIX, Array, ArrayReader, ArrayWriter

if TYPE_CHECKING:
    from pointillist.data import Batch
    from pointillist.images import ImageSpec


Name = Annotated[str, Field(max_length=1000)]
Document = TypeVar("Document", bound="StoredEncoder")


class ReadsValues:
    """Base of the encoders of a condition, in torch and without it, which share what reads its values.

    Attributes:
        reader: reads values.
    """

    reader: Any

    def read(self, value: Any, count: int, size: tuple[int, int]) -> MaskedValue:
        """Validate the value that a user gives for `count` images of a size, as `ConditionReader.read`."""
        result: MaskedValue = self.reader.read(value, count, size)
        return result

    def from_batch(self, batch: Batch, image: ImageSpec) -> MaskedValue:
        """Read the condition of each image of a batch, as `ConditionReader.from_batch`."""
        result: MaskedValue = self.reader.from_batch(batch, image)
        return result


class PortableEncoder(ReadsValues, ABC):
    """The half of a condition encoder that a model without torch stores and computes.

    `ConditionEncoder.portable` makes it of an encoder; the settings of its kind name its class in `portable`, so that a
    stored model can be read.

    ```python
    encoder = integer_model.parts[0][0].encoder
    value = encoder.read(hint, 4, (8, 8))
    encoder.features(value.values, value.known).shape  # (4, 8, 8, 32)
    ```

    Attributes:
        key: name of its entry in `program.json`.
        keyword: the keyword under which a user gives the value.
        reader: reads values; shared with the encoder in torch.
    """

    key: ClassVar[str]
    keyword: ClassVar[str]

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


Integers = NDArray[np.int64]
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


def linear(x: Integers, weight: NDArray[np.floating[Any]], bias: NDArray[np.floating[Any]]) -> Integers:
    """Apply a linear layer to `[in]`.

    Raises:
        ConfigError: if it has too many inputs.
    """
    if len(x) > MAX_TERMS:
        raise ConfigError(f"An encoder of prompts has {len(x):,} inputs, which must be at most {MAX_TERMS:,}.")
    total = to_fixed(weight, WEIGHT_BITS, WEIGHT_LIMIT) @ x.clip(-LIMIT, LIMIT)
    total = total + to_fixed(bias, BITS + WEIGHT_BITS, BIAS_LIMIT)
    result: Integers = (total + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS
    return result


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
