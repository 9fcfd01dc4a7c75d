"""Lossless compression by exact likelihood: an entropy coder follows the integer frequencies of an integer model.

`codec.py` codes pictures and symbols; `container.py` is the layout of an archive, which `writer.py` and
`archive.py` write and read. Nothing needs torch.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pointillist.compression.about import About, ValueMap
from pointillist.compression.archive import Archive
from pointillist.compression.models import as_integer_model, image_of
from pointillist.compression.reader import MAX_SUB_PIXELS
from pointillist.compression.writer import ArchiveWriter
from pointillist.engine.program import IntArray
from pointillist.errors import ArchiveError, ConfigError, DataError, Range, ShapeError, flag
from pointillist.files.suggestions import arguments, checked_keywords
from pointillist.images import ImageSpec
from pointillist.images.pictures import picture_array
from pointillist.images.spec import pil_images
from pointillist.model.portable import ProgramModel

__all__ = ["Archive", "ArchiveWriter", "compress", "decompress"]


@checked_keywords
@arguments(threads=Range(1), verify=flag)
def compress(
    model: Any,
    images: Any,
    *,
    label: Any = None,
    order: str | None = None,
    per_record: int | None = None,
    verify: bool = True,
    threads: int = 1,
    learn: bool | None = None,
) -> bytes:
    """Compress images without loss, into about as many bits as their likelihood under the integer model says.

    `decompress` gives the same levels on any machine. The archive does not contain the model.

    A picture of more than 512 rows or columns is coded in tiles, if the model takes any size: version 2 of the format.

    Args:
        model: a model with an integer program (`quantize_integer`), its name or its folder.
        images: levels, integers `[n, c, h, w]`, or a list of `[c, h, w]` of any sizes; or pictures (PIL, uint8
            `[h, w]`, `[n, h, w]` or `[n, h, w, 3]`) whose colours the model has. Where the model knows one size only,
            others are cut into tiles of it.
        label: classes, one for all or one each, by number or name, if the model has them.
        order: generation order; None for the model's usual one.
        per_record: images that are coded together; None for as many as have 32,768 sub-pixels. One image alone costs
            about ten bytes more, and is decoded by itself.
        verify: decode everything again, and compare.
        threads: threads that share the work; the bytes are the same for any number.
        learn: whether a stage learns as it codes: a second likelihood, of these pictures in this order. None where it
            pays, for models of 64 to 256 levels; `decompress` needs the library in C.

    Returns:
        The archive.

    Raises:
        EngineError, CheckpointError: if the model has no integer program.
        ShapeError: if the images do not fit the model.

    Example:
        ```python
        archive = pt.compress("digits", images)
        8 * len(archive) / images.numel()  # bits/dim
        ```
    """
    integer_model = as_integer_model(model)
    image = image_of(model) if isinstance(model, (str, Path)) else getattr(model, "image", None)
    pictures = as_pictures(images, image)
    values = None
    if image is not None and image.is_deep and pictures:
        values = ValueMap.choose(np.concatenate([picture.reshape(-1) for picture in pictures]), image.levels)
        pictures = [values.to_levels(picture) for picture in pictures]
    labels = resolve_labels(integer_model, label, len(pictures))
    file = io.BytesIO()
    with ArchiveWriter(
        file,
        integer_model,
        order=order,
        labels=labels is not None,
        per_record=per_record,
        verify=bool(verify),
        threads=threads,
        largest=max((max(picture.shape[1:]) for picture in pictures), default=0),
        learn=learn,
    ) as archive:
        if values is not None and values.to_json() != ["<u2", 0]:
            archive.add_metadata(About(array="values", values=values).to_json())
        for number, picture in enumerate(pictures):
            archive.add(picture, None if labels is None else labels[number])
    return file.getvalue()


@checked_keywords
@arguments(max_sub_pixels=Range(1))
def decompress(
    archive: bytes, model: Any = None, *, max_sub_pixels: int = MAX_SUB_PIXELS, threads: int = 1
) -> IntArray | list[IntArray]:
    """Decompress an archive; for one that does not fit in memory, or is damaged, see `Archive`.

    Args:
        archive: what `compress` returned.
        model: the model, as for `compress`; None to look for it among the bundled ones.
        max_sub_pixels: most sub-pixels of all images together.
        threads: threads that share the work.

    Returns:
        Levels `[n, c, h, w]`, or a list of `[c, h, w]` if the sizes differ; integers of 16-bit models as they were.

    Raises:
        ArchiveError: if it is damaged, too large, or of another model.

    Example:
        ```python
        images = pt.decompress(pt.compress("digits", images))
        ```
    """
    opened = Archive(archive, model, threads=threads)
    if opened.damage is not None:
        raise opened.damage
    if (declared := opened.sub_pixels) > max_sub_pixels:
        raise ArchiveError(
            f"The archive declares {declared:,} sub-pixels, over the limit of {max_sub_pixels:,}: raise "
            "`max_sub_pixels`, or read its images one by one with `Archive`."
        )
    values = opened.about.values
    result = [levels if values is None else values.to_values(levels) for levels in opened]
    return np.stack(result) if len({x.shape for x in result}) == 1 else result


def as_pictures(images: Any, image: ImageSpec | None = None) -> list[IntArray]:
    """Return images as a list of integer arrays `[c, h, w]`.

    Args:
        image: what they mean, to read pictures; None reads levels alone.

    Raises:
        ShapeError: if they are none.
        DataError: if the levels do not hold the colours of a picture.
    """
    if image is not None and image.is_picture(images):
        levels = image.level_array(images)
        pixels = np.asarray(images) if isinstance(images, np.ndarray) else _pixels(images, image)
        if not np.array_equal(image.to_images(levels).reshape(-1), pixels.reshape(-1)):
            raise DataError(
                f"The pictures have colours that the model of {image} does not hold exactly: convert them first, or "
                "use a model of their colours."
            )
        return list(levels.astype(pixels.dtype) if image.is_deep else levels)
    if isinstance(images, Sequence):
        result = [np.asarray(x) for x in images]
    else:
        array = np.asarray(images)
        if array.ndim == 0:
            raise ShapeError(f"`images` is a {type(images).__name__}: give levels, integers (n, c, h, w), or pictures.")
        result = list(array[(None,) * (4 - array.ndim)] if array.ndim in (2, 3) else array)
    for x in result:
        if x.ndim != 3 or not np.issubdtype(x.dtype, np.integer):
            raise ShapeError(f"Images of shape {x.shape} and type {x.dtype} must be integers (n, c, h, w).")
    return result


def _pixels(pictures: Any, image: ImageSpec) -> np.ndarray:
    """Return the pixels of pictures; indexes are colours, and ink on transparent paper is on white."""
    each = pil_images(pictures)
    if image.mode == "palette" or image.min_is_white:
        return np.stack([picture_array(picture, 4 if image.mode == "palette" else 1) for picture in each])
    return np.asarray([np.asarray(picture) for picture in each])


def resolve_labels(integer_model: ProgramModel, label: Any, count: int) -> list[int] | None:
    """Return the class of each image by number, -1 for none; None without labels.

    Raises:
        ConfigError: if there is no such class, or the model has none.
    """
    if label is None:
        return None
    each = [label] * count if np.ndim(np.asarray(label, object)) == 0 else list(np.asarray(label, object))
    if len(each) != count:
        raise ConfigError(f"`label` has {len(each)} values, and there are {count} images: give one for each.")
    numbers: list[int] = (
        integer_model.conditions.inputs(np.array(each, object), len(each)).parts["label"].values.tolist()
    )
    return numbers
