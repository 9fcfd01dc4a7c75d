"""A vector of floats from anywhere: measurements, an embedding of another model. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.portable import SIGMOID, LayerFeatures, PortableEncoder, StoredEncoder, StoredWeights
from pointillist.conditioning.registry import ConditionConfig
from pointillist.errors import ConfigError, DataError, ShapeError, quote
from pointillist.files.arrays import Array, ArrayReader

if TYPE_CHECKING:
    from pointillist.data import Batch, ImageDataset
    from pointillist.images import ImageSpec


@dataclass(frozen=True)
class VectorReader:
    """Read vectors.

    ```python
    VectorReader(2).read([0.5, 1.0], 4, (8, 8)).values.shape  # (4, 2)
    ```

    Attributes:
        size: numbers in a vector.
    """

    size: int
    keyword: ClassVar[str] = "vector"

    def read(self, value: Any, count: int, size: tuple[int, int]) -> MaskedValue:
        """Read finite floats `[d]` or `[n d]`, one vector for all images or one each; None for none.

        Raises:
            ShapeError, DataError: if they are of another size or count, or not finite.
        """
        if value is None:
            return MaskedValue(np.zeros((count, self.size), np.float32), np.zeros(count, bool))
        try:
            with np.errstate(over="ignore"):  # what is too large is not finite, which is said below
                values = np.atleast_2d(np.asarray(value, np.float32))
        except (TypeError, ValueError, OverflowError) as error:
            raise DataError(f"`vector` (={quote(value)}) must hold numbers: give {self.size} of them.") from error
        if values.ndim != 2 or values.shape[1] != self.size or len(values) not in (1, count):
            raise ShapeError(
                f"`vector` of shape {list(values.shape)} must be [{self.size}], or [{count}, {self.size}] for {count} "
                "images."
            )
        if not np.isfinite(values).all():
            raise DataError("`vector` holds a number that is not finite: leave such images out, or replace it.")
        return MaskedValue(np.broadcast_to(values, (count, self.size)), np.ones(count, bool))

    def from_batch(self, batch: Batch, image: ImageSpec) -> MaskedValue:
        vectors = batch.annotations.vectors
        if vectors is not None and vectors.shape[1] != self.size:
            raise ConfigError(
                f"The vectors of the images have {vectors.shape[1]} numbers, and the model takes {self.size}: "
                "read others, or leave them out."
            )
        return self.read(vectors, len(batch), (1, 1))


class VectorFeatures(LayerFeatures):
    """Two linear layers over a vector, in double precision: the same bits on every platform.

    A sum begins with the bias, and takes one product after the other, each rounded once as IEEE 754 prescribes. The
    sigmoid is read from the table of `fixed_point` by linear interpolation. A vector may hold numbers of any size,
    which integers in fixed point could not.

    Attributes:
        weights: `first.weight`, `first.bias`, `second.weight`, `second.bias`.
    """

    key: ClassVar[str] = "vectors"

    def features(self, values: Array, known: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Compute features `[n, width]`."""
        return self._linear("second", _silu(self._linear("first", values.astype(np.float64))))

    def _linear(self, name: str, x: NDArray[np.float64]) -> NDArray[np.float64]:
        weight, bias = (self.weights[f"{name}.{kind}"].astype(np.float64) for kind in ("weight", "bias"))
        result = np.broadcast_to(bias, (len(x), len(bias)))
        for i in range(x.shape[1]):  # in this order, and without a fused product and sum
            result = result + x[:, i, None] * weight[:, i]
        return result

    @classmethod
    def decode(cls, document: Any, part: str, width: int, arrays: ArrayReader) -> VectorFeatures:
        """Read an encoder whose matrices go together."""
        stored = StoredEncoder.parse(document, arrays)
        if part != "vector":
            raise arrays.damaged("an encoder of vectors has a map")
        weights = stored.weight("first.weight", (width, None), arrays)
        for name, shape in (("first.bias", (width,)), ("second.weight", (width, width)), ("second.bias", (width,))):
            weights |= stored.weight(name, shape, arrays)
        return cls(VectorReader(weights["first.weight"].shape[1]), StoredWeights(weights))


def _silu(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute x sigmoid(x): the entries of the table are 1/256 apart, from -16 to 16."""
    place = (x * 256).clip(-4096, 4096) + 4096
    index = np.floor(place).clip(max=8191).astype(np.int64)
    low = SIGMOID[index]
    result: NDArray[np.float64] = x * ((low + (SIGMOID[index + 1] - low) * (place - index)) / 2.0**24)
    return result


class VectorConfig(ConditionConfig):
    """A vector for each image.

    ```python
    pt.build("gated-pixelcnn", shape=(1, 8, 8), vector=3)
    VectorConfig(size=3, width=32)
    ```

    Attributes:
        size: numbers in the vector; from the training images if left out.
        width: features it is encoded as.
    """

    kind: ClassVar[str] = "vector"
    incomplete: ClassVar[dict[str, str]] = {
        "size": "`conditions.vector.size` (=0) must be at least 1: give the numbers in a vector."
    }
    portable: ClassVar[tuple[type[PortableEncoder], ...]] = (VectorFeatures,)

    size: int = Field(0, ge=0, le=65_536)
    width: int = Field(64, ge=1, le=8192)

    @classmethod
    def of(cls, value: int, image: ImageSpec) -> VectorConfig:
        """Expand the size."""
        return cls(size=value)

    @classmethod
    def infer(cls, settings: VectorConfig | None, data: ImageDataset) -> VectorConfig | None:
        """Take the size of the vectors of the data set."""
        vectors = data.annotations.vectors
        if vectors is None:
            return settings if settings is not None and settings.size else None
        return (settings or cls()).model_copy(update={"size": vectors.shape[1]})

    def value_form(self) -> str:
        """Say how many numbers there are."""
        return f"{self.size} numbers"

    def describe(self) -> list[str]:
        """Say how many numbers there are."""
        return [f"vector ({self.size} numbers)"]
