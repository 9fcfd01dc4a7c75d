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

from pointillist.data import DataOptions, DataSplits, ImageDataset
from pointillist.data.readers.image_folder import FolderStream
from pointillist.errors import DataError
from pointillist.images.array_types import Float, Int, Shaped
from pointillist.model.batches import check_kind, select_images
from pointillist.model.folder.image_sources import is_training_source, read_splits
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
        windows: position of the windows.
    """

    names: tuple[str, ...]
    levels: Int[np.ndarray, "b c h w"]
    x: Int[np.ndarray, "n c i j"]
    windows: Windows


class ImageBatches:
    """Read images for a model, never more than a batch from a folder.

    Args:
        model: the model that reads them.
        images: a folder or image file, an open `FolderStream`, another source of `load_data`, a data set, splits,
            a batch, samples, levels `[n c h w]`, or PIL images.

    Attributes:
        count: number of images.

    Raises:
        DataError, ShapeError, ConfigError: if the images do not fit the model.

    Example:
        for batch in ImageBatches(model, "parts/").read(64):
            batch.names, batch.x
    """

    def __init__(self, model: LikelihoodModel, images: Any) -> None:
        self._model, self._said = model, set[str]()
        self._images, _ = open_images(model, images)
        if not len(self._images):
            raise DataError("There is no image to score: the data set is empty.")
        self.count: int = len(self._images)

    def read(self, batch_size: int) -> Iterator[ImageBatch]:
        """Yield the images in order, `batch_size` windows at once and at least one image."""
        for part in self._images.batches(batch_size) if isinstance(self._images, FolderStream) else [self._images]:
            yield from self._read(part, batch_size)

    def _read(self, images: ImageDataset | np.ndarray, batch_size: int) -> Iterator[ImageBatch]:
        trained, files = self._model.image, None
        if isinstance(images, ImageDataset):
            self._log_changes(images)
            check_kind(self._model, images)
            size, files = (images.spec.height, images.spec.width), images.files
        else:
            size = images.shape[2], images.shape[3]
        windows = Windows.of(size, (trained.height, trained.width))
        step = max(1, batch_size // len(windows))
        for start in range(0, len(images), step):
            index = np.arange(start, min(len(images), start + step))
            levels = images.batch(index).levels if isinstance(images, ImageDataset) else images[index]
            x = self._model.check_array(windows.cut(levels))
            yield ImageBatch(tuple(files[i] if files else str(i) for i in index), levels, x, windows)

    def _log_changes(self, images: ImageDataset) -> None:
        """Log once what reading changed, without its numbers: each batch of a folder counts by itself."""
        for text in images.changes:
            if re.sub(r"\d", "", text) not in self._said:
                self._said.add(re.sub(r"\d", "", text))
                _log.warning("%s: %s", images.name, text)


def open_images(
    model: LikelihoodModel, source: Any, split: str | None = None, options: DataOptions | None = None
) -> tuple[FolderStream | ImageDataset | np.ndarray, str]:
    """Open images: a folder as a stream, which is read batch by batch, everything else whole.

    Args:
        model: the model that scores them.
        source: as for `ImageBatches`.
        split: name of a split of the source; `valid?` and `train?` are these splits if there are any, else all images;
            None is all images of a source that is named, and the natural split of splits. A source of other splits that
            the model was not trained on holds out validation images, as in a training. The training images would make
            unseen normal images look anomalous, and the test images are those to score.
        options: how a source that is named is read.

    Returns:
        The images, and the name of their split.

    Raises:
        DataError, ShapeError, ConfigError: if the source cannot be read, or has no such split.
    """
    if isinstance(source, (str, Path)):
        opened = _open(model, source, split, options)
        if isinstance(opened, FolderStream):
            return opened, "all"
        source, split = opened, split or "all"
    if isinstance(source, DataSplits) and split is not None:
        name = split.removesuffix("?")
        name = name if name == split or name in source.names else "all"
        return source.get(name), name
    if isinstance(source, FolderStream):
        return source, "all"
    chosen, images = select_images(model, getattr(source, "levels", source))  # also of a batch, or of samples
    return images, chosen or "all"


def _open(
    model: LikelihoodModel, source: str | Path, split: str | None, options: DataOptions | None
) -> FolderStream | DataSplits:
    path, trained = Path(source), options is not None and is_training_source(model, str(source))
    reading = options or DataOptions(valid_fraction=0.0)
    if (path.is_dir() or FolderStream.reads(path)) and split in (None, "all", "valid?", "train?"):
        stream = FolderStream(path, reading, model.image)
        if split in (None, "all") or not (stream.has_splits or trained):
            return stream
    splits = read_splits(model, source, reading, ())
    if split == "valid?" and splits.valid is None and len(splits.names) > 1 and not trained:
        return read_splits(model, source, reading.changed(valid_fraction=DataOptions().valid_fraction), ())
    return splits
