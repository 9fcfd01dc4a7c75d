"""Encoders of conditions that are one vector for an image: labels, attributes, floats."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pointillist.conditioning.attributes import AttributeFeatures, AttributeReader, AttributesConfig
from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.label import LabelConfig, LabelReader
from pointillist.conditioning.portable import LayerFeatures
from pointillist.conditioning.vector import VectorConfig, VectorFeatures, VectorReader
from pointillist.images import ImageSpec
from pointillist.images.array_types import Float


def label_encoders(config: LabelConfig, image: ImageSpec) -> dict[str, ConditionEncoder]:
    """Make an embedding of the classes."""
    return {"label": LabelEncoder(config.classes, config.width)}


class LabelEncoder(ConditionEncoder):
    """A learned vector for each class and one for no label, trained by dropped labels.

    ```python
    encoder = LabelEncoder(("cat", "dog"), width=16)
    encoder.encode(encoder.reader.read(["dog", None], 2, (8, 8))).shape  # (2, 16, 1, 1)
    ```
    """

    def __init__(self, classes: Sequence[str], width: int) -> None:
        super().__init__()
        self.classes: tuple[str, ...] = tuple(classes)
        self.reader: LabelReader = LabelReader(self.classes)
        self.vector_width = width
        self.embedding: nn.Embedding = nn.Embedding(len(self.classes) + 1, width)

    def forward(self, value: MaskedValue) -> Float[Tensor, "b d 1 1"]:
        index = torch.where(value.known, value.values, len(self.classes))
        out: Tensor = self.embedding(index)[:, :, None, None]
        return out

    def named_values(self) -> tuple[str, ...]:
        return self.classes

    def embedding_tables(self) -> dict[str, tuple[Tensor, tuple[str, ...]]]:
        """The class embeddings."""
        return {"label": (self.embedding.weight, self.classes)}


def attributes_encoders(config: AttributesConfig, image: ImageSpec) -> dict[str, ConditionEncoder]:
    return {"attributes": AttributeEncoder(config)}


class AttributeEncoder(ConditionEncoder):
    """A learned vector for each value of each attribute, and one for "unknown", side by side.

    ```python
    encoder = AttributeEncoder(AttributesConfig(values={"hair": ("black", "red"), "eyes": ("blue", "green")}))
    encoder.encode(encoder.reader.read({"hair": "red"}, 4, (8, 8))).shape  # (4, 32, 1, 1); the eyes are unknown
    ```
    """

    without_torch: ClassVar[type[LayerFeatures] | None] = AttributeFeatures

    def __init__(self, config: AttributesConfig) -> None:
        super().__init__()
        self.values: dict[str, tuple[str, ...]] = config.values
        self.reader: AttributeReader = AttributeReader(config.values)
        self.vector_width: int = config.width * len(config.values)
        self.embeddings: nn.ModuleList = nn.ModuleList(
            nn.Embedding(len(names) + 1, config.width) for names in config.values.values()
        )

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


def vector_encoders(config: VectorConfig, image: ImageSpec) -> dict[str, ConditionEncoder]:
    """Make a small network over the vector."""
    return {"vector": VectorEncoder(config)}


class VectorEncoder(ConditionEncoder):
    """Two linear layers over the vector; learned features where it is unknown.

    ```python
    encoder = VectorEncoder(VectorConfig(size=3))
    encoder.encode(encoder.reader.read([0.5, 1.0, -2.0], 4, (8, 8))).shape  # (4, 64, 1, 1)
    ```
    """

    without_torch: ClassVar[type[LayerFeatures] | None] = VectorFeatures

    def __init__(self, config: VectorConfig) -> None:
        super().__init__()
        self.reader: VectorReader = VectorReader(config.size)
        self.vector_width: int = config.width
        self.first: nn.Linear = nn.Linear(config.size, config.width)
        self.second: nn.Linear = nn.Linear(config.width, config.width)
        self.absent: nn.Parameter = nn.Parameter(nn.init.normal_(torch.empty(config.width), std=0.1))

    def forward(self, value: MaskedValue) -> Float[Tensor, "b d 1 1"]:
        known = value.known[:, None]
        values = torch.where(known, value.values.to(self.absent.dtype), 0.0)
        features = self.second(F.silu(self.first(values)))
        return torch.where(known, features, self.absent)[:, :, None, None]
