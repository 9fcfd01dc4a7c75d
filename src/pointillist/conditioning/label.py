"""Class labels, by number or by name. Needs no torch; `encoders/vectors.py` embeds them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import Field, field_validator

from pointillist.conditioning.inputs import MaskedValue
from pointillist.conditioning.registry import ConditionConfig, missing
from pointillist.errors import ConfigError, ShapeError, closest, is_number, quote
from pointillist.files.reading import MAX_NAME, check_texts
from pointillist.images.array_types import Int

if TYPE_CHECKING:
    from pointillist.data import Batch, ImageDataset
    from pointillist.images import ImageSpec

NO_LABEL = -1
MOST_NAMES = 2**20  # as attributes have: a larger count is a slip, and its names would fill the memory

Label = int | str | Sequence[int | str | None] | np.ndarray | None


@dataclass(frozen=True)
class LabelReader:
    """Read labels.

    ```python
    LabelReader(("cat", "dog")).read(["dog", None], 2, (8, 8)).known  # [True, False]
    ```

    Attributes:
        classes: names of the classes.
        keyword: the keyword under which a user gives a label.
    """

    classes: tuple[str, ...]
    keyword: str = "label"

    def read(self, value: Label, count: int, size: tuple[int, int]) -> MaskedValue:
        """Read labels, one for all images or one each; see `label_numbers`."""
        return label_input(label_numbers(value, self.classes, count, self.keyword))

    def from_batch(self, batch: Batch, image: ImageSpec) -> MaskedValue:
        """Match the labels of a batch by class name."""
        if batch.labels is None:
            return label_input(np.full(len(batch), NO_LABEL))
        return label_input(match_names(batch.classes, self.classes, "Class")[batch.labels])


class LabelConfig(ConditionConfig):
    """A class label for each image.

    ```python
    pt.build("gated-pixelcnn", shape=(1, 8, 8), classes=("cat", "dog"))
    LabelConfig(classes=("cat", "dog"), width=32)
    ```

    Attributes:
        classes: names of the classes; from the training images if left out.
        width: features of a class embedding.
    """

    kind: ClassVar[str] = "label"
    incomplete: ClassVar[dict[str, str]] = {
        "classes": "`conditions.label.classes` is missing: give the names of the classes."
    }

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

    def describe(self) -> list[str]:
        """Say how many classes there are."""
        return [f"label ({len(self.classes)} classes)"]

    @classmethod
    def unsupported(cls, value: Any) -> ConfigError:
        return missing("label", "labels", f" (={value!r})")


def value_names(values: int | Sequence[str]) -> tuple[str, ...]:
    """Names of values: numbers from 0 where only their count is given.

    Raises:
        ConfigError: for what is neither a count nor several names.
    """
    if isinstance(values, int):
        if values > MOST_NAMES:
            raise ConfigError(f"The number of names (={quote(values)}) must lie in 1 to {MOST_NAMES:,}.")
        return tuple(map(str, range(values)))
    if isinstance(values, str) or np.ndim(np.asarray(values, object)) != 1:
        raise ConfigError(f"The names (={quote(values)}) must be a list of texts, or their number.")
    return tuple(values)


def match_names(theirs: Sequence[str], ours: Sequence[str], what: str) -> Int[np.ndarray, " n"]:
    """Map names of a data set to numbers of the model, with `NO_LABEL` as the last entry, so that -1 stays unknown.

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
    return np.array([*(rows[name] for name in theirs), NO_LABEL])


def label_input(numbers: Int[np.ndarray, "b ..."]) -> MaskedValue:
    """Masked value of labels in [0, classes), or `NO_LABEL`.

    ```python
    label_input(np.array([3, NO_LABEL])).known  # [True, False]
    ```
    """
    if numbers.ndim and not any(numbers.strides):  # one number for all images takes the memory of one
        return MaskedValue(numbers, np.broadcast_to(numbers[:1] != NO_LABEL, numbers.shape))
    return MaskedValue(numbers, numbers != NO_LABEL)


def labels_from_input(value: MaskedValue | None, count: int) -> Int[np.ndarray, " b"]:
    """Numbers of a masked label, `NO_LABEL` where it is unknown.

    ```python
    labels_from_input(label_input(np.array([3, NO_LABEL])), 2)  # [3, -1]
    ```
    """
    return np.full(count, NO_LABEL) if value is None else np.where(value.known, value.values, NO_LABEL)


def label_numbers(label: Any, classes: Sequence[str], count: int, what: str = "label") -> Int[np.ndarray, " b"]:
    """Integers of the labels of `count` images: one for all or one each, by number or class name; None is not a label.

    ```python
    label_numbers(["dog", 0, None], ["cat", "dog"], 3)  # [1, 0, -1]
    ```

    Args:
        label: numbers or names; also as an array or a tensor.
        classes: names of the classes.
        count: number of images.
        what: their name in messages.

    Raises:
        ConfigError: if the model has no classes, or a label is not one of them.
        ShapeError: if there are neither one nor `count` labels.
    """
    if label is None:
        return np.broadcast_to(np.int64(NO_LABEL), count)  # takes no memory
    if not classes:
        raise missing(what, "labels", f" (={label!r})")
    if hasattr(label, "tolist"):
        values: list[Any] = label.reshape(-1).tolist()
    elif isinstance(label, (int, str)) or not hasattr(label, "__iter__"):
        values = [label]
    else:
        values = list(label)
    if len(values) not in (1, count):
        raise ShapeError(f"{len(values)} {what}s do not fit {count} images: give one {what}, or one for each image.")
    numbers: np.ndarray = np.array([label_number(value, classes, what) for value in values], np.int64)
    return np.repeat(numbers, count) if len(values) == 1 else numbers


def label_number(value: Any, classes: Sequence[str], what: str = "label") -> int:
    """Look up a class name first (so that a folder called "7" is found), then a number."""
    if value is None:
        return NO_LABEL
    if isinstance(value, str):
        if value in classes:
            return list(classes).index(value)
        if not re.fullmatch("-?[0-9]+", value):
            shown = ", ".join(classes[:12]) + (", ..." if len(classes) > 12 else "")
            near = closest(value, classes)
            meant = f"did you mean {near!r}? Or " if near else ""
            raise ConfigError(f"There is no {_kind(what)} {quote(value)}: {meant}choose one of {shown}.")
        value = int(value)
    elif not is_number(value):
        raise ConfigError(f"`{what}` (={quote(value)}) must be a {_kind(what)} name or a number.")
    number = int(value) if value % 1 == 0 else len(classes)
    if number != NO_LABEL and not 0 <= number < len(classes):
        raise ConfigError(
            f"`{what}` (={value}) must be a {_kind(what)} name or a number from 0 to {len(classes) - 1} "
            "(or -1 for none)."
        )
    return number


def _kind(what: str) -> str:
    return "class" if what == "label" else what
