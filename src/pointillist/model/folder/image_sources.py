"""Sources of images for a model: options that read them as its training images, and one image with what changed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pointillist.data import DataOptions, DataSplits, ImageDataset, load_data
from pointillist.data.pixels import read_picture, to_channels
from pointillist.errors import ConfigError, DataError, ShapeError, counted
from pointillist.files.arrays import as_array, is_tensor
from pointillist.files.settings_tree import merge, nested, parse_assignment, parse_section
from pointillist.images import ImageSpec
from pointillist.images.array_types import Int, UInt8
from pointillist.images.pictures import composite_on_white, picture_array
from pointillist.model.protocols import LikelihoodModel

_log = logging.getLogger(__name__)

# settings of how images become levels apply to every data set; how a source is split and named does not
_READING = ("size", "window", "resize_mode", "resample", "binarise", "threshold")
# what the model itself holds: what its levels are, and what they look like
_TILES = ("level_names", "tileset", "tile_size")
_STORED = ("source", *_TILES)
_FIXED = ("mode", "levels", "ordered", "palette", *_TILES)


def resolve_data_options(model: LikelihoodModel, data: str, sets: Sequence[str], *, labels: bool) -> DataOptions:
    """Resolve how to read `data`: as the model's own training images, as far as that applies.

    Raises:
        ConfigError: if a setting of `sets` is wrong, or is not about reading images.
    """
    return data_options(model.training_record.data, data, sets, labels=labels)


def data_options(record: Mapping[str, Any], data: str, sets: Sequence[str], *, labels: bool) -> DataOptions:
    """Resolve how to read `data`: as the images of a training that are described by `record`, its `[data]`.

    Raises:
        ConfigError: as `resolve_data_options`.
    """
    same = _same_source(record.get("source"), data)
    options = {k: v for k, v in record.items() if k not in _STORED and (same or k in _READING)}
    if not same:  # another source is held out as a whole
        options |= {"valid_fraction": 0.0, "test_fraction": 0.0}
    if not labels:
        options["labels"] = False
    changes = [parse_assignment(text) for text in sets]
    for key, value in changes:
        if not key.startswith("data."):
            raise ConfigError(f"`{key}` (={value}) is not about reading images: only data.NAME can be set here.")
        if key.removeprefix("data.") in _FIXED:
            raise ConfigError(f"`{key}` (={value}) has no effect: the model decides how images are read. Leave it out.")
    tree = merge({"data": options}, *(nested(key, value) for key, value in changes))
    return parse_section(DataOptions, tree["data"], "data")


def read_splits(
    model: LikelihoodModel, source: Any, options: DataOptions | None, classes: Sequence[str] | None = None
) -> DataSplits:
    """Read images as a model's own kind.

    Args:
        classes: names that number the labels; None for the model's, where labels are read.

    Raises:
        ConfigError, DataError: as `load_data`.
    """
    if classes is None:
        classes = model.classes if options is None or options.labels else ()
    return load_data(source, options, spec=model.image, classes=classes, tiles=model.tileset)


def is_training_source(model: LikelihoodModel, data: str) -> bool:
    """Return True if a model was trained on a source of images, as its settings record it."""
    return _same_source(model.training_record.data.get("source"), data)


def _same_source(recorded: str | None, data: str) -> bool:
    if recorded is None:
        return False
    if Path(recorded).name == recorded and not Path(recorded).exists():  # a bundled model does not record the folder
        return recorded == Path(data).name
    return recorded == data or (Path(data).exists() and Path(recorded).resolve() == Path(data).resolve())


def select_split(splits: DataSplits, split: str | None) -> tuple[str, ImageDataset]:
    """Return the name of the split to evaluate, and its images.

    Raises:
        DataError: if there is no such split.
    """
    return splits.natural() if split is None else (split, splits.get(split))


def limit_images(images: ImageDataset, limit: int | None) -> ImageDataset:
    """Return at most `limit` of the images, always the same ones, in their order."""
    return images if limit is None or limit >= len(images) else images.subset(chosen_rows(len(images), limit))


def chosen_rows(count: int, limit: int) -> np.ndarray:
    """Choose at most `limit` of `count` images, always the same ones, in their order."""
    return np.sort(np.random.RandomState(0).permutation(count)[:limit])


def resolve_index(images: ImageDataset, index: int | None) -> int:
    """Return the number of the image to explain.

    Raises:
        ConfigError: if there are several images and none is chosen, or fewer.
    """
    count = len(images)
    if index is None and count > 1:
        raise ConfigError(f"{images.name} has {count:,} images: set `index`, 0 to {count - 1}.")
    if index is not None and index >= count:
        raise ConfigError(f"`index` (={index}) must lie in 0 to {count - 1}: {images.name} has {count:,} images.")
    return index or 0


@dataclass(frozen=True)
class SingleImage:
    """An image that was read for a model.

    ```python
    read_image(model, "scan.png").notes  # ("scan.png: 50 of 784 pixels were brought to ..., by up to 13 of 255",)
    ```

    Attributes:
        levels: checked by the model.
        picture: pixels of the picture that was read; None for levels, and where the levels hold its colours.
        notes: sentences on what the levels do not hold, and on another scale.
    """

    levels: Int[np.ndarray, "1 c h w"]
    picture: UInt8[np.ndarray, "h w d"] | None = None
    notes: tuple[str, ...] = ()


def read_image(model: LikelihoodModel, image: Any) -> SingleImage:
    """Read one image, and log what changed: levels `[c h w]` or `[1 c h w]`, a picture, its path, or a map.

    An image that was read before is returned, without its notes.

    Raises:
        ShapeError: if there are several images, or one of another shape.
        DataError: if it is not an image, or cannot be read.

    Example:
        read_image(model, "scan.png").levels
    """
    if isinstance(image, SingleImage):
        return image
    read = describe_image(model, image)
    for sentence in read.notes:
        _log.warning(sentence)
    return read


def single_image(model: LikelihoodModel, image: Any) -> Int[np.ndarray, "1 c h w"]:
    """Read the levels of one image, checked; see `read_image`."""
    return read_image(model, image).levels


def describe_image(model: LikelihoodModel, image: Any) -> SingleImage:
    """Read one image as `read_image`, and log nothing."""
    name = str(image) if isinstance(image, (str, Path)) else "the picture"
    if isinstance(image, (str, Path)) and model.image.mode == "codes":
        maps = load_data(image, spec=model.image, classes=model.classes, tiles=model.tileset).get("all")
        if len(maps) != 1:
            raise several_images(len(maps))
        image = maps.batch([0]).levels
    elif isinstance(image, (str, Path)):
        image = read_picture(Path(image), str(image))
    if not _is_picture(model.image, image):
        return SingleImage(model.check_array(_levels(image)))
    levels = model.image.level_array(image)
    if len(levels) != 1:
        raise several_images(len(levels))
    colours = describe_colours(model.image, image, levels, name)
    picture = _pixels(image) if colours else None
    return SingleImage(model.check_array(levels), picture, (*colours, *_scale(model.image, levels, name)))


def describe_colours(spec: ImageSpec, picture: Any, levels: Int[np.ndarray, "1 c h w"], name: str) -> tuple[str, ...]:
    """Write a sentence on the pixels of a picture whose colours its levels do not hold; none if they hold all.

    ```python
    describe_colours(spec, picture, spec.level_array(picture), "a.png")  # ("a.png: 50 of 784 pixels were ...",)
    ```
    """
    if spec.is_deep:
        return ()
    pixels = _rgba(_pixels(picture))
    if spec.min_is_white:  # paper is transparent in files
        pixels = _rgba(composite_on_white(pixels.transpose(2, 0, 1)[None])[0].transpose(1, 2, 0))
    changed = np.abs(pixels.astype(int) - _rgba(spec.to_images(levels)[0])).max(-1)
    if not changed.any():
        return ()
    return (
        f"{name}: {int((changed > 0).sum()):,} of {changed.size:,} pixels were brought to {_colours(spec)}, by up to "
        f"{int(changed.max())} of 255, as the model reads them",
    )


def several_images(count: int) -> ShapeError:
    """Make the error of a function of one image that is given another number of them."""
    return ShapeError(f"{count:,} images are given where one is needed: give one, (c, h, w).")


def _is_picture(spec: ImageSpec, image: Any) -> bool:
    """Return True for pictures; an array whose first axis has the channels of the model is levels `[c h w]`."""
    array = image if isinstance(image, np.ndarray) else None
    return spec.is_picture(image) and (array is None or array.ndim != 3 or array.shape[0] != spec.channels)


def _levels(image: Any) -> np.ndarray:
    if not isinstance(image, (list, tuple)) and not is_tensor(image) and not hasattr(image, "__array__"):
        raise DataError(f"A {type(image).__name__} is not an image: give levels (c, h, w), a picture, or its path.")
    x = as_array(image)
    x = x[None] if x.ndim == 3 else x
    if x.ndim == 4 and len(x) != 1:
        raise several_images(len(x))
    return x


def _pixels(image: Any) -> UInt8[np.ndarray, "h w d"]:
    """Return the pixels of a picture in channels that hold its colours."""
    if not isinstance(image, Image.Image):
        array = image[0] if isinstance(image, np.ndarray) and image.ndim == 4 else image
        return np.atleast_3d(np.asarray(array)) if isinstance(image, np.ndarray) else _pixels(image[0])
    grey = image.mode in ("1", "L") or image.mode.startswith("I")
    return picture_array(image, 4 if image.has_transparency_data else 1 if grey else 3)


def _rgba(pixels: UInt8[np.ndarray, "h w d"]) -> UInt8[np.ndarray, "h w 4"]:
    """Return pixels as RGBA; transparent ones have no colour."""
    rgba = to_channels(pixels.transpose(2, 0, 1)[None], 4)[0].transpose(1, 2, 0)
    return np.where(rgba[..., 3:] == 0, np.uint8(0), rgba)


def _colours(spec: ImageSpec) -> str:
    if spec.mode == "palette":
        more = f" (`--palette` of training, here {spec.levels}, takes up to 256)" * (spec.levels < 256)
        return f"the {counted(spec.levels, 'colour')} of the palette{more}"
    many = {"grey": "greys", "rgb": "levels of red, green and blue", "rgba": "levels of each channel"}
    return f"the {spec.levels} {many[spec.mode]}"


def _scale(spec: ImageSpec, levels: Int[np.ndarray, "1 c h w"], name: str) -> tuple[str, ...]:
    height, width = levels.shape[2:]
    if (height, width) == (spec.height, spec.width):
        return ()
    return (
        f"{name} is {height}x{width}, and the model was trained on {spec.height}x{spec.width}: it draws at the scale "
        "of its training images",
    )
