"""Attributes: several categorical columns, such as hair and eyes, each with names and an "unknown" of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from pydantic import Field, model_validator
from torch import Tensor, nn

from pointillist.conditioning.base import ConditionConfig, ConditionEncoder
from pointillist.conditioning.given import NO_LABEL
from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.label import label_input, match_names, resolve_labels, value_names
from pointillist.data import Batch, ImageDataset
from pointillist.errors import ConfigError, quote
from pointillist.files.reading import MAX_NAME, check_texts
from pointillist.images import ImageSpec

MAX_ATTRIBUTES = 256


class AttributesConfig(ConditionConfig):
    """Several named attributes of each image.

    ```python
    pt.build("gated-pixelcnn", shape=(1, 8, 8), attributes={"hair": ("black", "red"), "eyes": 3})
    AttributesConfig(values={"hair": ("black", "red")}, width=8)
    ```

    Attributes:
        values: names of the values of each attribute, by its name; those of the training images if left out.
        width: features of the embedding of a value.
    """

    kind: ClassVar[str] = "attributes"

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
        return cls(values={name: value_names(values) for name, values in value.items()})

    @classmethod
    def infer(cls, settings: AttributesConfig | None, data: ImageDataset) -> AttributesConfig | None:
        """Take the attributes of the data set."""
        if not data.annotations.attributes:
            return settings if settings is not None and settings.values else None
        return (settings or cls()).model_copy(update={"values": dict(data.annotations.values)})

    def check_complete(self) -> None:
        """Check that there are attributes."""
        if not self.values:
            raise ConfigError(f"`attributes` (={len(self.values)} of them) must be 1 to {MAX_ATTRIBUTES}.")

    def encoders(self, image: ImageSpec) -> dict[str, ConditionEncoder]:
        """An embedding for each attribute."""
        return {"attributes": AttributeEncoder(self)}


class AttributeEncoder(ConditionEncoder):
    """A learned vector for each value of each attribute, and one for "unknown", side by side.

    ```python
    encoder = AttributeEncoder(AttributesConfig(values={"hair": ("black", "red"), "eyes": ("blue", "green")}))
    encoder(encoder.parse({"hair": "red"}, 4, (8, 8))).shape  # (4, 32, 1, 1); the eyes are unknown
    ```
    """

    keyword = "attributes"

    def __init__(self, config: AttributesConfig) -> None:
        super().__init__()
        self.values = config.values
        self.vector_width = config.width * len(config.values)
        self.embeddings = nn.ModuleList(nn.Embedding(len(names) + 1, config.width) for names in config.values.values())

    def parse(self, value: Mapping[str, Any] | None, batch_size: int, size: tuple[int, int]) -> MaskedValue:
        """Parse values by attribute, one for all images or one each; attributes that are not named are unknown."""
        if value is not None and not isinstance(value, Mapping):
            raise ConfigError(f"`attributes` (={value!r}) must be a mapping, for example {self._example()}.")
        value = value or {}
        unknown = [name for name in value if name not in self.values]
        if unknown:
            raise ConfigError(f"There is no attribute {unknown[0]!r}: choose one of {', '.join(self.values)}.")
        columns = [resolve_labels(value.get(name), names, batch_size, name) for name, names in self.values.items()]
        return label_input(torch.stack(columns, 1))

    def from_batch(self, batch: Batch) -> MaskedValue:
        """Match the attributes of a batch by the names of their values."""
        columns = []
        for name, values in self.values.items():
            numbers = torch.full((len(batch),), NO_LABEL)
            if name in batch.annotations.attributes:
                rows = match_names(batch.annotations.values[name], values, f"The {name}")
                numbers = rows[torch.from_numpy(batch.annotations.attributes[name])]
            columns.append(numbers)
        return label_input(torch.stack(columns, 1))

    def forward(self, value: MaskedValue) -> Float[Tensor, "b d 1 1"]:
        """Embed all attributes."""
        result = []
        for column, (table, names) in enumerate(zip(self.embeddings, self.values.values(), strict=True)):
            result.append(table(torch.where(value.known[:, column], value.values[:, column], len(names))))
        return torch.cat(result, 1)[:, :, None, None]

    def embedding_tables(self) -> dict[str, tuple[Tensor, tuple[str, ...]]]:
        """The embeddings of each attribute."""
        tables = [table.weight for table in self.embeddings if isinstance(table, nn.Embedding)]
        return {name: (table, names) for table, (name, names) in zip(tables, self.values.items(), strict=True)}

    def _example(self) -> str:
        name, values = next(iter(self.values.items()))
        return repr({name: values[0]})
