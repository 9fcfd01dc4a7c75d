"""Pixels of pictures: colours, colour maps from numbers to colours, and PNG files."""

from __future__ import annotations

import io
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageColor
from PIL.PngImagePlugin import PngInfo

from pointillist.errors import ShapeError
from pointillist.files.writing import atomic_path
from pointillist.images import SHEET

Colour = tuple[int, int, int]
PAPER: Colour = (246, 244, 240)
INK: Colour = (38, 36, 42)
CHALK: Colour = (222, 220, 226)
ACCENT: Colour = (232, 83, 42)
NO_VALUE: Colour = (128, 132, 128)
_CHECKER = ((255, 255, 255), (212, 212, 212))
_CHECK = 6  # edge of a field of the checkerboard, in pixels of the enlarged picture

# night blue, violet, rose, orange, straw: lightness (CIE L*) climbs in even steps, so that equal distances in bits
# look equally large, also in grey print and with any kind of colour blindness
_HEAT = ((12, 10, 34), (64, 24, 96), (128, 37, 112), (197, 60, 92), (240, 108, 58), (251, 172, 68), (252, 240, 178))


def sequential_colors(values: np.ndarray, top: float) -> np.ndarray:
    """Map numbers from 0 to `top` to uint8 RGB, with one axis more; values outside take the end colours, NaN a grey.

    ```python
    sequential_colors(np.array([0.0, 1.5]), top=4.0).shape  # (2, 3)
    ```
    """
    return _along(_HEAT, np.asarray(values, np.float64) / top)


def _along(anchors: tuple[Colour, ...], share: np.ndarray) -> np.ndarray:
    """Interpolate colours between anchors; shares run from 0 to 1."""
    table = np.asarray(anchors, np.float64)
    with np.errstate(invalid="ignore"):
        position = np.clip(share, 0, 1) * (len(table) - 1)
    known = np.isfinite(position)
    steps = np.arange(len(table))
    colour = np.stack([np.interp(np.where(known, position, 0), steps, table[:, k]) for k in range(3)], -1)
    return np.where(known[..., None], np.rint(colour), np.asarray(NO_VALUE)).astype(np.uint8)


# deep blue over paper to deep red: both ends are equally dark, and zero is the background
_BALANCE = (
    (13, 52, 110),
    (41, 107, 178),
    (133, 178, 220),
    (240, 238, 233),
    (236, 160, 128),
    (204, 75, 52),
    (122, 16, 32),
)


def diverging_colors(values: np.ndarray, top: float) -> np.ndarray:
    """Map numbers from -`top` to `top` to uint8 RGB, with one axis more; ends and NaN as in `sequential_colors`.

    ```python
    diverging_colors(np.array([-2.0, 0.0, 2.0]), top=4.0).shape  # (3, 3)
    ```
    """
    return _along(_BALANCE, (np.asarray(values, np.float64) / top + 1) / 2)


def as_colour(value: str | Colour) -> Colour:
    """Convert a colour given by name, as `#rrggbb` or as numbers."""
    if isinstance(value, str):
        return ImageColor.getrgb(value)[:3]
    return value


def text_colour(background: Colour) -> Colour:
    r, g, b = background
    return INK if 0.299 * r + 0.587 * g + 0.114 * b > 140 else CHALK


def check_images(images: np.ndarray) -> np.ndarray:
    """Check a batch of images, uint8 `n h w [c]`; of other than 1, 3 or 4 channels the first is kept.

    Raises:
        ShapeError: if it is not a batch of images.
    """
    images = np.asarray(images)
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.dtype != np.uint8 or 0 in images.shape:
        raise ShapeError(
            f"Pictures of shape {images.shape} and type {images.dtype} must be uint8 (n, h, w, c) and not empty: "
            "convert levels with `model.to_images`."
        )
    return images if images.shape[-1] in (1, 3, 4) else images[..., :1]


def enlarge(image: np.ndarray, scale: int) -> np.ndarray:
    """Enlarge one image `h w c` to RGB, each pixel a square of `scale`; transparent parts show a checkerboard."""
    big = image.repeat(scale, 0).repeat(scale, 1)
    if big.shape[-1] == 1:
        return big.repeat(3, -1)
    if big.shape[-1] == 3:
        return big
    rows, columns = np.indices(big.shape[:2]) // _CHECK
    under = np.asarray(_CHECKER)[(rows + columns) % 2]
    alpha = big[..., 3:].astype(np.int64)
    mixed: np.ndarray = (big[..., :3] * alpha + under * (255 - alpha) + 127) // 255
    return mixed.astype(np.uint8)


def png_bytes(image: Image.Image, texts: Mapping[str, str] | None = None) -> bytes:
    """Encode an image as PNG, with `texts` in Latin-1 by keyword.

    ```python
    data = png_bytes(samples.images[0])
    ```
    """
    buffer, text = io.BytesIO(), PngInfo()
    if SHEET in image.info:
        text.add_text(SHEET, image.info[SHEET])
    for keyword, value in (texts or {}).items():
        text.add_text(keyword, value)
    image.save(buffer, "PNG", optimize=True, pnginfo=text)
    return buffer.getvalue()


class ShownAsPicture(ABC):
    """Base of what a notebook shows as its picture."""

    @abstractmethod
    def image(self) -> Image.Image:
        """Draw the picture."""

    def _repr_png_(self) -> bytes:
        return png_bytes(self.image())


def save_png(image: Image.Image, path: str | Path) -> Path:
    """Write a PNG file atomically.

    ```python
    save_png(image_grid(samples.array), "sheet.png")
    ```
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        temporary.write_bytes(png_bytes(image))
    return path
