"""What `sample` is asked for beside labels: attributes, a vector, a hint, as typed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np


def asked(attributes: list[str], vector: Path | None, hint: Path | None) -> dict[str, Any]:
    """Keywords of `sample`; nothing for what was not typed.

    Raises:
        ConfigError, DataError: if it is not written as it must be, or cannot be read.
    """
    found: dict[str, Any] = {}
    if attributes:
        found["attributes"] = dict(_pair(text) for text in attributes)
    if vector is not None:
        found["vector"] = _array(vector, "--vector")
    if hint is not None:
        found["hint"] = _hint(hint)
    return found


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise ConfigError(f"`--attribute` (={text!r}) must be NAME=VALUE, for example hair=red.")
    return name.strip(), value.strip()


def _array(path: Path, option: str) -> np.ndarray:
    import numpy as np

    try:
        array: np.ndarray = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"`{option}` (={path}) cannot be read as .npy: write it with numpy.save.") from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise DataError(f"`{option}` (={path}) must hold one array of numbers: write it with numpy.save.")
    return array


def _hint(path: Path) -> Any:
    """A picture, or levels or floats in an `.npy`."""
    from PIL import Image

    from pointillist.data.decode import BROKEN, MAX_PIXELS

    if path.suffix.lower() == ".npy":
        return _array(path, "--hint")
    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise DataError(f"`--hint` (={path}) has more than {MAX_PIXELS:,} pixels: shrink it first.")
            picture.load()
            return picture.copy()
    except BROKEN as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"`--hint` (={path}) cannot be read as an image: give a picture or an .npy.") from error


def each_label(given: Sequence[str], classes: Sequence[str], n: int) -> list[int] | None:
    """The label of each image: `n` times each one given, in the order given.

    Raises:
        ConfigError: if there is no such class.
    """
    from pointillist.conditioning import resolve_labels

    names: list[str] = []
    for text in given:
        if text == "each" and classes and text not in classes:
            names += classes
        else:
            names += [text] if text in classes else [part.strip() for part in text.split(",") if part.strip()]
    if not given:
        return None
    numbers: list[int] = resolve_labels(names, classes, len(names)).tolist()
    return [number for number in numbers for _ in range(n)]


def each_text(given: Sequence[str], labels: list[int] | None, n: int) -> list[str] | None:
    """The prompt of each image: `n` times each one given; one for all beside labels.

    Raises:
        ConfigError: for several prompts beside labels.
    """
    if not given:
        return None
    if labels is not None:
        if len(given) > 1:
            raise ConfigError(f"`--text` (={given[1]!r}) can be given once beside `--label`: paint the others apart.")
        return list(given) * len(labels)
    return [text for text in given for _ in range(n)]
