"""The word for the colour of an image, so that captions which name none can."""

from __future__ import annotations

import colorsys
import re

import numpy as np
from jaxtyping import UInt8

from pointillist.images import OPAQUE

FEWEST = 8
"""Opaque pixels below which an image has no colour."""
WORDS = ("black", "grey", "white", "red", "orange", "brown", "yellow", "green", "blue", "purple", "pink")
_KNOWN = re.compile(rf"\b({'|'.join(WORDS)}|gray)\b", re.IGNORECASE)
_HUES = ((16, "red"), (45, "orange"), (68, "yellow"), (165, "green"), (250, "blue"), (340, "purple"), (360, "red"))
"""Degrees up to which a hue has its word."""


def colour_of(picture: UInt8[np.ndarray, "h w c"]) -> str | None:
    """The word for the mean of the opaque pixels of an RGB or RGBA picture; None if it is almost empty.

    Lightness and saturation part black, grey and white from the rest, a dark orange is brown, a pale red pink.
    """
    seen = picture[picture[..., 3] >= OPAQUE] if picture.shape[-1] == 4 else picture.reshape(-1, 3)
    return word(seen[:, :3].mean(0)) if len(seen) >= FEWEST else None


def word(rgb: np.ndarray) -> str:
    """The word for a colour of three intensities from 0 to 255."""
    hue, saturation, value = colorsys.rgb_to_hsv(*(float(v) / 255 for v in rgb))
    if value < 0.22:
        return "black"
    if saturation < 0.16:
        return "white" if value > 0.62 else "grey" if value > 0.25 else "black"
    name = next(name for end, name in _HUES if hue * 360 <= end)
    if name == "orange" and value < 0.7:
        return "brown"
    return "pink" if name == "red" and saturation <= 0.3 and value >= 0.7 else name


def with_colour(caption: str, picture: UInt8[np.ndarray, "h w c"]) -> str:
    """A caption whose last part begins with the colour: `monster, dragon` becomes `monster, red dragon`.

    One that is empty or names a colour stays as it is, as does that of an almost empty picture.
    """
    colour = colour_of(picture)
    if colour is None or not caption.strip() or _KNOWN.search(caption):
        return caption
    *before, last = caption.split(",")
    return ",".join([*before, f"{' ' if before else ''}{colour} {last.strip()}"])
