"""What `sample` is asked for beside labels: attributes, a vector, a hint, as typed."""

from __future__ import annotations

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
