"""Read any list or `torch.utils.data.Dataset` whose items are images, (image, label) pairs, or dictionaries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from pointillist.data.options import DataOptions
from pointillist.data.raw import RawImages
from pointillist.data.readers.decode import ImageSource, decode
from pointillist.data.readers.image_folder import LABEL_COLUMNS, TEXT_COLUMNS
from pointillist.data.readers.numpy_files import to_channels_first
from pointillist.data.readers.parquet import IMAGE_COLUMNS
from pointillist.errors import DataError
from pointillist.files.arrays import is_tensor


def read_sequence(source: Any, options: DataOptions, name: str) -> RawImages:
    """Read every item of `source` once, in order.

    Images are PIL images, tensors `c h w`, or arrays `h w [c]`, all of one type; class names come from `.classes`.

    Raises:
        DataError: naming the first item of another type.
    """
    images, labels, texts = [], [], []
    for i in range(len(source)):
        try:
            item = source[i]
        except (KeyError, TypeError) as error:  # a table of pandas is indexed by its columns
            raise DataError(
                f"{name} is a {type(source).__name__}, which has no item {i}: give a list of pictures, an array, or "
                "`(images, labels)`."
            ) from error
        image, label, text, _ = item_parts(item, f"{name}[{i}]", options)
        images.append(image)
        labels.append(label)
        texts.append(text)
    if not images:
        raise DataError(f"{name} holds no images: at least one is needed.")
    indices: np.ndarray = np.arange(len(images))
    if all(isinstance(image, Image.Image) for image in images):
        sources = [ImageSource(f"{name}[{i}]", image.copy) for i, image in enumerate(images)]
        raw, indices = decode(sources, options, name)
    else:
        values, notes = to_channels_first(*_stacked(images, name), codes=options.mode == "codes")
        raw = RawImages(values=values, kind="integers", name=name, notes=notes)
    for option, column in (("label_column", labels), ("caption_column", texts)):
        wanted = getattr(options, option)
        if wanted and column[0] is None:
            raise DataError(f"{name}[0] has no {wanted!r}, which `{option}` names: give items as dictionaries with it.")
    return replace(
        raw,
        labels=_labels([labels[i] for i in indices], name) if options.labels else None,
        texts=None if texts[0] is None else tuple(str(texts[i]) for i in indices),
        classes=tuple(str(c) for c in getattr(source, "classes", None) or ()),
    )


def item_parts(item: Any, name: str, options: DataOptions) -> tuple[Any, Any, Any, Any]:
    """Return image, label, caption and combination of one item; any but the image may be None."""
    if isinstance(item, Mapping):
        image_key = next((k for k in (*IMAGE_COLUMNS, "x", "levels") if k in item), None)
        if image_key is None:
            raise DataError(f"{name} has the keys {', '.join(map(str, item))}: the image must be under 'image'.")
        label_names = (options.label_column,) if options.label_column else LABEL_COLUMNS
        text_names = (options.caption_column,) if options.caption_column else TEXT_COLUMNS
        text = _first(item, text_names)
        return item[image_key], _first(item, label_names), text, item.get("combination", text)
    if isinstance(item, (tuple, list)) and len(item) in (1, 2, 3):
        image, *rest = item
        label = next((r for r in rest if not isinstance(r, str)), None)
        text = next((r for r in rest if isinstance(r, str)), None)
        return image, label, text, text
    return item, None, None, None


def _first(item: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((item[n] for n in names if n in item), None)


def _stacked(images: list[Any], name: str) -> tuple[np.ndarray, str]:
    """Stack all images into one array `n h w [c]`; tensors `c h w` are transposed."""
    arrays: list[np.ndarray] = []
    for i, image in enumerate(images):
        if is_tensor(image):
            array = image.detach().cpu().numpy()
            array = array.transpose(1, 2, 0) if array.ndim == 3 else array
        elif isinstance(image, np.ndarray):
            array = image
        else:
            raise DataError(
                f"{name}[{i}] is a {type(image).__name__}: items must all be PIL images, all tensors or all arrays."
            )
        if arrays and array.shape != arrays[0].shape:
            raise DataError(
                f"{name}[0] has shape {arrays[0].shape} but {name}[{i}] has {array.shape} (h, w, c): "
                "resize them first, or give PIL images and `size`."
            )
        arrays.append(array)
    return np.stack(arrays), name


def _labels(labels: list[Any], name: str) -> np.ndarray | None:
    if all(label is None for label in labels):
        return None
    try:
        return np.array([label if isinstance(label, str) else int(label) for label in labels])
    except (TypeError, ValueError) as error:
        raise DataError(
            f"A label of {name} is not one number or name for each image ({error}): give one each."
        ) from error
