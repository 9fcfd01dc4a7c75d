"""What is taken home: PNG and GIF files as bytes; nothing is written on the disk."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pointillist.errors import ConfigError, ShapeError
from pointillist.images import as_pil
from pointillist.pictures import MAX_FRAME_PIXELS, gif_bytes, png_bytes
from pointillist.pictures.colour import PAPER
from pointillist.pixel_model import PixelModel
from pointillist.studio import messages as m
from pointillist.studio.reading import levels_of, mask_of
from pointillist.studio.refusals import too_large

_MAX_SIDE = 4096
_DARK = (24, 24, 28)


def png(model: PixelModel, request: m.PngRequest, limits: m.Limits) -> bytes:
    """An image as a PNG file.

    Raises:
        ConfigError: if the levels are no picture.
        Refused: if it would be too large.
    """
    array = _picture(model, request.levels, limits)
    height, width = (side * request.scale for side in array.shape[:2])
    if max(height, width) > _MAX_SIDE:
        raise too_large("The longer side of the PNG", max(height, width), _MAX_SIDE, "choose a smaller `scale`")
    image = as_pil(array)
    return png_bytes(image.resize((width, height), Image.Resampling.NEAREST))


def gif(model: PixelModel, request: m.GifRequest, limits: m.Limits) -> bytes:
    """Images being painted.

    Raises:
        ConfigError, ShapeError: if they cannot be shown together.
        Refused: if a frame would be too large.
    """
    arrays = [_picture(model, packed, limits) for packed in request.images]
    if len({array.shape for array in arrays}) > 1:
        raise ShapeError("`images` must all have one size.")
    height, width = arrays[0].shape[:2]
    pixels = len(arrays) * height * width * (request.scale or 1) ** 2
    if pixels > MAX_FRAME_PIXELS:
        raise too_large("Pixels of a frame", pixels, MAX_FRAME_PIXELS, "take fewer images or a smaller `scale`")
    places = model.places(height, width, model.order(request.order))
    start = 0
    if request.known is not None:
        known = mask_of(request.known, height, width)
        start = int(known.sum())
        places = np.argsort(np.argsort(np.where(known, places - places.size, places), axis=None)).reshape(places.shape)
    ground = _DARK if request.dark else PAPER
    return gif_bytes(
        np.stack(arrays), order=places, start=start, frames=request.frames, scale=request.scale, background=ground
    )


def _picture(model: PixelModel, packed: m.Packed, limits: m.Limits) -> np.ndarray:
    """uint8 `h w c`."""
    levels = levels_of(model, packed, limits)
    if model.image.mode == "codes":
        raise ConfigError("A grid of codes is no picture by itself: it cannot be kept as one.")
    found: np.ndarray = model.image.to_images(levels.cpu())[0]
    return found
