"""Images in memory, and batches that depend on the image indices and the seed alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from pointillist.data.options import Binarise
from pointillist.data.raw import Annotations, check_lengths
from pointillist.data.tilemaps.tileset import Tileset
from pointillist.data.windows import PictureWindows
from pointillist.errors import ConfigError, DataError, quote
from pointillist.files.suggestions import AnsweredNames
from pointillist.images import ImageSpec
from pointillist.images.array_types import Float32, Int, Int64, Shaped

Indices = Sequence[int] | np.ndarray
CHANGES = ("quantised to", "resized to", "reduced to 8 bits", "brought to", "first frame")
"""Words of the notes that say that pixels are not as the source has them."""


@dataclass(frozen=True)
class Batch:
    """Some images with their annotations.

    ```python
    batch = load_data("uci-digits").train.batch([0, 1])
    batch.levels.shape, batch.labels.shape  # ((2, 1, 8, 8), (2,))
    ```

    Attributes:
        levels: integers in [0, spec.levels).
        labels: numbers of the classes in `classes`, -1 for none; None where the data set has no labels.
        texts: captions; None where the data set has none.
        hints: conditioning images; None where the data set has none.
        classes: names of the classes of the data set.
        annotations: other annotations of these images, without their hints.
    """

    levels: Int64[np.ndarray, "b c h w"]
    labels: Int64[np.ndarray, " b"] | None = None
    texts: tuple[str, ...] | None = None
    hints: Shaped[np.ndarray, "b d h w"] | None = None
    classes: tuple[str, ...] = ()
    annotations: Annotations = field(default_factory=Annotations)

    def __len__(self) -> int:
        return len(self.levels)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.levels.shape[1:]))
        labels = "" if self.labels is None else ", labels"
        return f"Batch({len(self)} images of {shape}{labels}{'' if self.texts is None else ', texts'})"


@dataclass(frozen=True)
class DataSource:
    """Where images come from.

    Attributes:
        name: name of the data set in messages.
        notes: how the source was read, one short sentence each.
        files: file of each image, relative to its folder; None where images do not come from separate files.
        tileset: pictures of the levels of maps; None if absent.
        skipped: why each file of the source that cannot be read was left out (`skip_bad`), by name.
    """

    name: str = "images"
    notes: Sequence[str] = ()
    files: Sequence[str] | None = None
    tileset: Tileset | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)


class ImageDataset(AnsweredNames):
    """Images of one kind and size, in memory.

    `load_data` makes it. `torch.utils.data.DataLoader` takes it as it is.

    ```python
    data = load_data("uci-digits").train
    batch = data.batch([0, 1, 2], seed=1, flip=True)
    batch.levels.shape  # (3, 1, 8, 8)
    ```

    Attributes:
        spec: shape, number of levels, and meaning of the integers.
        labels: `int64 [n]`, or None.
        texts: one caption for each image, or None.
        classes: names of the labels; empty without labels.
        annotations: attributes, vectors and hints; see `Annotations`.
        name, notes, files, tileset, skipped: of the `DataSource`.
        binarise: with `dynamic`, 8-bit intensities are kept and `batch` draws the two levels.
    """

    usual_variable: ClassVar[str] = "data"

    def __init__(
        self,
        values: np.ndarray,
        spec: ImageSpec,
        *,
        labels: np.ndarray | None = None,
        texts: Sequence[str] | None = None,
        classes: Sequence[str] = (),
        annotations: Annotations | None = None,
        binarise: Binarise = "none",
        source: DataSource = DataSource(),
    ) -> None:
        """Wrap `values` (unsigned integers `n c h w`) without a copy."""
        name = source.name
        if values.ndim != 4 or values.shape[1:] != spec.shape:
            raise DataError(
                f"Images of {name} have shape {values.shape}: they must be (n, c, h, w) with (c, h, w) {spec.shape}."
            )
        if binarise != "dynamic" and values.size and not 0 <= values.min() <= values.max() < spec.levels:
            raise DataError(
                f"Levels of {name} from {values.min()} to {values.max()} must lie in 0 to {spec.levels - 1}: read them "
                "with `load_data`."
            )
        self._values: np.ndarray | PictureWindows = values
        self._proportions = False
        self._rows = np.arange(len(values))
        check_lengths(name, len(values), {"labels": labels, "texts": texts})
        self.annotations: Annotations = annotations or Annotations()
        self.annotations.check(len(self._rows), (spec.height, spec.width), name)
        self.spec = spec
        self.labels: Int[np.ndarray, " n"] | None = None if labels is None else np.asarray(labels, np.int64)
        self.texts: tuple[str, ...] | None = None if texts is None else tuple(texts)
        self.files: tuple[str, ...] | None = None if source.files is None else tuple(source.files)
        self.classes: tuple[str, ...] = tuple(classes)
        self.name = name
        self.notes: tuple[str, ...] = tuple(source.notes)
        self.binarise = binarise
        self.tileset: Tileset | None = source.tileset
        self.skipped: dict[str, str] = dict(source.skipped)

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int | slice) -> Any:
        """Return one image as a dictionary: `levels` (int64 `c h w`), and `label`, `text` if any; a slice as a set.

        Raises:
            ConfigError: if it is neither a number nor a slice.
        """
        if isinstance(index, slice):
            return self.subset(range(len(self))[index])
        if isinstance(index, bool) or not isinstance(index, (int, np.integer)):
            raise ConfigError(
                f"`data[{quote(index)}]` takes a number or a slice: `data.subset(numbers)` takes several."
            )
        batch = self.batch([index])
        item: dict[str, np.ndarray | int | str] = {"levels": batch.levels[0]}
        if self.labels is not None:
            item["label"] = int(self.labels[index])
        if self.texts is not None:
            item["text"] = self.texts[index]
        return item

    def __repr__(self) -> str:
        return f"ImageDataset({self.name!r}, {len(self):,} images, {self.spec})"

    @property
    def changes(self) -> tuple[str, ...]:
        """Notes that say that pixels are not as the source has them: other levels, another size."""
        return tuple(note for note in self.notes if any(word in note for word in CHANGES))

    def batch(self, indices: Indices, *, seed: int = 0, flip: bool = False) -> Batch:
        """Return the images at `indices`, in that order.

        Windows of pictures, dynamic binarisation and flips are drawn for each image from `(seed, image)`; seed 0 leaves
        windows where they are. A batch depends neither on
        earlier batches, nor on the other images in it, nor on the process. Change `seed` each epoch.

        Args:
            indices: positions in [0, len(self)); negative ones count from the end.
            seed: 0 or more.
            flip: mirror each image left to right with probability 1/2.

        Raises:
            IndexError: if an index is out of range.
            ConfigError: if `seed` is negative.
        """
        if seed < 0:
            raise ConfigError(f"`seed` (={seed}) must be 0 or more: choose another.")
        part, stored = self.subset(indices), self._values
        rows, hints = part._rows, part.annotations.hints
        values = stored.draw(rows, seed) if isinstance(stored, PictureWindows) else stored[rows]
        if flip:
            mirrored = np.array([_draws(seed, int(row), 0).random() < 0.5 for row in rows], bool)
            for images in (values, hints):
                if images is not None:
                    images[mirrored] = images[mirrored][..., ::-1]
        if self.binarise == "dynamic":
            # after the flip: draws belong to pixel positions, so that a flipped image is not a mirrored draw
            for value, row in zip(values, rows, strict=True):
                # 1 with probability intensity / 255, exactly: never for 0, always for 255
                value[...] = _draws(seed, int(row), 1).integers(0, 255, value.shape) < value
        annotations = replace(part.annotations, hints=None)
        if self._proportions:  # of the window that was drawn
            annotations = replace(annotations, vectors=proportions(values, self.spec.levels))
        hints = None if hints is None else hints.astype(np.float32 if hints.dtype.kind == "f" else np.int64)
        return Batch(values.astype(np.int64), part.labels, part.texts, hints, self.classes, annotations)

    def subset(self, indices: Indices, name: str | None = None) -> ImageDataset:
        """Return a data set of the images at `indices`, which shares memory with this one.

        Each image keeps its dynamic binarisation draws.
        """
        index = self._checked(indices)
        out = copy(self)
        out.name, out._rows, out.annotations = name or self.name, self._rows[index], self.annotations.take(index)
        out.labels = None if self.labels is None else self.labels[index]
        out.texts = None if self.texts is None else tuple(self.texts[i] for i in index)
        out.files = None if self.files is None else tuple(self.files[i] for i in index)
        return out

    def windows(self, windows: PictureWindows) -> ImageDataset:
        """Return a data set of windows of these images, each with the annotations of its picture.

        Raises:
            DataError: if the images have hints, which would have to be cut as well.
        """
        if self.annotations.hints is not None:
            raise DataError(f"`window` cannot be used with the hints of {self.name}: cut both into files of one size.")
        out = self.subset(windows.corners[:, 0])
        out._values, out._rows = windows, np.arange(len(windows))
        out.spec = self.spec.resized(*windows.size)
        return out

    def with_proportions(self) -> ImageDataset:
        """Return the same images, with the share of each level as their vector.

        Raises:
            DataError: if there are more than 256 levels.
        """
        if self.spec.levels > 256:
            raise DataError(f"`proportions` need at most 256 levels, and {self.name} has {self.spec.levels:,}.")
        out = copy(self)
        out._proportions = True
        parts = [proportions(levels, self.spec.levels) for levels in self._chunks()]
        out.annotations = replace(self.annotations, vectors=np.concatenate(parts))
        return out

    @property
    def regions(self) -> list[Shaped[np.ndarray, "c y x"]]:
        """Parts of pictures that the images are windows of; empty for other images."""
        return self._values.regions(self._rows) if isinstance(self._values, PictureWindows) else []

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the images, so that work is not resumed on other ones."""
        digest = hashlib.sha256(repr((len(self), *self.spec.shape, "uint16")).encode())
        for levels in self._chunks():
            digest.update(np.ascontiguousarray(levels.astype(np.uint16)).data)
        return digest.hexdigest()

    def _chunks(self) -> Iterator[np.ndarray]:
        for start in range(0, len(self), 1024):
            yield self.batch(np.arange(start, min(start + 1024, len(self)))).levels

    def _checked(self, indices: Indices) -> np.ndarray:
        index = np.asarray(indices).reshape(-1)
        if index.size and not np.issubdtype(index.dtype, np.integer):
            raise ConfigError(f"Images are counted by whole numbers from 0, not {quote(index.tolist())}: give such.")
        index = index.astype(np.int64)
        if len(index) and not (-len(self) <= index.min() and index.max() < len(self)):
            bad = next(i for i in index.tolist() if not -len(self) <= i < len(self))
            raise IndexError(f"Image {bad} is not in {self.name}, which has {len(self):,} images: count from 0.")
        return index % max(len(self), 1)


def proportions(levels: Shaped[np.ndarray, "n c h w"], count: int) -> Float32[np.ndarray, "n k"]:
    """Return the share of each level in each image.

    ```python
    proportions(np.array([[[[0, 1], [1, 1]]]]), 2)  # [[0.25, 0.75]]
    ```
    """
    shares = [(levels == level).mean((1, 2, 3), dtype=np.float32) for level in range(count)]
    return np.stack(shares, 1)


def _draws(seed: int, row: int, purpose: int) -> np.random.Generator:
    return np.random.default_rng((seed, row, purpose))
