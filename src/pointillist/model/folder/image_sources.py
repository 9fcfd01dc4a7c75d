"""Options that read images for a trained model: as its own training images, as far as that applies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pointillist.data import DataOptions, DataSplits, ImageDataset, load_data
from pointillist.errors import ConfigError
from pointillist.files.settings_tree import merge, nested, parse_assignment, parse_section
from pointillist.model.protocols import LikelihoodModel

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
