"""Prompts and labels of `sample`: one image or more for each, and for each pair of a prompt and a label."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pointillist.conditioning.label import label_number
from pointillist.conditioning.registry import unsupported_condition
from pointillist.errors import DataError, shorten
from pointillist.files.reading import check_file
from pointillist.files.settings_tree import split_names
from pointillist.system import check_memory

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
    try:
        check_file(file, name=f"The file of prompts (={file})")
        if file.stat().st_size > MAX_BYTES:
            raise DataError(
                f"The file of prompts (={file}) has more than {MAX_BYTES:,} bytes: give a file with a prompt a line."
            )
        lines = [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"The file of prompts (={file}) cannot be read as text: give a file with a prompt a line."
        ) from error
    result = [line for line in lines if line]
    if not result:
        raise DataError(f"The file of prompts (={file}) holds no prompt: write one on each line.")
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
