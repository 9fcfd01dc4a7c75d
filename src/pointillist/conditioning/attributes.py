"""Attributes: several categorical columns, such as hair and eyes, each with its own names and its own "not told"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.label import label_input, resolve_labels
from pointillist.errors import ConfigError

MAX_ATTRIBUTES = 256


class AttributesConfig(BaseModel):
    """Which attributes a model listens to.

    Attributes:
        values: names of the values of each attribute, by its name.
        width: features of a value's vector.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    values: dict[str, tuple[str, ...]]
    width: int = Field(16, ge=1, le=8192)

    @model_validator(mode="after")
    def _check(self) -> AttributesConfig:
        if not 1 <= len(self.values) <= MAX_ATTRIBUTES:
            raise ConfigError(f"`attributes` (={len(self.values)} of them) must be 1 to {MAX_ATTRIBUTES}.")
        for name, values in self.values.items():
            if not values or len(set(values)) != len(values):
                raise ConfigError(f"The attribute {name!r} (={values!r}) must have values, with names that differ.")
        return self


class AttributeEncoder(ConditionEncoder):
    """A learned vector for each value of each attribute, and one for not knowing it, side by side."""

    def __init__(self, config: AttributesConfig) -> None:
        super().__init__()
        self.values = config.values
        self.vector_width = config.width * len(config.values)
        self.embeddings = nn.ModuleList(nn.Embedding(len(names) + 1, config.width) for names in config.values.values())

    def resolve(self, asked: Mapping[str, Any] | None, count: int, size: tuple[int, int]) -> MaskedValue:
        """Values by attribute, one for all images or one each; an attribute that is not named is not told."""
        if asked is not None and not isinstance(asked, Mapping):
            raise ConfigError(f"`attributes` (={asked!r}) must be a mapping, for example {self._example()}.")
        asked = asked or {}
        unknown = [name for name in asked if name not in self.values]
        if unknown:
            raise ConfigError(f"There is no attribute {unknown[0]!r}: choose one of {', '.join(self.values)}.")
        columns = [resolve_labels(asked.get(name), names, count, name) for name, names in self.values.items()]
        return label_input(torch.stack(columns, 1))

    def forward(self, part: MaskedValue) -> Float[Tensor, "b d 1 1"]:
        """The vectors of all attributes."""
        found = []
        for column, (table, names) in enumerate(zip(self.embeddings, self.values.values(), strict=True)):
            found.append(table(torch.where(part.known[:, column], part.values[:, column], len(names))))
        return torch.cat(found, 1)[:, :, None, None]

    def tables(self) -> dict[str, tuple[Tensor, tuple[str, ...]]]:
        """The vectors of the values of each attribute."""
        tables = [table.weight for table in self.embeddings if isinstance(table, nn.Embedding)]
        return {name: (table, names) for table, (name, names) in zip(tables, self.values.items(), strict=True)}

    def _example(self) -> str:
        name, values = next(iter(self.values.items()))
        return repr({name: values[0]})
