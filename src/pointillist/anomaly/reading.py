"""Images to score, batch by batch, from a folder, a data set, levels or pictures; and windows of large ones.

Windows overlap, and their maps are blended to one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pointillist.conditioning import ConditionInputs
from pointillist.data import DataOptions, DataSplits, ImageDataset, load_data
from pointillist.data.readers.image_folder import FolderStream
from pointillist.errors import ConfigError, DataError, ShapeError
from pointillist.files.arrays import as_array, is_tensor
from pointillist.images.array_types import Float, Int, Shaped
from pointillist.model.batches import BatchReader, check_kind, select_images
from pointillist.model.protocols import LikelihoodModel


@dataclass(frozen=True)
class Windows:
    """Positions of windows in an image: half a window apart, and the last one at the edge.

    ```python
    windows = Windows.of((64, 100), (32, 32))
    windows.cut(x)  # [b * len(windows), c, 32, 32]
    ```

    Attributes:
        size: height and width of the image.
        window: height and width of a window, at most the image's.
        corners: row and column of the first pixel of each window.
    """

    size: tuple[int, int]
    window: tuple[int, int]
    corners: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, size: tuple[int, int], window: tuple[int, int]) -> Windows:
        """Lay windows of a size, at most, over an image."""
        window = min(size[0], window[0]), min(size[1], window[1])
        rows, columns = (_starts(whole, part) for whole, part in zip(size, window, strict=True))
        return cls(size, window, tuple((row, column) for row in rows for column in columns))

    def __len__(self) -> int:
        return len(self.corners)

    def cut(self, x: Shaped[np.ndarray, "b c h w"]) -> Shaped[np.ndarray, "n c i j"]:
        """Cut the windows out of images: first from the first image, then from the second, and so on."""
        if len(self) == 1:
            return x
        height, width = self.window
        parts = np.stack([x[..., r : r + height, c : c + width] for r, c in self.corners], 1)
        return parts.reshape(-1, x.shape[1], height, width)

    def blend(self, maps: Float[np.ndarray, "n i j"]) -> Float[np.ndarray, "b h w"]:
        """Average the maps of windows where they overlap, with weights that fall towards the edges of a window."""
        if len(self) == 1:
            return maps
        height, width = self.window
        weight = _ramp(height)[:, None] * _ramp(width)
        windows = maps.reshape(-1, len(self), height, width)
        total = np.zeros((len(windows), *self.size))
        weights = np.zeros(self.size)
        for index, (r, c) in enumerate(self.corners):
            total[:, r : r + height, c : c + width] += weight * windows[:, index]
            weights[r : r + height, c : c + width] += weight
        return np.asarray(total / weights)


def _starts(whole: int, part: int) -> list[int]:
    return sorted({*range(0, whole - part + 1, max(1, part // 2)), whole - part})


def _ramp(length: int) -> Float[np.ndarray, " n"]:
    rising = np.arange(1.0, length + 1)
    return np.asarray(np.minimum(rising, rising[::-1]))


_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """Some images, and what the model reads of them.

    Attributes:
        names: file, or else the number, of each image.
        levels: the images, `[b c h w]`.
        x: their windows, checked by the model, `[b * windows, c, i, j]`; the images themselves if they are not larger.
        inputs: conditions of `x`.
        windows: position of the windows.
    """

    names: tuple[str, ...]
    levels: Int[np.ndarray, "b c h w"]
    x: Int[np.ndarray, "n c i j"]
    inputs: ConditionInputs
    windows: Windows


class ImageBatches:
    """Read images for a model, never more than a batch from a folder.

    Args:
        model: the model that reads them.
        images: a folder or image file, an open `FolderStream`, another source of `load_data`, a data set, splits,
            a batch, samples, levels `[n c h w]`, or PIL images.
        conditions: whether images are read with their conditions, which only data sets have.

    Attributes:
        count: number of images.

    Raises:
        DataError, ShapeError, ConfigError: if the images do not fit the model.

    Example:
        for batch in ImageBatches(model, "parts/").read(64):
            batch.names, batch.x
    """

    def __init__(self, model: LikelihoodModel, images: Any, conditions: bool = False) -> None:
        self._model, self._conditions = model, conditions
        self._said: set[str] = set()
        if isinstance(images, (list, tuple)) and not len(images):
            raise DataError("There is no image to score: the list is empty.")
        if isinstance(getattr(images, "levels", None), np.ndarray):  # a batch or samples
            images = images.levels
        if isinstance(images, (str, Path)):
            images = _open(model, images, conditions)
        self._images = images if isinstance(images, FolderStream) else select_images(model, images)[1]
        if not isinstance(self._images, (FolderStream, ImageDataset)):
            if not isinstance(self._images, (np.ndarray, list, tuple)) and not is_tensor(self._images):
                raise DataError(
                    f"A {type(self._images).__name__} is not a source of images: give a folder, a data set, levels or "
                    "PIL images."
                )
            self._images = as_array(self._images)
            if self._images.ndim != 4:
                raise ShapeError(
                    f"Levels of shape {self._images.shape} must be (n, c, h, w): convert pictures with "
                    "`model.to_levels`."
                )
        if conditions and not isinstance(self._images, ImageDataset):
            raise ConfigError(
                "`conditions` (=True) needs a data set with labels or captions, and these are images alone: read them "
                "with `load_data`, or leave it out."
            )
        self.count: int = len(self._images)
        if not self.count:
            raise DataError("There is no image to score: the data set is empty.")

    def read(self, batch_size: int) -> Iterator[ImageBatch]:
        """Yield the images in order, `batch_size` windows at once and at least one image."""
        if isinstance(self._images, FolderStream):
            for part in self._images.batches(batch_size):
                yield from self._read(part, part.files or (), batch_size)
        else:
            names = self._images.files if isinstance(self._images, ImageDataset) else None
            yield from self._read(self._images, names or [str(number) for number in range(self.count)], batch_size)

    def _read(self, images: ImageDataset | np.ndarray, names: Any, batch_size: int) -> Iterator[ImageBatch]:
        if isinstance(images, ImageDataset):
            for text in images.changes:
                if re.sub(r"\d", "", text) not in self._said:  # each batch of a folder counts by itself
                    self._said.add(re.sub(r"\d", "", text))
                    _log.warning("%s: %s", images.name, text)
            check_kind(self._model, images)
            size = images.spec.height, images.spec.width
        else:
            size = images.shape[2], images.shape[3]
        trained = self._model.image
        windows = Windows.of(size, (trained.height, trained.width))
        if self._conditions and len(windows) > 1:
            raise ConfigError(
                f"`conditions` (=True) does not go with windows, and these images of {size[0]}x{size[1]} are larger "
                f"than the model's of {trained.height}x{trained.width}: leave it out, or resize them."
            )
        reader = BatchReader(self._model, images) if self._conditions else None
        step = max(1, batch_size // len(windows))
        for start in range(0, len(images), step):
            stop = min(len(images), start + step)
            if reader is not None:
                levels, inputs = reader.read(start, stop)
                x = levels
            else:
                levels = (
                    images.batch(np.arange(start, stop)).levels
                    if isinstance(images, ImageDataset)
                    else images[start:stop]
                )
                x = self._model.check_array(windows.cut(levels))
                inputs = self._model.conditions.inputs(None, len(x), size=windows.window)
            yield ImageBatch(tuple(names[start:stop]), levels, x, inputs, windows)


def _is_folder(source: Any) -> bool:
    """Return True for a folder or an image file, which is read batch by batch."""
    return isinstance(source, (str, Path)) and (Path(source).is_dir() or FolderStream.reads(Path(source)))


def normal_images(model: LikelihoodModel, source: Any, conditions: bool = False) -> Any:
    """Return the validation split of a named source, a file or splits that have one; everything else unchanged.

    The training images would make unseen normal images look anomalous, and the test images are those to score.
    """
    if isinstance(source, (str, Path)) and not _is_folder(source):
        return validation_images(model, source, DataOptions(valid_fraction=0.0), conditions)[0]
    if isinstance(source, DataSplits):
        return source.get("all" if source.valid is None else "valid")
    return source


def training_images(model: LikelihoodModel, source: Any) -> Any:
    """Return the training split of a named source, a file or splits that have one; everything else unchanged."""
    if isinstance(source, (str, Path)) and not _is_folder(source):
        source = load_data(source, spec=model.image)
    return training_split(source) if isinstance(source, DataSplits) else source


def training_split(splits: DataSplits) -> ImageDataset:
    return splits.get("all" if splits.train is None else "train")


def validation_images(
    model: LikelihoodModel, source: str | Path, options: DataOptions, conditions: bool, *, hold_out: bool = True
) -> tuple[ImageDataset, str]:
    """Return the validation split of a source with its name; if it has none all images, and `all`.

    Args:
        model: the model that reads them.
        source: a name or a path.
        options: how they are read, with labels: what is held out is stratified by them, as in a training.
        conditions: whether the labels are conditions, so that they must be classes of the model.
        hold_out: whether a source of other splits holds out validation images, as in a training by default.
    """
    classes = model.classes if conditions else ()
    splits = load_data(source, options, spec=model.image, classes=classes)
    if hold_out and splits.valid is None and len(splits.names) > 1:
        options = options.changed(valid_fraction=DataOptions().valid_fraction)
        splits = load_data(source, options, spec=model.image, classes=classes)
    name = "all" if splits.valid is None else "valid"
    return splits.get(name), name


def _open(model: LikelihoodModel, source: str | Path, conditions: bool) -> Any:
    """Open a folder as a stream, and read everything else whole."""
    if _is_folder(source) and not conditions:
        return FolderStream(Path(source), DataOptions(), model.image)
    return load_data(source, spec=model.image, classes=model.classes, valid_fraction=0.0).get("all")
