"""Raw images: the output of every reader, before pixels become levels; and splits that are missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pointillist.data.options import DataOptions
from pointillist.data.tilemaps.tileset import Tileset
from pointillist.errors import DataError
from pointillist.files.reading import MAX_NAME, check_texts
from pointillist.images import ImageSpec

SPLITS = ("train", "valid", "test")
UNLABELLED = -1
"""Number of the label of an image that has none."""
# the names that the Hugging Face folder layout and common archives use
SPLIT_ALIASES = {
    **dict.fromkeys(("train", "training", "tr"), "train"),
    **dict.fromkeys(("valid", "val", "validation", "dev"), "valid"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}


def check_lengths(name: str, count: int, columns: Mapping[str, Sequence[Any] | np.ndarray | None]) -> None:
    """Reject annotations of another number of images.

    Raises:
        DataError: naming the first.
    """
    for what, column in columns.items():
        if column is not None and len(column) != count:
            raise DataError(f"{name} has {count:,} images but {len(column):,} {what}: give one for each image.")


@dataclass(frozen=True)
class Annotations:
    """Annotations of `n` images in addition to labels and captions.

    ```python
    images = load_data("faces.npz", attribute_columns="hair,eyes").train
    images.annotations.values["hair"]  # ("black", "red")
    ```

    Attributes:
        attributes: `int64 [n]` by attribute name; -1 means that the value is unknown.
        values: by attribute name, the name of each number.
        vectors: `float32 [n d]`, or None.
        hints: `n c h w` on the grid of the images, integers or floats, or None.
        hint_spec: how integer hints are to be read; None for floats.
    """

    attributes: Mapping[str, np.ndarray] = field(default_factory=dict)
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    vectors: np.ndarray | None = None
    hints: np.ndarray | None = None
    hint_spec: ImageSpec | None = None

    def check(self, count: int, size: tuple[int, int], name: str) -> None:
        """Reject annotations that do not belong to `count` images of a size `(height, width)`.

        Raises:
            DataError: naming the first annotation that does not.
        """
        check_lengths(name, count, {**self.attributes, "vectors": self.vectors, "hints": self.hints})
        if self.vectors is not None and (self.vectors.ndim != 2 or not np.isfinite(self.vectors).all()):
            raise DataError(f"The vectors of {name} must be finite numbers [n, d], not of shape {self.vectors.shape}.")
        if self.hints is not None and self.hints.shape[2:] != size:
            raise DataError(
                f"The hints of {name} are {'x'.join(map(str, self.hints.shape[2:]))} and its images "
                f"{size[0]}x{size[1]}: resize one of the two."
            )

    def take(self, index: np.ndarray) -> Annotations:
        return Annotations(
            {name: column[index] for name, column in self.attributes.items()},
            self.values,
            None if self.vectors is None else self.vectors[index],
            None if self.hints is None else self.hints[index],
            self.hint_spec,
        )


@dataclass(frozen=True, kw_only=True)
class RawImages:
    """Images of one source, all of one size, with everything the source stores about them.

    Attributes:
        values: integers `n c h w`.
        kind: `pictures` are certainly 8-bit intensities (image files), `levels` are certainly levels (codes), and
            `integers` may be either (arrays).
        name: name of the source in messages.
        labels: `n` integers from 0 or non-empty strings, or None.
        texts: `n` captions, or None.
        split: `n` of `train`, `valid`, `test`, or None where the source has no splits.
        groups: `n` group names, or None; images of one group stay in the same split.
        classes: names of integer labels; may be empty.
        palette: RGBA colours of the source, or None.
        levels: number of levels where the source defines it, or None.
        level_names: name of each level, or None.
        tileset: pictures of the levels, or None.
        annotations: attributes, vectors and hints; None where the source cannot hold them.
        notes: decisions made while reading, one short sentence each.
        files: file of each image, relative to the folder; None where images do not come from separate files.
        skipped: why each file that cannot be read was left out, by its name.
    """

    values: np.ndarray
    kind: Literal["pictures", "levels", "integers"]
    name: str
    labels: np.ndarray | None = None
    texts: tuple[str, ...] | None = None
    split: np.ndarray | None = None
    groups: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    palette: tuple[tuple[int, int, int, int], ...] | None = None
    levels: int | None = None
    level_names: tuple[str, ...] | None = None
    tileset: Tileset | None = None
    annotations: Annotations | None = None
    notes: tuple[str, ...] = ()
    files: tuple[str, ...] | None = None
    skipped: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        count = len(self.values)
        if count == 0:
            raise DataError(f"{self.name} holds no images: at least one is needed.")
        check_lengths(self.name, count, {"labels": self.labels, "texts": self.texts, "split names": self.split})
        check_texts(self.classes, f"A class name of {self.name}", MAX_NAME, DataError)
        check_texts(self.texts or (), f"A caption of {self.name}", error=DataError)


def split_name(text: str, where: str) -> str:
    """Return `train`, `valid` or `test` for any of its usual spellings.

    Raises:
        DataError: if `text` is not a name of a split.
    """
    known = SPLIT_ALIASES.get(text.strip().lower())
    if known is None:
        raise DataError(f"The split {text!r} in {where} is unknown: call it train, valid or test.")
    return known


def encode_labels(
    labels: Sequence[object] | np.ndarray, classes: tuple[str, ...], name: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Convert labels to `int64 [n]` and class names: strings are numbered in alphabetical order, integers kept.

    An empty string stands for an image without a label, whose number is -1.

    Raises:
        DataError: if labels are neither integers nor strings, negative, or without a name in `classes`.
    """
    column = np.asarray(labels)
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    if column.ndim != 1:
        raise DataError(f"The labels of {name} have shape {column.shape}: give one label for each image.")
    if column.dtype.kind == "U":
        return encode_names(column, classes, "label", name)
    if column.dtype.kind not in "iub":
        raise DataError(f"The labels of {name} are {column.dtype}: they must be integers from 0 or strings.")
    column = column.astype(np.int64)
    if column.min() < 0:
        raise DataError(f"A label of {name} is {column.min()}: labels count from 0, so leave unlabelled images out.")
    if classes and column.max() >= len(classes):
        raise DataError(
            f"A label of {name} is {column.max()}, but there are {len(classes)} class names: add the missing names."
        )
    if not classes and column.max() >= 65_536:
        raise DataError(f"A label of {name} is {column.max():,}: labels must number the classes from 0, below 65,536.")
    return column, classes or tuple(str(i) for i in range(int(column.max()) + 1))


def encode_names(
    column: np.ndarray, classes: tuple[str, ...], what: str, name: str
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Number names by their place in `classes`, or in alphabetical order; an empty name is `UNLABELLED`.

    Raises:
        DataError: if a name is too long, or none of the classes.
    """
    result = sorted(set(column.tolist()) - {""})
    check_texts(result, f"A {what} of {name}", MAX_NAME, DataError)
    names = classes or tuple(result)
    unknown = [n for n in result if n not in names]
    if unknown:
        raise DataError(
            f"The label {unknown[0]!r} of {name} is not one of the classes {', '.join(names[:8])}: rename it."
        )
    number = {"": UNLABELLED, **{n: i for i, n in enumerate(names)}}
    return np.array([number[n] for n in column.tolist()], np.int64), names


def split_off(labels: np.ndarray | None, count: int, take: int, seed: int) -> np.ndarray:
    """Choose `take` of `count` images at random: `bool [count]` with `take` true entries.

    With labels each class contributes its share, rounded so that the total is exactly `take` (largest remainder, ties
    to the lower class). The same arguments give the same choice on every machine and numpy version: `RandomState` is
    frozen, unlike `default_rng`.
    """
    order = np.random.RandomState(seed).permutation(count)
    chosen = np.zeros(count, bool)
    if labels is None:
        chosen[order[:take]] = True
        return chosen
    sizes = np.bincount(labels - UNLABELLED)
    share = sizes * take / max(count, 1)
    quota = np.floor(share).astype(int)
    by_remainder = np.argsort(-(share - quota), kind="stable")
    quota[by_remainder[: take - quota.sum()]] += 1
    for label, amount in enumerate(quota, UNLABELLED):
        chosen[order[labels[order] == label][:amount]] = True
    return chosen


def split_off_groups(groups: np.ndarray, take: int, seed: int) -> np.ndarray:
    """Choose whole groups of images at random, at most `take` images and as many as fit: `bool [n]`."""
    names, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group.reshape(-1))
    chosen = np.zeros(len(names), bool)
    left = take
    for name in np.random.RandomState(seed).permutation(len(names)):
        if sizes[name] <= left:
            chosen[name] = True
            left -= sizes[name]
    return chosen[group.reshape(-1)]


def complete_splits(
    stored: np.ndarray | None,
    labels: np.ndarray | None,
    count: int,
    options: DataOptions,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the split of each image, `str [count]`, and notes on the splits that were made.

    Splits of the source are kept. Missing ones are taken from train only, test first; fractions refer to all images
    of train before any split. Images with equal `groups` stay in the same split.
    """
    split = np.full(count, "train", dtype="U5") if stored is None else np.asarray(stored, dtype="U5").copy()
    notes = []
    total = int((split == "train").sum())
    for part, fraction in (("test", options.test_fraction or 0.0), ("valid", options.valid_fraction)):
        rows = np.flatnonzero(split == "train")
        # at least one image, but never all
        take = min(max(1, round(total * fraction)) if fraction else 0, total - 1, len(rows) - 1)
        if (split == part).any() or take < 1:
            continue
        if groups is not None:
            chosen, how = split_off_groups(groups[rows], take, options.seed), "groups kept together"
        else:
            chosen = split_off(None if labels is None else labels[rows], len(rows), take, options.seed)
            how = "at random" if labels is None else "stratified by label"
        split[rows[chosen]] = part
        notes.append(f"{part}: {chosen.sum():,} of {total:,} training images, {how}, seed {options.seed}")
    return split, tuple(notes)
