"""Class labels: given by number or by name, embedded as a vector, with one more entry for "no label"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.errors import ConfigError, ShapeError

NO_LABEL = -1

Label = int | str | Sequence[int | str] | Tensor | None


class LabelEmbedding(nn.Module):
    """A learned vector for each class and one for no label, which dropped labels train."""

    def __init__(self, classes: int, width: int) -> None:
        super().__init__()
        self.classes = classes
        self.embedding = nn.Embedding(classes + 1, width)

    def forward(self, labels: Int[Tensor, " b"]) -> Float[Tensor, "b d 1 1"]:
        """Vectors of labels in [0, classes), or `NO_LABEL`."""
        index = torch.where(labels < 0, self.classes, labels)
        out: Tensor = self.embedding(index)[:, :, None, None]
        return out


def resolve_labels(label: Label, classes: Sequence[str], count: int) -> Int[Tensor, " b"]:
    """Labels of `count` images as integers: one for all or one each, by number or by class name; None is no label.

    Raises:
        ConfigError: if the model has no classes, or a label is not one of them.
        ShapeError: if there are neither one nor `count` labels.
    """
    if label is None:
        return torch.full((count,), NO_LABEL)
    if not classes:
        raise ConfigError(f"`label` (={label!r}) cannot be used: this model was trained without labels. Leave it out.")
    if isinstance(label, (Tensor, np.ndarray)):
        values: list[Any] = label.reshape(-1).tolist()
    elif isinstance(label, (int, str)) or not hasattr(label, "__iter__"):
        values = [label]
    else:
        values = list(label)
    if len(values) not in (1, count):
        raise ShapeError(f"{len(values)} labels do not fit {count} images: give one label, or one for each image.")
    numbers = torch.tensor([_number(v, classes) for v in values], dtype=torch.int64)
    return numbers.expand(count).clone() if len(values) == 1 else numbers


def _number(value: Any, classes: Sequence[str]) -> int:
    """A class name first (so that a folder called "7" is found), then a number."""
    if value is None:
        return NO_LABEL
    if isinstance(value, str):
        if value in classes:
            return list(classes).index(value)
        if not re.fullmatch("-?[0-9]+", value):
            shown = ", ".join(classes[:12]) + (", ..." if len(classes) > 12 else "")
            raise ConfigError(f"There is no class {value!r}: choose one of {shown}.")
    number = int(value) if isinstance(value, (int, str)) or float(value).is_integer() else len(classes)
    if number != NO_LABEL and not 0 <= number < len(classes):
        raise ConfigError(
            f"`label` (={value}) must be a class name or a number from 0 to {len(classes) - 1} (or -1 for no label)."
        )
    return number
