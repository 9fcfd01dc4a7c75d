"""Baselines of a likelihood: copies of training images and of windows of training pictures, and lossless codecs."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, features

from pointillist.data import ImageDataset
from pointillist.files.progress import Bar
from pointillist.images import OPAQUE, ImageSpec
from pointillist.images.array_types import Bool, Float, Int, Shaped, UInt64


def nearest_training_match(
    images: Int[np.ndarray, "n c h w"], training: Int[np.ndarray, "m c h w"], spec: ImageSpec
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Find the nearest training image of each image, by the share of pixels that agree in all channels.

    A pixel counts where at least one of the two images is not background; background is where the palette or alpha
    is transparent. Training images are also compared mirrored. Compare the shares of samples with shares of held-out
    images: a higher share means memorization.

    Args:
        images: levels of samples.
        training: levels of training images.
        spec: kind of image of both.

    Returns:
        the share of agreeing pixels in [0, 1], and the index of the training image.

    Example:
        share, index = nearest_training_match(pt.sample(model, 64).levels, train_levels, model.image)
        copies = (share >= 0.9).mean()
    """
    queries, keys = _flatten(images, spec), _flatten(np.concatenate([training, training[..., ::-1]]), spec)
    best, index = np.empty(len(images)), np.empty(len(images), np.int64)
    with Bar("comparing", len(images)) as bar:
        for i, (x, empty) in enumerate(zip(*queries, strict=True)):
            same = keys[0][:, 0] == x[0]
            for channel in range(1, len(x)):
                same &= keys[0][:, channel] == x[channel]
            counted = ~(keys[1] & empty)
            same &= counted
            # a sum of bytes as int32 is several times as fast as one as int64
            share = same.sum(1, dtype=np.int32) / np.maximum(counted.sum(1, dtype=np.int32), 1)
            nearest = int(share.argmax())
            best[i], index[i] = share[nearest], nearest % len(training)
            bar.show(i + 1)
    return best, index


def copied_windows(
    images: Int[np.ndarray, "n c h w"], pictures: Sequence[Shaped[np.ndarray, "c y x"]], size: int = 16
) -> float:
    """Return the share of the windows of some images that occur in a picture, to the pixel.

    Windows begin at every pixel; windows of one colour are left out. Compare the share of samples with the share of a
    held-out part of the picture: a higher share means copies.

    Args:
        images: levels of samples.
        pictures: levels of the training pictures.
        size: height and width of the windows compared.

    Returns:
        the share in [0, 1]; 0 where no window has two colours.

    Example:
        copied_windows(pt.sample(model, 16).levels, splits.train.regions)
    """
    size = min(size, *images.shape[2:])
    codes, several = _window_codes(images, size)
    codes = codes[several]
    if not len(codes):
        return 0.0
    known = [_window_codes(picture[None], size)[0].ravel() for picture in pictures if min(picture.shape[1:]) >= size]
    return float(np.isin(codes, np.concatenate([np.zeros(0, np.uint64), *known])).mean())


def _window_codes(
    images: Shaped[np.ndarray, "n c h w"], size: int
) -> tuple[UInt64[np.ndarray, "n y x"], Bool[np.ndarray, "n y x"]]:
    """Return a 64-bit code of each window, and the mask of windows with two colours or more.

    The code is linear in the levels, with random weights for rows, columns and channels: of two windows that differ,
    about one pair in 2^64 has equal codes.
    """
    rng = np.random.default_rng(0)
    n, c, h, w = images.shape
    rows, columns = h - size + 1, w - size + 1
    weights = [rng.integers(1, 2**63, count, np.uint64) * 2 + 1 for count in (size, size, c)]
    levels = images.astype(np.uint64)
    across = sum(levels[..., i : i + columns] * weights[0][i] for i in range(size))
    down = sum(across[:, :, i : i + rows] * weights[1][i] for i in range(size))
    codes = sum(down[:, i] * weights[2][i] for i in range(c))
    changes = np.zeros((n, rows, columns), bool)
    for axis in (2, 3):
        edge = (np.diff(images, axis=axis) != 0).any(1)
        total = np.pad(edge.cumsum(1).cumsum(2), ((0, 0), (1, 0), (1, 0)))
        height, width = (size - 1, size) if axis == 2 else (size, size - 1)
        inside = total[:, height:, width:] - total[:, : -height or None, width:]
        inside = inside - total[:, height:, : -width or None] + total[:, : -height or None, : -width or None]
        changes |= inside[:, :rows, :columns] > 0
    return codes, changes


def _flatten(
    x: Int[np.ndarray, "n c h w"], spec: ImageSpec
) -> tuple[Shaped[np.ndarray, "n c s"], Bool[np.ndarray, "n s"]]:
    """Return levels in the smallest integer type, and the mask of background pixels."""
    dtype = np.uint8 if spec.levels <= 256 else np.uint16
    flat = x.reshape(*x.shape[:2], -1).astype(dtype)
    return flat, _background(x, spec).reshape(len(x), -1)


def _background(x: Int[np.ndarray, "n c h w"], spec: ImageSpec) -> Bool[np.ndarray, "n h w"]:
    """Return the mask of transparent pixels; empty where the kind of image has no transparency."""
    if spec.mode == "palette" and spec.palette is not None:
        return np.asarray(np.array([colour[3] < OPAQUE for colour in spec.palette])[x[:, 0]])
    if spec.mode == "rgba":
        return np.asarray(x[:, 3] * 255 < OPAQUE * (spec.levels - 1))
    return np.zeros((len(x), *x.shape[2:]), bool)


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
