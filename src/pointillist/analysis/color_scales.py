"""What is the same for every image of a model, so that two pictures can be compared: scales, and how it is shown."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jaxtyping import Int, UInt8

from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel

Z_TOP = 4.0  # deviations at either end of a scale
_USUAL = 4.0  # a scale reaches this many times the bits of a usual sub-pixel


def color_scale_max(model: PixelModel) -> float:
    """The bits of the last colour: whole, and the same for all images of the model.

    Four times what a usual sub-pixel took in validation, if training has noted that, so that the dark end is not all
    there is to see; at most what a level takes if all are equally likely.
    """
    most = (model.image.levels - 1).bit_length()
    record: dict[str, Any] = getattr(model, "training_record", None) or {}
    usual = record.get("valid_bits_per_dim")
    if not isinstance(usual, (int, float)) or not math.isfinite(usual) or usual <= 0:
        return float(most)
    return float(min(most, max(1, math.ceil(_USUAL * usual))))


def picture_of(image: ImageSpec, levels: Int[np.ndarray, "c h w"]) -> UInt8[np.ndarray, "h w d"]:
    """Levels as a picture; codes of more levels than a picture has as greys of their first channel."""
    if image.levels > 256:
        return (levels[:1].transpose(1, 2, 0) * (255 / (image.levels - 1))).astype(np.uint8)
    picture: np.ndarray = image.to_images(levels[None])[0]
    return picture
