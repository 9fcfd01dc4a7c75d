"""Pillow's pictures as arrays of 8-bit channels: as every reader of this package sees them."""

from __future__ import annotations

import numpy as np
from PIL import Image

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}


def picture_array(picture: Image.Image, channels: int) -> np.ndarray:
    """Convert a picture of any mode to uint8 `h w c` with 1 (grey), 3 (RGB) or 4 (RGBA) channels.

    Where the result has no alpha, transparency is composited on white.
    """
    picture = to_8_bit(picture)
    if channels < 4 and picture.has_transparency_data:
        rgba = np.asarray(picture.convert("RGBA")).transpose(2, 0, 1)[None]
        opaque = composite_on_white(rgba) if channels == 3 else to_luma(composite_on_white(rgba))
        channels_last: np.ndarray = opaque[0].transpose(1, 2, 0)
        return channels_last
    array: np.ndarray = np.asarray(picture.convert(_MODES[channels]))
    return array[..., None] if channels == 1 else array


def to_8_bit(picture: Image.Image) -> Image.Image:
    """Reduce a 16-bit grey picture to 8 bits, to the nearest value; return others as they are."""
    if not picture.mode.startswith("I"):
        return picture
    # 65,535 = 255 x 257
    return Image.fromarray(((np.asarray(picture).astype(np.int64) + 128) // 257).clip(0, 255).astype(np.uint8))


def composite_on_white(rgba: np.ndarray) -> np.ndarray:
    """Composite RGBA `n 4 h w` on white, as RGB `n 3 h w`."""
    alpha = rgba[:, 3:].astype(np.uint32)
    return ((rgba[:, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def to_luma(rgb: np.ndarray) -> np.ndarray:
    """Convert RGB `n 3 h w` to grey `n 1 h w`: weights 0.299, 0.587, 0.114 in 16-bit fixed point."""
    red, green, blue = (rgb[:, i].astype(np.uint32) for i in range(3))
    return ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).astype(np.uint8)[:, None]
