"""Messages as the package's own objects: levels, masks, conditions."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from pointillist.conditioning import Told
from pointillist.errors import DataError, ShapeError
from pointillist.explaining import Asked
from pointillist.nn import Condition
from pointillist.pixel_model import PixelModel
from pointillist.studio import messages as m
from pointillist.studio.refusals import too_large


def levels_of(model: PixelModel, packed: m.Packed, limits: m.Limits) -> Int[Tensor, "1 c h w"]:
    """Levels of one image.

    Raises:
        Refused: if there are too many pixels.
        ShapeError, DataError: if it is not an image of the model.
    """
    if len(packed.shape) != 3:
        raise ShapeError(f"`levels` of shape {packed.shape} must be [{model.image.channels}, height, width].")
    check_pixels(packed.shape[1], packed.shape[2], limits)
    if packed.dtype == "float32":
        raise DataError("`levels` must be uint8 or uint16, not float32: they are integers.")
    return model.check(torch.from_numpy(packed.array().astype(np.int64))[None])


def check_pixels(height: int, width: int, limits: m.Limits) -> None:
    """Refuse an image that is too large, or has no pixel."""
    if min(height, width) < 1:
        raise ShapeError(f"An image of {height}x{width} must have at least one pixel.")
    if height * width > limits.pixels:
        raise too_large(f"Pixels of {height}x{width}", height * width, limits.pixels, "take a smaller image")


def mask_of(packed: m.Packed, height: int, width: int, what: str = "known") -> Bool[np.ndarray, "h w"]:
    """Which pixels are meant.

    Raises:
        ShapeError, DataError: if it is no mask of the size.
    """
    if packed.dtype != "uint8" or packed.shape != [height, width]:
        raise ShapeError(f"`{what}` ({packed.dtype}, {packed.shape}) must be uint8 of shape [{height}, {width}].")
    mask = packed.array()
    if mask.max() > 1:
        raise DataError(f"`{what}` (up to {mask.max()}) must hold 0 and 1 only.")
    return mask.astype(bool)


def told_of(model: PixelModel, told: m.Told, size: tuple[int, int]) -> Told:
    """What the model is told of one image.

    Raises:
        ConfigError, ShapeError, DataError: if it does not listen to it.
    """
    further: dict[str, Any] = {"attributes": told.attributes, "vector": told.vector}
    further["hint"] = None if told.hint is None else _hint(model, told.hint)
    return model.told(told.label, 1, told.text, size=size, **further)


def _hint(model: PixelModel, packed: m.Packed) -> np.ndarray:
    if len(packed.shape) != 3:
        raise ShapeError(f"`hint` of shape {packed.shape} must be [channels, height, width].")
    config = model.config.hint
    if config is not None and (config.image is None) != (packed.dtype == "float32"):
        wanted = "float32 numbers" if config.image is None else "levels, uint8 or uint16"
        raise DataError(f"`hint` ({packed.dtype}) must be {wanted}.")
    array = packed.array()
    return array if packed.dtype == "float32" else array.astype(np.int64)


def asked_of(model: PixelModel, question: m.ImageQuestion, limits: m.Limits) -> Asked:
    """An image put before the model.

    Raises:
        Refused, ConfigError, ShapeError, DataError: naming what is wrong.
    """
    x = levels_of(model, question.levels, limits)
    return Asked(model, x, told_of(model, question.told, (x.shape[2], x.shape[3])), model.order(question.order))


def condition_alone(model: PixelModel, told: Told) -> Condition:
    """The condition of a batch, made image by image: torch may round the same image otherwise in another batch."""
    return Condition.together([model.condition(told[i : i + 1], 1) for i in range(len(told))])


def level_type(levels: int) -> Literal["uint8", "uint16"]:
    """How levels are sent."""
    return "uint8" if levels <= 256 else "uint16"


def pack_levels(model: PixelModel, levels: Tensor | np.ndarray) -> m.Packed:
    """Levels as they are sent."""
    return m.Packed.of(np.asarray(levels), level_type(model.image.levels))


def pack_floats(values: Tensor | np.ndarray) -> m.Packed:
    """A map as it is sent."""
    return m.Packed.of(np.asarray(values), "float32")
