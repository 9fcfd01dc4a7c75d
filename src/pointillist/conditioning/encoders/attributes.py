"""Embeddings of attributes, each with its own "unknown"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pointillist.conditioning.attributes import AttributeFeatures, AttributesConfig, attribute_numbers
from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.encoders.label import label_input, match_names
from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.label import NO_LABEL
from pointillist.conditioning.portable import StoredWeights
from pointillist.data import Batch
from pointillist.images import ImageSpec


def encoders(config: AttributesConfig, image: ImageSpec) -> dict[str, ConditionEncoder]:
    """Make an embedding for each attribute."""
    return {"attributes": AttributeEncoder(config)}


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
        """Parse values by attribute; see `attribute_numbers`."""
        return label_input(torch.from_numpy(attribute_numbers(value, self.values, batch_size)))

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

    def portable(self, weights: StoredWeights) -> AttributeFeatures:
        """The same embeddings in numpy."""
        return AttributeFeatures(weights, self.values)
