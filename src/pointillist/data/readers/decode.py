"""Decode image files into one array: headers first (size, kind, memory), then pixels; errors name the broken file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image

from pointillist.data.options import DataOptions
from pointillist.data.pixels import (
    ALPHA_MODES,
    BROKEN,
    GREY_MODES,
    bounded,
    check_pixels,
    check_shape_memory,
    describe_damage,
    is_reduced,
    orientation,
    resize_image,
    resolve_resample,
    upright,
)
from pointillist.data.raw import RawImages
from pointillist.errors import ConfigError, DataError, counted
from pointillist.images.pictures import picture_array


@dataclass(frozen=True)
class ImageSource:
    """An image to read.

    Attributes:
        name: name of the image in messages.
        open: opens the image, lazily.
    """

    name: str
    open: Callable[[], Image.Image]


@dataclass(frozen=True)
class PictureHeader:
    """Facts about an image that are known before its pixels are decoded.

    Attributes:
        size: `(height, width)`, after the rotation that EXIF asks for.
        channels: 1 (grey), 3 (RGB) or 4 (RGBA).
        bilevel: True for one bit a pixel.
        deep: True for more than 8 bits a channel.
        animated: True for more than one frame.
        indexed: True for a palette image.
    """

    size: tuple[int, int]
    channels: int
    bilevel: bool = False
    deep: bool = False
    animated: bool = False
    indexed: bool = False


def decode(items: Sequence[ImageSource], options: DataOptions, name: str) -> tuple[RawImages, np.ndarray]:
    """Decode all images into one array, at one size.

    Returns:
        The images, and the index of the source of each (all of them, unless bad ones were skipped).

    Raises:
        DataError: for a broken or oversized file (unless `skip_bad`), mixed sizes without `size`, or lack of memory.
    """
    headers: dict[int, PictureHeader] = {}
    bad: dict[int, str] = {}
    required = options.size if options.resize_mode == "require" else None
    for i, item in enumerate(items):
        with _naming_errors(i, items, options, bad):
            result = read_header(item)
            if required is not None:
                _require_exact(item, result, required)
            headers[i] = result
    height, width = options.size or _common_size(items, headers, name)
    codes = options.mode == "codes"
    channels = 1 if codes else max((h.channels for h in headers.values()), default=1)
    dtype = np.uint16 if codes and any(h.deep for h in headers.values()) else np.uint8
    shape = (len(headers), channels, height, width)
    check_shape_memory(name, shape, np.dtype(dtype).itemsize, resized=options.size is not None)
    values = np.empty(shape, dtype)
    indices: list[int] = []
    for i in headers:
        with _naming_errors(i, items, options, bad):
            values[len(indices)] = resize_image(read_pixels(items[i], channels, codes), options).transpose(2, 0, 1)
            indices.append(i)
    if not indices:
        raise DataError(f"{name} holds no image that can be read: {next(iter(bad.values()), 'it is empty')}.")
    chosen = [headers[i] for i in indices]
    bilevel = (
        2
        if all(h.bilevel for h in chosen) and (options.size is None or resolve_resample(options) == "nearest")
        else None
    )
    raw = RawImages(
        values=values[: len(indices)],
        kind="levels" if codes else "pictures",
        name=name,
        levels=bilevel,
        notes=_notes(chosen, bad, options, (height, width)),
        skipped={items[i].name: reason for i, reason in bad.items()},
    )
    return raw, np.array(indices)


def read_header(item: ImageSource) -> PictureHeader:
    """Read the size and the kind of an image from its header.

    Raises:
        DataError: if it has too many pixels, or pixels that are neither 8- nor 16-bit integers.
    """
    with bounded(item.name), item.open() as image:
        width, height = image.size
        if orientation(image) >= 5:
            width, height = height, width
        has_alpha = image.mode in ALPHA_MODES or "transparency" in image.info
        check_pixels(image, item.name)
        return PictureHeader(
            size=(height, width),
            channels=4 if has_alpha else 1 if image.mode in GREY_MODES else 3,
            bilevel=image.mode == "1",
            deep=image.mode.startswith("I") or is_reduced(image),
            animated=bool(getattr(image, "is_animated", False)),
            indexed=image.mode == "P",
        )


def read_pixels(item: ImageSource, channels: int, codes: bool) -> np.ndarray:
    """Decode the first frame of an image, upright, as integers `h w c`.

    Args:
        channels: 1, 3 or 4 channels to convert to.
        codes: return raw numbers or palette indexes (1 channel) instead of intensities.

    Raises:
        DataError: if codes are wanted and the image is neither grey nor indexed.
    """
    with bounded(item.name), item.open() as opened:
        image = upright(opened)
        if codes:
            if image.mode not in (*GREY_MODES, "P"):
                raise DataError(
                    f"{item.name} is a {image.mode} picture: codes are read from grey or indexed files only."
                )
            return np.asarray(image).astype(np.uint16 if image.mode.startswith("I") else np.uint8)[..., None]
        return picture_array(image, channels)


@contextmanager
def _naming_errors(
    index: int, items: Sequence[ImageSource], options: DataOptions, bad: dict[int, str]
) -> Iterator[None]:
    """Name the file in every error; with `skip_bad`, add the message to `bad` and continue."""
    try:
        yield
    except ConfigError:  # an option is wrong, not the file
        raise
    except (DataError, *BROKEN) as error:
        known = isinstance(error, DataError)
        name = items[index].name
        message = str(error).rstrip(".") if known else f"{name} cannot be read as an image ({describe_damage(error)})"
        if not options.skip_bad:
            skip = ", or skip such files with `skip_bad=True`" if len(items) > 1 else ""
            raise DataError(f"{message}." if known else f"{message}: repair or remove it{skip}.") from error
        bad[index] = message


def _common_size(items: Sequence[ImageSource], headers: dict[int, PictureHeader], name: str) -> tuple[int, int]:
    first = next(iter(headers), None)
    if first is None:
        return 1, 1
    for i, header in headers.items():
        if header.size != headers[first].size:
            (h1, w1), (h2, w2) = headers[first].size, header.size
            least = min(min(each.size) for each in headers.values())  # no image is enlarged to a usual side up to it
            example = max((side for side in (8, 16, 24, 28, 32, 48, 64) if side <= least), default=least)
            raise DataError(
                f"The images of {name} have different sizes, {items[first].name} is {h1}x{w1} and {items[i].name} is "
                f"{h2}x{w2} (height x width): choose one for all, for example `size={example}`."
            )
    return headers[first].size


def _require_exact(item: ImageSource, header: PictureHeader, size: tuple[int, int]) -> None:
    if header.size != size:
        raise DataError(
            f"{item.name} is {header.size[0]}x{header.size[1]} (height x width), not the `size` "
            f"{size[0]}x{size[1]}: choose `resize_mode` crop, pad or stretch to resize it."
        )


def _notes(
    headers: Sequence[PictureHeader], bad: Mapping[int, str], options: DataOptions, size: tuple[int, int]
) -> tuple[str, ...]:
    notes = []
    if bad:
        notes.append(f"{counted(len(bad), 'unreadable file')} skipped, the first: {bad[min(bad)]}")
    resized = sum(h.size != size for h in headers)
    if resized:
        how = f"{options.resize_mode}, {resolve_resample(options)}"
        notes.append(f"{resized:,} of {len(headers):,} images resized to {size[0]}x{size[1]} ({how})")
    deep = sum(h.deep for h in headers)
    if deep and options.mode != "codes":
        notes.append(f"{counted(deep, '16-bit image')} reduced to 8 bits")
    animated = sum(h.animated for h in headers)
    if animated:
        notes.append(f"{counted(animated, 'animation')}: the first frame was read")
    return tuple(notes)
