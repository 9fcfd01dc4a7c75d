"""Lossless codecs that come with Python and Pillow, as a baseline: bits of the same images."""

from __future__ import annotations

import io
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image, features

from pointillist.data import ImageDataset
from pointillist.images.array_types import Float, Int

MAX_IMAGES = 256
MAX_SIDE = 16_383  # of a WebP file
_CHANNELS = (1, 3, 4)


@dataclass(frozen=True)
class LosslessSize:
    """Size of images in a lossless codec.

    Attributes:
        codec: `PNG` or `WebP`.
        bits_per_dim: bits per sub-pixel.
        count: number of images that were encoded.
    """

    codec: str
    bits_per_dim: float
    count: int


def lossless_size(images: ImageDataset) -> LosslessSize | None:
    """Encode images as PNG and as lossless WebP, and return the smaller; None for images that neither can hold.

    The images, at most 256 of them, are stacked to one tall picture, so that the headers of many small files do not
    count against the codec.

    ```python
    lossless_size(pt.load_data("uci-digits").valid).bits_per_dim
    ```
    """
    spec = images.spec
    count = min(len(images), MAX_IMAGES, MAX_SIDE // spec.height)
    if spec.levels > 256 or spec.channels not in _CHANNELS or spec.width > MAX_SIDE or not count:
        return None
    levels = images.batch(range(count)).levels.astype(np.uint8)
    tall = np.ascontiguousarray(levels.transpose(0, 2, 3, 1).reshape(count * spec.height, spec.width, spec.channels))
    picture = Image.fromarray(tall[..., 0] if spec.channels == 1 else tall)
    sizes = {"PNG": _encoded(picture, "PNG", optimize=True)}
    if features.check("webp"):
        rgb = picture if spec.channels == 4 else picture.convert("RGB")
        sizes["WebP"] = _encoded(rgb, "WebP", lossless=True, exact=True, quality=100)
    codec = min(sizes, key=lambda name: sizes[name])
    return LosslessSize(codec, 8 * sizes[codec] / levels.size, count)


def deflate_bits(levels: Int[np.ndarray, "n c h w"]) -> Float[np.ndarray, " n"]:
    """Count the bits of each image in DEFLATE (zlib, level 9), pixel after pixel: a codec for images of every kind.

    ```python
    deflate_bits(np.zeros((2, 1, 8, 8), np.int64))  # the same for both
    ```
    """
    kind = np.uint8 if not levels.size or levels.max() < 256 else np.uint16
    pixels = np.ascontiguousarray(levels.transpose(0, 2, 3, 1).astype(kind))
    return np.array([8.0 * len(zlib.compress(image, 9)) for image in pixels])


def _encoded(picture: Image.Image, kind: str, **options: object) -> int:
    """Count the bytes of a picture in a codec."""
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.tell()
