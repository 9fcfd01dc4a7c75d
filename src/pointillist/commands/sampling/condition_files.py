"""Conditions that are typed or lie in files: attributes, a vector, a hint. For commands and batch jobs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image


def read_conditions(attributes: Sequence[str], vector: Path | None, hint: Path | None) -> dict[str, Any]:
    """Read conditions as keywords of `sample`; those that are not given are left out.

    Args:
        attributes: `NAME=VALUE` each.
        vector: `.npy` of a condition vector.
        hint: picture or `.npy` of a condition image.

    Raises:
        ConfigError, DataError: if an attribute has the wrong form, or a file cannot be read.
    """
    result: dict[str, Any] = {}
    if attributes:
        result["attributes"] = dict(_pair(text) for text in attributes)
    if vector is not None:
        result["vector"] = read_numbers(vector, "vector")
    if hint is not None:
        is_array = hint.suffix.lower() == ".npy"
        result["hint"] = read_numbers(hint, "hint") if is_array else read_image(hint, "hint", "a picture or an .npy")
    return result


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip() or not value.strip():
        raise ConfigError(f"`attribute` (={text!r}) must be NAME=VALUE, for example hair=red.")
    return name.strip(), value.strip()


def read_numbers(path: Path, setting: str) -> np.ndarray:
    """Read an `.npy` of numbers.

    Args:
        path: the file.
        setting: what it is, for the message.

    Raises:
        DataError: if it holds anything else, or cannot be read.
    """
    from pointillist.data.readers.array_files import load_npy

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
    from pointillist.data.readers.picture_files import read_picture

    return read_picture(path, f"`{setting}` (={path})", f"give {kinds}")
