"""Colour scales and display of images that are the same for all images of a model, so that pictures compare."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel

MAX_Z = 4.0  # standard deviations at either end of a scale
_TYPICAL_MULTIPLE = 4.0  # a scale ends at this many times the bits of a typical sub-pixel


def color_scale_max(model: PixelModel) -> float:
    """Return the bits of the last colour of a scale: a whole number, the same for all images of the model.

    Four times the bits/dim of validation, if the training record has it, so that the scale is well used; at most the
    bits of a level if all levels are equally likely.
    """
    most = (model.image.levels - 1).bit_length()
    record: dict[str, Any] = getattr(model, "training_record", None) or {}
    typical = record.get("valid_bits_per_dim")
    if not isinstance(typical, (int, float)) or not math.isfinite(typical) or typical <= 0:
        return float(most)
    return float(min(most, max(1, math.ceil(_TYPICAL_MULTIPLE * typical))))


def to_picture(image: ImageSpec, levels: Int[np.ndarray, "c h w"]) -> UInt8[np.ndarray, "h w d"]:
    """Convert levels to 8-bit pixels; codes of more than 256 levels become greys of their first channel."""
    if image.levels > 256:
        return (levels[:1].transpose(1, 2, 0) * (255 / (image.levels - 1))).astype(np.uint8)
    picture: np.ndarray = image.to_images(levels[None])[0]
    return picture
