"""Parse the conditions of the command line: labels, prompts, attributes, a vector, a hint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointillist.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

    from pointillist.model.pixel_model import PixelModel


def parse_conditions(attributes: list[str], vector: Path | None) -> dict[str, Any]:
    """Parse attributes and a vector into keywords of `sample`; options that were not typed are left out.

    Raises:
        ConfigError, DataError: if an option has the wrong form, or a file cannot be read.
    """
    found: dict[str, Any] = {}
    if attributes:
        found["attributes"] = dict(_pair(text) for text in attributes)
    if vector is not None:
        found["vector"] = _array(vector, "--vector")
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


def parse_hint(model: PixelModel, hint: Path | None, image: Path | None) -> dict[str, Any]:
    """Parse the keyword `hint` of `sample`: a file, or derived from an image by the rule the model was trained with.

    Raises:
        ConfigError: if both are given, or the model has no such rule.
        DataError, ShapeError: if it cannot be read, or has another size.
    """
    from pointillist.model.batches import hint_preprocessor

    if image is None:
        if hint is None:
            return {}
        return {"hint": _array(hint, "--hint") if hint.suffix.lower() == ".npy" else _picture(hint, "--hint")}
    if hint is not None:
        raise ConfigError(f"`--hint-from-image` (={image}) derives what `--hint` (={hint}) gives: drop one of them.")
    picture = _picture(image, "--hint-from-image")
    rule = hint_preprocessor(model)  # before the size, which does not matter to a model that takes no hint
    levels = model.image.to_levels(picture)
    model.check_size(*levels.shape[2:])
    return {"hint": rule.of(levels, model.image)}


def _picture(path: Path, option: str) -> Image.Image:
    from PIL import Image

    from pointillist.data.decode import BROKEN, MAX_PIXELS

    try:
        with Image.open(path) as picture:
            if picture.width * picture.height > MAX_PIXELS:
                raise DataError(f"`{option}` (={path}) has more than {MAX_PIXELS:,} pixels: shrink it first.")
            picture.load()
            return picture.copy()
    except BROKEN as error:
        if isinstance(error, DataError):
            raise
        remedy = "give a picture or an .npy" if option == "--hint" else "give a picture"
        raise DataError(f"`{option}` (={path}) cannot be read as an image: {remedy}.") from error
