"""Class labels: given by number or by name, embedded as a vector, with one more entry for "no label"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from pydantic import Field, field_validator
from torch import Tensor, nn

from pointillist.conditioning.base import ConditionConfig, ConditionEncoder
from pointillist.conditioning.given import NO_LABEL, label_number
from pointillist.conditioning.inputs import MaskedValue
from pointillist.data import Batch, ImageDataset
from pointillist.errors import ConfigError, ShapeError
from pointillist.files.reading import MAX_NAME, check_texts
from pointillist.images import ImageSpec

Label = int | str | Sequence[int | str | None] | Tensor | None


class LabelConfig(ConditionConfig):
    """A class label for each image.

    ```python
    pt.build("gated-pixelcnn", shape=(1, 8, 8), classes=("cat", "dog"))
    LabelConfig(classes=("cat", "dog"), width=32)
    ```

    Attributes:
        classes: names of the classes; those of the training images if left out.
        width: features of a class embedding.
    """

    kind: ClassVar[str] = "label"

    classes: tuple[str, ...] = ()
    width: int = Field(64, ge=1, le=8192)

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(classes)) != len(classes):
            raise ConfigError("Class names must differ from one another: rename the doubles.")
        check_texts(classes, "A class name", MAX_NAME)
        return classes

    @classmethod
    def of(cls, value: int | Sequence[str], image: ImageSpec) -> LabelConfig:
        """Expand a number of classes, or their names."""
        return cls(classes=value_names(value))

    @classmethod
    def infer(cls, settings: LabelConfig | None, data: ImageDataset) -> LabelConfig | None:
        """Take the classes of the data set."""
        if data.labels is None:
            return settings if settings is not None and settings.classes else None
        return (settings or cls()).model_copy(update={"classes": tuple(data.classes)})

    def check_complete(self) -> None:
        """Check that there are classes."""
        if not self.classes:
            raise ConfigError("`conditions.label.classes` is missing: give the names of the classes.")

    def encoders(self, image: ImageSpec) -> dict[str, ConditionEncoder]:
        """An embedding of the classes."""
        return {"label": LabelEncoder(self.classes, self.width)}


class LabelEncoder(ConditionEncoder):
    """A learned vector for each class and one for no label, trained by dropped labels.

    ```python
    encoder = LabelEncoder(("cat", "dog"), width=16)
    encoder(encoder.parse(["dog", None], 2, (8, 8))).shape  # (2, 16, 1, 1)
    ```
    """

    keyword = "label"

    def __init__(self, classes: Sequence[str], width: int) -> None:
        super().__init__()
        self.classes = tuple(classes)
        self.vector_width = width
        self.embedding = nn.Embedding(len(self.classes) + 1, width)

    def parse(self, value: Label, batch_size: int, size: tuple[int, int]) -> MaskedValue:
        """Parse labels; see `resolve_labels`."""
        return label_input(resolve_labels(value, self.classes, batch_size))

    def from_batch(self, batch: Batch) -> MaskedValue:
        """Match the labels of a batch by class name."""
        if batch.labels is None:
            return label_input(torch.full((len(batch),), NO_LABEL))
        rows = match_names(batch.classes, self.classes, "Class")
        return label_input(rows[batch.labels])

    def forward(self, value: MaskedValue) -> Float[Tensor, "b d 1 1"]:
        """Embed each label."""
        index = torch.where(value.known, value.values, len(self.classes))
        out: Tensor = self.embedding(index)[:, :, None, None]
        return out

    def embedding_tables(self) -> dict[str, tuple[Tensor, tuple[str, ...]]]:
        """The class embeddings."""
        return {"label": (self.embedding.weight, self.classes)}


def match_names(theirs: Sequence[str], ours: Sequence[str], what: str) -> Int[Tensor, " n"]:
    """Our number of each of their names, by name, with `NO_LABEL` as the last entry, so that -1 stays unknown.

    ```python
    match_names(["dog", "cat"], ["cat", "dog", "owl"], "Class")  # [1, 0, -1]
    ```

    Raises:
        ConfigError: if one of their names is not among ours.
    """
    rows = {name: row for row, name in enumerate(ours)}
    unknown = [name for name in theirs if name not in rows]
    if unknown:
        raise ConfigError(
            f"{what} {unknown[0]!r} of the images is not one of the model's ({', '.join(ours[:8])}...): "
            "leave it out, or fine-tune a model with `init_from`."
        )
    return torch.tensor([*(rows[name] for name in theirs), NO_LABEL])


def value_names(values: int | Sequence[str]) -> tuple[str, ...]:
    """Names of values: numbers from 0 where only their count is given."""
    return tuple(str(i) for i in range(values)) if isinstance(values, int) else tuple(values)


def label_input(numbers: Int[Tensor, "b ..."]) -> MaskedValue:
    """Masked value of labels in [0, classes), or `NO_LABEL`.

    ```python
    label_input(torch.tensor([3, NO_LABEL])).known  # [True, False]
    ```
    """
    return MaskedValue(numbers, numbers != NO_LABEL)


def labels_from_input(value: MaskedValue | None, count: int) -> Int[Tensor, " b"]:
    """Numbers of a masked label, `NO_LABEL` where it is unknown.

    ```python
    labels_from_input(label_input(torch.tensor([3, NO_LABEL])), 2)  # [3, -1]
    ```
    """
    return torch.full((count,), NO_LABEL) if value is None else torch.where(value.known, value.values, NO_LABEL)


def resolve_labels(label: Label, classes: Sequence[str], count: int, what: str = "label") -> Int[Tensor, " b"]:
    """Integers of the labels of `count` images: one for all or one each, by number or by class name; None is no label.

    ```python
    resolve_labels(["dog", 0, None], ["cat", "dog"], 3)  # [1, 0, -1]
    ```

    Args:
        what: their name in messages.

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
    numbers = torch.tensor([label_number(v, classes, what) for v in values], dtype=torch.int64)
    return numbers.expand(count).clone() if len(values) == 1 else numbers
