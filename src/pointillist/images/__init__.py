"""Images as grids of integer levels: what the integers mean, pictures of 8 bits, and orders of the pixel positions."""

from pointillist.images.spec import (
    CHANNELS,
    MAX_LEVELS,
    MAX_SIDE,
    OPAQUE,
    SHEET,
    ImageSpec,
    Mode,
    as_pil,
    channel_names,
    clean_alpha,
    dequantise,
    nearest_colour,
    quantise,
    to_picture,
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
]
