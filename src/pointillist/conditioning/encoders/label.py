"""Embeddings of class labels, with one more entry for "no label"."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.conditioning.encoder import ConditionEncoder
from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.label import NO_LABEL, LabelConfig, label_numbers
from pointillist.data import Batch
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec

Label = int | str | Sequence[int | str | None] | Tensor | None


def encoders(config: LabelConfig, image: ImageSpec) -> dict[str, ConditionEncoder]:
    """Make an embedding of the classes."""
    return {"label": LabelEncoder(config.classes, config.width)}


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

    def named_values(self) -> tuple[str, ...]:
        """The classes."""
        return self.classes

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
    """Integers of the labels of `count` images as a tensor; see `label_numbers`.

    ```python
    resolve_labels(["dog", 0, None], ["cat", "dog"], 3)  # [1, 0, -1]
    ```
    """
    return torch.from_numpy(label_numbers(label, classes, count, what))
