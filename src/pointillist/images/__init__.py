"""Images as grids of integer levels: what the integers mean, pictures of 8 or 16 bits, and orders of the pixels."""

from pointillist.images.pictures import OPAQUE, as_pil, clean_alpha, dequantise, nearest_colour, quantise
from pointillist.images.spec import (
    CHANNELS,
    MAX_LEVELS,
    MAX_SIDE,
    SHEET,
    ImageSpec,
    Mode,
    channel_names,
    to_picture,
    to_pictures,
)

__all__ = [
    "CHANNELS",
    "MAX_LEVELS",
    "MAX_SIDE",
    "OPAQUE",
    "SHEET",
    "ImageSpec",
    "Mode",
    "as_pil",
    "channel_names",
    "clean_alpha",
    "dequantise",
    "nearest_colour",
    "quantise",
    "to_picture",
    "to_pictures",
]
