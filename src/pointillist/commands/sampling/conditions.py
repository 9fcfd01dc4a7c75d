"""Conditions of the command line: prompts, labels, attributes, a hint from a picture, any registered kind."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.commands.report import note
from pointillist.conditioning.label import label_number
from pointillist.conditioning.registry import unsupported_condition
from pointillist.errors import ConfigError, DataError, ShapeError, shorten
from pointillist.files.reading import read_text
from pointillist.files.settings_tree import split_names
from pointillist.system import check_memory

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from pointillist.model.protocols import LikelihoodModel


def parse_hint(
    model: LikelihoodModel, hint: Path | None, image: Path | None, size: tuple[int, int] | None = None
) -> dict[str, Any]:
    """Parse the keyword `hint` of `sample`: a file, or derived from an image by the rule the model was trained with.

    Raises:
        ConfigError: if both are given, or the model has no such rule.
        DataError, ShapeError: if it cannot be read, or has another size.
    """
    if image is None:
        conditions = read_conditions([], hint)
        _note_hint(model, hint, conditions.get("hint"))
        return conditions
    if hint is not None:
        raise ConfigError(f"`--hint-from-image` (={image}) derives what `--hint` (={hint}) gives: drop one of them.")
    from pointillist.conditioning import hint_rule

    # before the image, which does not matter to a model that takes no hint
    rule = hint_rule(model.conditions.hint_reader)
    size = size or (model.image.height, model.image.width)
    return {"hint": rule.of(_levels_of(model, image, size), model.image)}


def _levels_of(model: LikelihoodModel, path: Path, size: tuple[int, int]) -> np.ndarray:
    """Read an image as training did, cropped and shrunk to `size`; levels of an .npy are taken as they are."""
    from pointillist.data import load_data
    from pointillist.model.folder.image_sources import resolve_data_options

    if is_array := path.suffix.lower() == ".npy":
        levels = read_numbers(path, "hint_from_image")
        levels = model.check_array(levels[None] if levels.ndim == 3 else levels)
        height, width = levels.shape[2:]
    else:
        picture = read_image(path, "hint_from_image")
        height, width = picture.height, picture.width
    if height < size[0] or width < size[1]:  # enlarged, its hint would be another than it looks like
        raise ShapeError(
            f"`--hint-from-image` (={path}) is {height}x{width}, smaller than the images of {size[0]}x{size[1]}: "
            "give a larger one, or the small image itself as `--hint`."
        )
    if is_array:
        return levels
    options = resolve_data_options(model, str(path), [], labels=False).changed(size=size)
    data = load_data(path, options, spec=model.image).get("all")
    for text in data.changes:
        note(f"note       {path}: {text}")
    return data.batch([0]).levels


def _note_hint(model: LikelihoodModel, path: Path | None, hint: Any) -> None:
    """Say which colours of a picture the levels of the hint do not hold."""
    if hint is None:
        return
    from PIL.Image import Image

    from pointillist.model.folder.image_sources import describe_colours

    spec = getattr(model.conditions.hint_reader, "image", None)
    if isinstance(hint, Image) and spec is not None:
        for text in describe_colours(spec, hint, spec.level_array(hint), str(path)):
            note(f"note       {text}")


def read_conditions(attributes: Sequence[str], hint: Path | None = None, others: Sequence[str] = ()) -> dict[str, Any]:
    """Read conditions as keywords of `sample`; those that are not given are left out.

    Args:
        attributes: `NAME=VALUE` each.
        hint: picture or `.npy` of a condition image.
        others: `KIND=VALUE` each, of registered kinds; see `parse_value`.

    Raises:
        ConfigError, DataError: if one has the wrong form or an unknown kind, or a file cannot be read.
    """
    result: dict[str, Any] = {}
    if attributes:
        result["attributes"] = dict(_pair("attribute", text, "hair=red") for text in attributes)
    for kind, value in (_pair("condition", text, "vector=0.2,1.5") for text in others):
        result[_other_kind(kind)] = parse_value(kind, value)
    if hint is not None:
        is_array = hint.suffix.lower() == ".npy"
        result["hint"] = read_numbers(hint, "hint") if is_array else read_image(hint, "hint", "a picture or an .npy")
    return result


def _pair(setting: str, text: str, example: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise ConfigError(f"`{setting}` (={text!r}) must be NAME=VALUE, for example {example}.")
    return name.strip(), value.strip()


def _other_kind(kind: str) -> str:
    """Check that a condition is registered, and has no dedicated option."""
    from pointillist.conditioning.registry import DEDICATED, condition_kinds

    kinds = [each for each in condition_kinds() if each not in DEDICATED]
    if kind not in kinds:
        raise ConfigError(
            f"`condition` (={kind!r}) must be one of {', '.join(kinds)}: others have options, or no module that "
            "registers them is imported."
        )
    return kind


def parse_value(kind: str, text: str) -> Any:
    """Parse the value of a condition: numbers in a `.npy`, JSON, numbers with commas, a picture, or else text.

    ```python
    parse_value("vector", "0.2, 1.5")  # [0.2, 1.5]
    ```

    Raises:
        DataError: if a file cannot be read.
    """
    path = Path(text)
    if path.suffix.lower() == ".npy":
        return read_numbers(path, kind)
    for form in (text, f"[{text}]"):
        with suppress(ValueError):
            return json.loads(form)
    return read_image(path, kind) if path.is_file() else text


def read_numbers(path: Path, setting: str) -> np.ndarray:
    """Read an `.npy` of numbers.

    Args:
        path: the file.
        setting: what it is, for the message.

    Raises:
        DataError: if it holds anything else, or cannot be read.
    """
    from pointillist.data.readers.numpy_files import load_npy

    array = load_npy(path)
    if array.dtype.kind not in "fiub":
        raise DataError(f"`{setting}` (={path}) must hold one array of numbers: write it with numpy.save.")
    return array


def read_image(path: Path, setting: str, kinds: str = "a picture") -> Image.Image:
    """Read a picture.

    Args:
        path: the file.
        setting: what it is, for the message.
        kinds: what may be given, for the message.

    Raises:
        DataError: if it cannot be read.
    """
    from pointillist.data.pixels import read_picture

    return read_picture(path, f"`{setting}` (={path})", f"give {kinds}")


SEPARATOR = ";"  # captions contain commas: "monster, red dragon"
MAX_BYTES = 1_000_000  # of a file of prompts
_CONDITION_BYTES = 32  # of an image: entries of two lists, and what is read of them
_MOST_COLUMNS = 24  # of a sheet whose rows keep the images of a label side by side


def parse_labels(labels: Sequence[str], classes: Sequence[str]) -> list[int] | None:
    """Resolve labels to numbers, in their order: names or numbers with commas between them, or `each` for all.

    Raises:
        ConfigError: if there is no such class.
    """
    names: list[str] = []
    for text in labels:
        if text == "each" and classes and text not in classes:
            names += classes
        else:
            names += [text] if text in classes else split_names("label", text)
    if not labels:
        return None
    if not classes:
        raise unsupported_condition("label", names)
    return [label_number(name, classes) for name in names]


def parse_texts(typed: Sequence[str], file: Path | None, setting: str = "text") -> list[str] | None:
    """Collect prompts: of options, with semicolons between them, and of a file, one a line.

    Blank lines of a file are left out.

    Args:
        typed: values of the option.
        file: a file of prompts, if any.
        setting: name of the option, for the message.

    Raises:
        ConfigError: for a blank prompt.
        DataError: if the file cannot be read, or holds no prompt.
    """
    result: list[str] = []
    for text in typed:
        result += split_names(setting, text, SEPARATOR)
    if file is not None:
        result += _lines(file)
    return result or None


def _lines(file: Path) -> list[str]:
    name = f"The file of prompts (={file})"
    if file.is_file() and file.stat().st_size > MAX_BYTES:
        raise DataError(f"{name} has more than {MAX_BYTES:,} bytes: give a file with a prompt a line.")
    text = read_text(file, "utf-8-sig", name=name, remedy="give a file with a prompt a line")
    result = [line.strip() for line in text.splitlines() if line.strip()]
    if not result:
        raise DataError(f"{name} holds no prompt: write one on each line.")
    return result


@dataclass(frozen=True)
class SheetPlan:
    """Label and prompt of each image in the order of sampling, and their arrangement on a sheet.

    Attributes:
        labels, texts: one for each image; None where none were given.
        total: number of images.
        columns: images in a row of a sheet; None to choose.
        row_names, column_names: prompts and labels of a grid; empty where images have their own captions. A name
            stands for as many rows, or columns, as there are of each.
    """

    labels: list[int] | None
    texts: list[str] | None
    total: int
    columns: int | None
    row_names: tuple[str, ...] = field(default=())
    column_names: tuple[str, ...] = field(default=())

    @classmethod
    def of(cls, labels: list[int] | None, texts: list[str] | None, n: int, classes: Sequence[str]) -> SheetPlan:
        """Arrange `n` images of each label, of each prompt, or of each pair of them.

        Several prompts with labels form a grid: a row of each prompt, a column of each label, the `n` images of a pair
        side by side, in several lines where one would be too long.
        """
        total = n * len(labels or "x") * len(texts or "x")
        if labels is not None or texts is not None:
            check_memory(total * _CONDITION_BYTES, f"Conditions of {shorten(f'{total:,}', 40)} images", "ask for fewer")
        if labels is None or texts is None or len(texts) == 1:
            numbers = [number for number in labels or [] for _ in range(n)] or None
            prompts = [text for text in texts or [] for _ in range(n)] or None
            if numbers is not None and prompts is not None:
                prompts = (texts or []) * len(numbers)
            groups = len(labels or texts or [""])
            return cls(numbers, prompts, n * groups, sheet_columns(n, groups))
        repeats = max(k for k in range(1, n + 1) if n % k == 0 and (k == 1 or k * len(labels) <= _MOST_COLUMNS))
        row = [label for label in labels for _ in range(repeats)]
        rows = [text for text in texts for _ in range(n // repeats)]
        return cls(
            row * len(rows),
            [text for text in rows for _ in row],
            len(row) * len(rows),
            len(row),
            tuple(texts),
            tuple(classes[label] if label >= 0 else "" for label in labels),
        )


def sheet_columns(n: int, groups: int) -> int | None:
    """Return the columns that keep the images of a label side by side; None where rows would be too long."""
    if n > _MOST_COLUMNS or groups == 1:
        return None
    fitting = [n * k for k in range(1, groups + 1) if groups % k == 0]
    return min(fitting, key=lambda columns: abs(math.log(columns**2 / (1.5 * n * groups))))
