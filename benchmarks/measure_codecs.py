"""Image codecs that `compression.py` compares with models; they need the extra `codecs`.

- order 0: the entropy of the levels of the set itself, each channel by itself; no table is counted.
- PNG, WebP, JPEG XL: whole files, lossless, one an image, or one mosaic of all, of several widths; of palette images
  both as grey indexes and in colour. Every file is decoded and compared.
- xz -9e, brotli 11: the levels of all images, one after the other. Primed: what the set adds to the file of the
  training images, size(train + set) - size(train), which lets the codec copy from training as a model has learned from
  it. Both windows hold all of it.
"""

from __future__ import annotations

import io
import lzma
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image

from pointillist.images import ImageSpec

WIDTHS = (2, 8, 13, 27, 100)
SIDE = 16_383
"""Longest side of a picture that every codec takes."""
Row = dict[str, Any]
Codec = tuple[Callable[[np.ndarray], bytes], Callable[[bytes], np.ndarray]]


def pillow(kind: str, **options: Any) -> Codec:
    """A format of Pillow."""

    def encode(picture: np.ndarray) -> bytes:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, kind, **options)
        return file.getvalue()

    return encode, lambda data: np.asarray(Image.open(io.BytesIO(data)))


def jpeg_xl(effort: int) -> Codec:
    """JPEG XL, lossless."""

    def encode(picture: np.ndarray) -> bytes:
        import imagecodecs

        return bytes(imagecodecs.jpegxl_encode(picture, lossless=True, effort=effort))

    def decode(data: bytes) -> np.ndarray:
        import imagecodecs

        return np.asarray(imagecodecs.jpegxl_decode(data))

    return encode, decode


def brotli(data: bytes) -> bytes:
    """Brotli at its strongest, with a window of 16 MiB."""
    import brotli

    return bytes(brotli.compress(data, quality=11, lgwin=24))


PICTURES: dict[str, Codec] = {
    "PNG": pillow("PNG", optimize=True),
    "WebP lossless": pillow("WEBP", lossless=True, quality=100, method=6, exact=True),
    "JPEG XL e7": jpeg_xl(7),
    "JPEG XL e9": jpeg_xl(9),
}
STREAMS: dict[str, Callable[[bytes], bytes]] = {
    "xz -9e": lambda data: lzma.compress(data, preset=9 | lzma.PRESET_EXTREME),
    "brotli 11": brotli,
}


def entropy(levels: np.ndarray) -> float:
    """Bits/dim of `n c h w` if each level of each channel were coded by how often it occurs."""
    bits = []
    for channel in levels.swapaxes(0, 1):
        shares = np.unique(channel, return_counts=True)[1] / channel.size
        bits.append(float(-(shares * np.log2(shares)).sum()))
    return float(np.mean(bits))


def forms(levels: np.ndarray, image: ImageSpec) -> Iterator[tuple[str, np.ndarray]]:
    """The images as pictures `n h w [c]`, in every form that a codec may like; none loses anything."""
    if image.palette is None:
        pictures = levels.transpose(0, 2, 3, 1)
        yield "colours", pictures[..., 0] if pictures.shape[-1] == 1 else pictures
        return
    yield "indexes", levels[:, 0]
    rgb = {colour[:3] for colour in image.palette}
    yield "colours", image.to_images(levels)[..., : 3 if len(rgb) == image.levels else 4]


def mosaic(pictures: np.ndarray, columns: int) -> np.ndarray:
    """All pictures `n h w [c]` on one, row by row; what is left over is zero."""
    n, h, w, *c = pictures.shape
    rows = -(-n // columns)
    places = np.zeros((rows * columns, h, w, *c), np.uint8)
    places[:n] = pictures
    return np.ascontiguousarray(
        places.reshape(rows, columns, h, w, *c).swapaxes(1, 2).reshape(rows * h, columns * w, *c)
    )


def size(codec: Codec, picture: np.ndarray) -> int:
    """Bytes of a picture, which must come back as it was."""
    encode, decode = codec
    data = encode(np.ascontiguousarray(picture))
    back = decode(data)
    same = back if back.shape == picture.shape else back[..., 0]  # grey WebP comes back in colour
    assert np.array_equal(same.reshape(picture.shape), picture), "the codec is not lossless"
    return len(data)


def compare(train: np.ndarray, levels: np.ndarray, image: ImageSpec) -> list[Row]:
    """Every codec on the levels `n c h w` of a set, with those of training images to prime some."""
    rows: list[Row] = []

    def add(codec: str, layout: str, count: float) -> None:
        rows.append({"codec": codec, "layout": layout, "bytes": count, "bits_per_dim": 8 * count / levels.size})

    add("order 0", "levels", entropy(levels) * levels.size / 8)
    for form, pictures in forms(levels, image):
        for name, codec in PICTURES.items():
            add(name, f"one file an image, {form}", sum(size(codec, picture) for picture in pictures))
            height, width = pictures.shape[1:3]
            for columns in WIDTHS:
                if columns * width > SIDE or -(-len(pictures) // columns) * height > SIDE:
                    continue
                add(name, f"mosaic {columns} wide, {form}", size(codec, mosaic(pictures, columns)))
    before, own = (each.astype(np.uint8).transpose(0, 2, 3, 1).tobytes() for each in (train, levels))
    for name, compress in STREAMS.items():
        add(name, "the set", len(compress(own)))
        add(name, "primed with the training images", len(compress(before + own)) - len(compress(before)))
    return rows
