"""Attributes: several categorical columns, such as hair and eyes, each with names. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from jaxtyping import Int
from pydantic import Field, model_validator

from pointillist.conditioning.label import label_numbers, value_names
from pointillist.conditioning.settings import ConditionConfig
from pointillist.errors import ConfigError, quote
from pointillist.files.reading import MAX_NAME, check_texts

if TYPE_CHECKING:
    from pointillist.data import ImageDataset
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

    def describe(self) -> list[str]:
        """Say how many values each attribute has."""
        return [f"attribute {name} ({len(values)} values)" for name, values in self.values.items()]


def attribute_numbers(value: Any, values: Mapping[str, Sequence[str]], count: int) -> Int[np.ndarray, "b a"]:
    """Parse values by attribute, one for all images or one each; attributes that are not named are unknown.

    ```python
    attribute_numbers({"eyes": "blue"}, {"hair": ("black", "red"), "eyes": ("blue", "green")}, 1)  # [[-1, 0]]
    ```

    Args:
        value: numbers or names by attribute; None for none.
        values: names of the values of each attribute.
        count: number of images.

    Raises:
        ConfigError: for what is not a mapping, or names an attribute or a value that the model does not know.
    """
    if value is not None and not isinstance(value, Mapping):
        example = {name: names[0] for name, names in list(values.items())[:1]}
        raise ConfigError(f"`attributes` (={value!r}) must be a mapping, for example {example}.")
    value = value or {}
    unknown = [name for name in value if name not in values]
    if unknown:
        raise ConfigError(f"There is no attribute {unknown[0]!r}: choose one of {', '.join(values)}.")
    return np.stack([label_numbers(value.get(name), names, count, name) for name, names in values.items()], 1)
