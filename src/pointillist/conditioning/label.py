"""Class labels: given by number or by name, embedded as a vector, with one more entry for "no label"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.inputs import MaskedValue
from pointillist.errors import ConfigError, ShapeError

NO_LABEL = -1

Label = int | str | Sequence[int | str] | Tensor | None


class LabelEncoder(ConditionEncoder):
    """A learned vector for each class and one for no label, which hidden labels train."""

    def __init__(self, classes: Sequence[str], width: int) -> None:
        super().__init__()
        self.classes = tuple(classes)
        self.vector_width = width
        self.embedding = nn.Embedding(len(self.classes) + 1, width)

    def resolve(self, asked: Label, count: int, size: tuple[int, int]) -> MaskedValue:
        """See `resolve_labels`."""
        return label_input(resolve_labels(asked, self.classes, count))

    def forward(self, part: MaskedValue) -> Float[Tensor, "b d 1 1"]:
        """The vector of each label."""
        index = torch.where(part.known, part.values, len(self.classes))
        out: Tensor = self.embedding(index)[:, :, None, None]
        return out

    def tables(self) -> dict[str, tuple[Tensor, tuple[str, ...]]]:
        """The vectors of the classes."""
        return {"label": (self.embedding.weight, self.classes)}


def label_input(numbers: Int[Tensor, "b ..."]) -> MaskedValue:
    """Labels in [0, classes), or `NO_LABEL`, as a part of what is told."""
    return MaskedValue(numbers, numbers != NO_LABEL)


def labels_from_input(part: MaskedValue | None, count: int) -> Int[Tensor, " b"]:
    """The other way: numbers, `NO_LABEL` where there is none."""
    return torch.full((count,), NO_LABEL) if part is None else torch.where(part.known, part.values, NO_LABEL)


def resolve_labels(label: Label, classes: Sequence[str], count: int, what: str = "label") -> Int[Tensor, " b"]:
    """Labels of `count` images as integers: one for all or one each, by number or by class name; None is no label.

    Args:
        what: what to call them in messages.

    Raises:
        ConfigError: if the model has no classes, or a label is not one of them.
        ShapeError: if there are neither one nor `count` labels.
    """
    if label is None:
        return torch.full((count,), NO_LABEL)
    if not classes:
        raise ConfigError(f"`{what}` (={label!r}) cannot be used: this model was trained without labels. Leave it out.")
    if isinstance(label, (Tensor, np.ndarray)):
        values: list[Any] = label.reshape(-1).tolist()
    elif isinstance(label, (int, str)) or not hasattr(label, "__iter__"):
        values = [label]
    else:
        values = list(label)
    if len(values) not in (1, count):
        raise ShapeError(f"{len(values)} {what}s do not fit {count} images: give one {what}, or one for each image.")
    numbers = torch.tensor([_number(v, classes, what) for v in values], dtype=torch.int64)
    return numbers.expand(count).clone() if len(values) == 1 else numbers


def _number(value: Any, classes: Sequence[str], what: str) -> int:
    """A class name first (so that a folder called "7" is found), then a number."""
    if value is None:
        return NO_LABEL
    if isinstance(value, str):
        if value in classes:
            return list(classes).index(value)
        if not re.fullmatch("-?[0-9]+", value):
            shown = ", ".join(classes[:12]) + (", ..." if len(classes) > 12 else "")
            raise ConfigError(f"There is no {_kind(what)} {value!r}: choose one of {shown}.")
    number = int(value) if isinstance(value, (int, str)) or float(value).is_integer() else len(classes)
    if number != NO_LABEL and not 0 <= number < len(classes):
        raise ConfigError(
            f"`{what}` (={value}) must be a {_kind(what)} name or a number from 0 to {len(classes) - 1} "
            "(or -1 for none)."
        )
    return number


def _kind(what: str) -> str:
    return "class" if what == "label" else what
