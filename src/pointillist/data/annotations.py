"""Attributes, vectors and hints as sources hold them: members of an `.npz`, columns of metadata, pairs of folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pointillist.data.decode import ImageSource, decode
from pointillist.data.options import DataOptions
from pointillist.data.pixels import fitted
from pointillist.errors import DataError
from pointillist.images import ImageSpec, Mode

_PICTURES: dict[int, Mode] = {1: "grey", 3: "rgb", 4: "rgba"}
Row = dict[str, Any]


@dataclass(frozen=True)
class Annotations:
    """One entry for each image.

    Attributes:
        attributes: `int64 [n]` by name, -1 where an image has none; `values` holds the names of their numbers.
        vectors: `float32 [n d]`.
        hints: `n c h w` on the grid of the images: integers, which `hint_spec` explains, or floats.
    """

    attributes: Mapping[str, np.ndarray] = field(default_factory=dict)
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    vectors: np.ndarray | None = None
    hints: np.ndarray | None = None
    hint_spec: ImageSpec | None = None

    def check(self, count: int, size: tuple[int, int], name: str) -> None:
        """Refuse columns that do not belong to `count` images of a size.

        Raises:
            DataError: naming the first that does not.
        """
        found = {**self.attributes, "vectors": self.vectors, "hints": self.hints}
        for what, column in found.items():
            if column is not None and len(column) != count:
                raise DataError(f"{name} has {count:,} images but {len(column):,} {what}: give one for each image.")
        if self.vectors is not None and (self.vectors.ndim != 2 or not np.isfinite(self.vectors).all()):
            raise DataError(f"The vectors of {name} must be finite numbers [n, d], not of shape {self.vectors.shape}.")
        if self.hints is not None and self.hints.shape[2:] != size:
            raise DataError(
                f"The hints of {name} are {'x'.join(map(str, self.hints.shape[2:]))} and its images "
                f"{size[0]}x{size[1]}: bring them to one size."
            )

    def take(self, index: np.ndarray) -> Annotations:
        """The entries of some images."""
        return Annotations(
            {name: column[index] for name, column in self.attributes.items()},
            self.values,
            None if self.vectors is None else self.vectors[index],
            None if self.hints is None else self.hints[index],
            self.hint_spec,
        )


@dataclass(frozen=True)
class RawAnnotations:
    """What a source says about `n` images, as it says it.

    Attributes:
        attributes: by name, `n` integers from 0, or strings; -1 and "" mean that it is not known.
        vectors: numbers `n d`.
        hints: `n c h w`.
    """

    attributes: Mapping[str, np.ndarray] = field(default_factory=dict)
    vectors: np.ndarray | None = None
    hints: np.ndarray | None = None

    @property
    def empty(self) -> bool:
        """Whether there are none."""
        return not self.attributes and self.vectors is None and self.hints is None

    def columns(self, options: DataOptions, name: str) -> Annotations:
        """The same, numbered and checked by itself."""
        numbered = {what: _numbered(column, what, name) for what, column in self.attributes.items()}
        hints, vectors = self.hints, self.vectors
        if vectors is not None and vectors.dtype.kind not in "fiub":
            raise DataError(f"The vectors of {name} are {vectors.dtype}: they must be numbers.")
        if hints is not None and options.size is not None and hints.dtype == np.uint8:
            hints = _sized(hints, options)
        spec = None if hints is None or hints.dtype.kind == "f" else _spec(hints, name)
        return Annotations(
            {what: numbers for what, (numbers, _) in numbered.items()},
            {what: values for what, (_, values) in numbered.items()},
            None if vectors is None else vectors.astype(np.float32),
            hints,
            spec,
        )


def extras_of_members(read: Callable[[str, int | None], np.ndarray], options: DataOptions, name: str) -> RawAnnotations:
    """Members of an archive; `read(stem, axes)` gives one for all images."""
    attributes = {what: read(what, 1) for what in options.attribute_columns}
    vectors = None if options.vector_column is None else read(options.vector_column, 2)
    if options.hint_column is None:
        return RawAnnotations(attributes, vectors)
    hints = read(options.hint_column, None)
    if hints.ndim not in (3, 4) or hints.dtype.kind not in "fiub":
        raise DataError(f"The hints {options.hint_column!r} of {name} have shape {hints.shape}: give (n, h, w[, c]).")
    hints = hints[:, None] if hints.ndim == 3 else np.ascontiguousarray(hints.transpose(0, 3, 1, 2))
    return RawAnnotations(attributes, vectors, hints)


def extras_of_folder(
    folder: Path, kept: Sequence[Path], rows: Mapping[Path, Row] | None, size: tuple[int, int], options: DataOptions
) -> RawAnnotations:
    """Columns of the metadata, and the folder of hints, which has a file of the same name for each image."""
    if rows is None and (options.attribute_columns or options.vector_column):
        asked = options.attribute_columns[0] if options.attribute_columns else options.vector_column
        raise DataError(f"The column {asked!r} needs a metadata.jsonl or .csv in {folder}: add one.")
    attributes = {what: _column(kept, rows or {}, what) for what in options.attribute_columns}
    vectors = None
    if options.vector_column is not None:
        vectors = _vectors(kept, rows or {}, options.vector_column)
    hints = None if options.hint_column is None else _paired(folder, kept, size, options)
    return RawAnnotations(attributes, vectors, hints)


def refuse_extras(options: DataOptions, name: str) -> None:
    """For sources that have no place for them.

    Raises:
        DataError: if the options ask for any.
    """
    if options.attribute_columns or options.vector_column or options.hint_column:
        asked = options.attribute_columns[0] if options.attribute_columns else options.vector_column or options.hint_column
        raise DataError(
            f"{asked!r} cannot be read from {name}: attributes, vectors and hints come from an .npz, or from a folder "
            "with metadata.jsonl."
        )


def _numbered(column: np.ndarray, what: str, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Integers as they are, strings by the alphabet; -1 where nothing is known."""
    if column.dtype.kind in "iub":
        numbers = column.astype(np.int64)
        if len(numbers) and not -1 <= int(numbers.min()) <= int(numbers.max()) < 65_536:
            raise DataError(f"A value of {what!r} in {name} is {int(numbers.min())} or above 65,535: count from 0.")
        return numbers, tuple(str(i) for i in range(int(numbers.max(initial=0)) + 1))
    if column.dtype.kind != "U":
        raise DataError(f"The attribute {what!r} of {name} is {column.dtype}: give integers from 0, or names.")
    values = sorted({value for value in column.tolist() if value})
    if not values:
        raise DataError(f"The attribute {what!r} of {name} is empty: leave it out.")
    place = {value: number for number, value in enumerate(values)} | {"": -1}
    return np.array([place[value] for value in column.tolist()], np.int64), tuple(values)


def _column(kept: Sequence[Path], rows: Mapping[Path, Row], what: str) -> np.ndarray:
    if not any(what in row for row in rows.values()):
        there = ", ".join(sorted({key for row in rows.values() for key in row}))
        raise DataError(f"The column {what!r} is not in the metadata, which have: {there}.")
    found = [rows[path].get(what) for path in kept]
    for path, value in zip(kept, found, strict=True):
        if isinstance(value, (list, dict, float)):
            raise DataError(f"{path.name} has the {what} {value!r} in the metadata: give a name or a number from 0.")
    if all(isinstance(value, int) for value in found if value is not None):
        return np.array([-1 if value is None else int(value) for value in found], np.int64)
    return np.array(["" if value is None else str(value) for value in found])


def _vectors(kept: Sequence[Path], rows: Mapping[Path, Row], what: str) -> np.ndarray:
    try:
        vectors = np.array([rows[path][what] for path in kept], np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"The column {what!r} of the metadata does not hold a list of numbers, all of one length, for each image."
        ) from error
    return vectors[:, None] if vectors.ndim == 1 else vectors


def _paired(folder: Path, kept: Sequence[Path], size: tuple[int, int], options: DataOptions) -> np.ndarray:
    """The hint of each image: the file of the same name (its ending may differ), in the same subfolder."""
    root = Path(os.path.normpath(str(options.hint_column)))
    if not root.is_dir():
        raise DataError(f"`hint_column` (={options.hint_column!r}) is no folder: give the folder of hints beside {folder}.")
    if root == folder or root.is_relative_to(folder):
        raise DataError(f"The folder of hints {root} lies inside {folder}, whose images are painted: move it out.")
    files = {path.relative_to(root).with_suffix(""): path for path in sorted(root.rglob("*")) if path.is_file()}
    items = []
    for path in kept:
        found = files.get(path.relative_to(folder).with_suffix(""))
        if found is None:
            raise DataError(f"{path} has no hint in {root}: add a file of the same name, or leave the image out.")
        items.append(ImageSource(str(found), partial(Image.open, found)))
    how: dict[str, Any] = {"mode": "auto", "palette": None, "levels": None, "skip_bad": False, "binarise": "none"}
    if options.size is None:  # a smaller hint, such as a thumbnail, is copied up
        how |= {"size": size, "resize_mode": "stretch", "resample": "nearest"}
    return decode(items, options.changed(**how), str(root)).values


def _sized(hints: np.ndarray, options: DataOptions) -> np.ndarray:
    if hints.shape[2:] == options.size:
        return hints
    return np.stack(
        [fitted(h.transpose(1, 2, 0), options.changed(resample="nearest")).transpose(2, 0, 1) for h in hints]
    )


def _spec(hints: np.ndarray, name: str) -> ImageSpec:
    """8-bit pictures of 256 levels, or of 2 where nothing else occurs; all else is codes, whose levels are names."""
    _, channels, height, width = hints.shape
    if int(hints.min()) < 0:
        raise DataError(f"The hints of {name} have the value {int(hints.min())}: levels count from 0.")
    top = int(hints.max())
    grid = {"channels": channels, "height": height, "width": width}
    if hints.dtype in (np.uint8, np.bool_) and channels in _PICTURES:
        return ImageSpec(**grid, levels=2 if top < 2 else 256, mode=_PICTURES[channels])
    return ImageSpec(**grid, levels=max(2, top + 1), ordered=False)
