"""Attributes: several categorical columns, such as hair and eyes, each with names. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.label import NO_LABEL, label_input, label_numbers, match_names, value_names
from pointillist.conditioning.portable import LayerFeatures, Name, PortableEncoder, StoredEncoder, StoredWeights
from pointillist.conditioning.registry import ConditionConfig
from pointillist.errors import ConfigError, choices, quote
from pointillist.files.arrays import Array, ArrayReader, ArrayWriter
from pointillist.files.reading import MAX_NAME, check_texts

if TYPE_CHECKING:
    from pointillist.data import Batch, ImageDataset
    from pointillist.images import ImageSpec

MAX_ATTRIBUTES = 256


class StoredAttributes(StoredEncoder):
    """JSON values of embeddings of attributes: the names of the values of each."""

    values: dict[Name, Annotated[list[Name], Field(min_length=1, max_length=2**20)]] = Field(
        min_length=1, max_length=MAX_ATTRIBUTES
    )


class AttributeFeatures(LayerFeatures):
    """Embeddings of attributes in numpy: a row for each value of each, and the last for "unknown".

    The weight of the attribute N is `embeddings.N.weight`.
    """

    key: ClassVar[str] = "attributes"

    def features(self, values: Array, known: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Look up the features `[n, width]`."""
        tables = [self.weights[f"embeddings.{n}.weight"] for n in range(len(self.reader.values))]
        rows = [table[np.where(known[:, n], values[:, n], len(table) - 1)] for n, table in enumerate(tables)]
        return np.concatenate(rows, 1).astype(np.float64)

    def encode(self, arrays: ArrayWriter) -> dict[str, Any]:
        values = {name: list(names) for name, names in self.reader.values.items()}
        return {"values": values, **super().encode(arrays)}

    @classmethod
    def decode(cls, document: Any, part: str, width: int, arrays: ArrayReader) -> AttributeFeatures:
        """Read embeddings whose widths add up to the width of the part."""
        stored = StoredAttributes.parse(document, arrays)
        weights: dict[str, Array] = {}
        for n, names in enumerate(stored.values.values()):
            weights |= stored.weight(f"embeddings.{n}.weight", (len(names) + 1, None), arrays)
        total = sum(weights[f"embeddings.{n}.weight"].shape[1] for n in range(len(stored.values)))
        if part != "vector" or total != width:
            raise arrays.damaged("embeddings of attributes have another width")
        reader = AttributeReader({name: tuple(names) for name, names in stored.values.items()})
        return cls(reader, StoredWeights(weights))


class AttributesConfig(ConditionConfig):
    """Several named attributes of each image.

    ```python
    pt.build("gated-pixelcnn", shape=(1, 8, 8), attributes={"hair": ("black", "red"), "eyes": 3})
    AttributesConfig(values={"hair": ("black", "red")}, width=8)
    ```

    Attributes:
        values: names of the values of each attribute, by its name; from the training images if left out.
        width: features of the embedding of a value.
    """

    kind: ClassVar[str] = "attributes"
    incomplete: ClassVar[dict[str, str]] = {"values": f"`attributes` (=0 of them) must be 1 to {MAX_ATTRIBUTES}."}
    portable: ClassVar[tuple[type[PortableEncoder], ...]] = (AttributeFeatures,)

    values: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    width: int = Field(16, ge=1, le=8192)

    @model_validator(mode="after")
    def _check(self) -> AttributesConfig:
        if len(self.values) > MAX_ATTRIBUTES:
            raise ConfigError(f"`attributes` (={len(self.values)} of them) must be 1 to {MAX_ATTRIBUTES}.")
        for name, values in self.values.items():
            if not values or len(set(values)) != len(values):
                raise ConfigError(
                    f"The attribute {name!r} (={quote(values)}) must have values, with names that differ."
                )
            check_texts((name, *values), "A name of `attributes`", MAX_NAME)
        return self

    @classmethod
    def of(cls, value: Mapping[str, int | Sequence[str]], image: ImageSpec) -> AttributesConfig:
        """Expand names of the values of each attribute, or how many there are: `{"hair": 3}`."""
        if not isinstance(value, Mapping):
            raise ConfigError(
                f'`attributes` (={quote(value)}) must name the values of each attribute: {{"hair": ["red", "grey"]}}.'
            )
        return cls(values={name: value_names(values) for name, values in value.items()})

    @classmethod
    def infer(cls, settings: AttributesConfig | None, data: ImageDataset) -> AttributesConfig | None:
        if not data.annotations.attributes:
            return settings if settings is not None and settings.values else None
        return (settings or cls()).model_copy(update={"values": dict(data.annotations.values)})

    def describe(self) -> list[str]:
        """Say how many values each attribute has."""
        return [f"attribute {name} ({len(values)} values)" for name, values in self.values.items()]


@dataclass(frozen=True)
class AttributeReader:
    """Read values of attributes.

    ```python
    AttributeReader({"hair": ("black", "red")}).read({"hair": "red"}, 1, (8, 8)).values  # [[1]]
    ```

    Attributes:
        values: names of the values of each attribute, by its name.
    """

    values: Mapping[str, tuple[str, ...]]
    keyword: ClassVar[str] = "attributes"

    def read(self, value: Any, count: int, size: tuple[int, int]) -> MaskedValue:
        """Read values by attribute, one for all images or one each; attributes that are not named are unknown.

        Raises:
            ConfigError: for what is not a mapping, or names an attribute or a value that the model does not know.
        """
        if value is not None and not isinstance(value, Mapping):
            example = {name: names[0] for name, names in list(self.values.items())[:1]}
            raise ConfigError(f"`attributes` (={value!r}) must be a mapping, for example {example}.")
        value = value or {}
        unknown = [name for name in value if name not in self.values]
        if unknown:
            raise ConfigError(f"There is no attribute {quote(unknown[0])}: {choices(unknown[0], self.values)}")
        columns = [label_numbers(value.get(name), names, count, name) for name, names in self.values.items()]
        return label_input(np.stack(columns, 1))

    def from_batch(self, batch: Batch, image: ImageSpec) -> MaskedValue:
        """Match the attributes of a batch by the names of their values."""
        columns = []
        for name, values in self.values.items():
            numbers = np.full(len(batch), NO_LABEL)
            if name in batch.annotations.attributes:
                rows = match_names(batch.annotations.values[name], values, f"The {name}")
                numbers = rows[batch.annotations.attributes[name]]
            columns.append(numbers)
        return label_input(np.stack(columns, 1))
