"""Attributes, vectors and hints of images, read from members of an `.npz`, metadata columns or paired folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pointillist.data.options import DataOptions
from pointillist.data.pixels import open_picture, resize_image
from pointillist.data.raw import Annotations, encode_names
from pointillist.data.readers.decode import ImageSource, decode
from pointillist.errors import DataError
from pointillist.images import ImageSpec
from pointillist.images.spec import MODE_OF_CHANNELS

Row = dict[str, Any]


def encode_annotations(
    attributes: Mapping[str, np.ndarray],
    vectors: np.ndarray | None,
    hints: np.ndarray | None,
    options: DataOptions,
    name: str,
) -> Annotations:
    """Number the attribute values, resize the hints, and check the types.

    Args:
        attributes: by attribute name, `n` integers from 0, or strings; -1 and "" mean that the value is unknown.
        vectors: numbers `n d`, or None.
        hints: `n c h w`, or None.
        options: size of the hints.
        name: name of the source in messages.

    Raises:
        DataError: if an annotation has the wrong type or range.
    """
    numbered = {what: _numbered(column, what, name) for what, column in attributes.items()}
    if vectors is not None and vectors.dtype.kind not in "fiub":
        raise DataError(f"The vectors of {name} are {vectors.dtype}: they must be numbers.")
    if hints is not None and options.size not in (None, hints.shape[2:]) and hints.dtype == np.uint8:
        nearest = options.changed(resample="nearest")
        hints = np.stack([resize_image(hint.transpose(1, 2, 0), nearest).transpose(2, 0, 1) for hint in hints])
    return Annotations(
        {what: numbers for what, (numbers, _) in numbered.items()},
        {what: values for what, (_, values) in numbered.items()},
        None if vectors is None else vectors.astype(np.float32),
        hints,
        None if hints is None or hints.dtype.kind == "f" else _spec(hints, name),
    )


def annotations_from_npz(read: Callable[[str, int | None], np.ndarray], options: DataOptions, name: str) -> Annotations:
    """Read annotations from members of an archive.

    Args:
        read: `read(stem, axes)` returns the member `stem` for all images; `axes` is its number of axes, None for any.

    Raises:
        DataError: if hints have the wrong shape or type.
    """
    attributes = {what: read(what, 1) for what in options.attribute_columns}
    vectors = None if options.vector_column is None else read(options.vector_column, 2)
    if options.hint_column is None:
        return encode_annotations(attributes, vectors, None, options, name)
    hints = read(options.hint_column, None)
    if hints.ndim not in (3, 4) or hints.dtype.kind not in "fiub":
        raise DataError(f"The hints {options.hint_column!r} of {name} have shape {hints.shape}: give (n, h, w[, c]).")
    hints = hints[:, None] if hints.ndim == 3 else np.ascontiguousarray(hints.transpose(0, 3, 1, 2))
    return encode_annotations(attributes, vectors, hints, options, name)


def annotations_from_folder(
    folder: Path, paths: Sequence[Path], rows: Mapping[Path, Row] | None, size: tuple[int, int], options: DataOptions
) -> Annotations:
    """Read annotations from metadata columns, and hints from a folder with a file of the same name for each image.

    Args:
        paths: the image files, in order.
        rows: the metadata row of each file; None without metadata.
        size: `(height, width)` of the images.

    Raises:
        DataError: if a column or a hint is missing.
    """
    wanted = (*options.attribute_columns, options.vector_column)[0]
    if rows is None and wanted:
        raise DataError(f"The column {wanted!r} needs a metadata.jsonl or .csv in {folder}: add one.")
    attributes = {what: _column(paths, rows or {}, what) for what in options.attribute_columns}
    vectors = None if options.vector_column is None else _vectors(paths, rows or {}, options.vector_column)
    hints = None if options.hint_column is None else _paired(folder, paths, size, options)
    return encode_annotations(attributes, vectors, hints, options, folder.name or str(folder))


def reject_annotation_options(options: DataOptions, name: str) -> None:
    """Reject options that ask for annotations from a source that cannot hold them.

    Raises:
        DataError: naming the first such option.
    """
    wanted = (*options.attribute_columns, options.vector_column or options.hint_column)[0]
    if wanted:
        raise DataError(
            f"{wanted!r} cannot be read from {name}: attributes, vectors and hints come from an .npz, or from a folder "
            "with metadata.jsonl."
        )


def _numbered(column: np.ndarray, what: str, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Keep integers, number strings in alphabetical order; -1 stands for an unknown value."""
    if column.dtype.kind in "iub":
        numbers = column.astype(np.int64)
        if len(numbers) and not -1 <= int(numbers.min()) <= int(numbers.max()) < 65_536:
            raise DataError(f"A value of {what!r} in {name} is {int(numbers.min())} or above 65,535: count from 0.")
        return numbers, tuple(str(i) for i in range(int(numbers.max(initial=0)) + 1))
    if column.dtype.kind != "U":
        raise DataError(f"The attribute {what!r} of {name} is {column.dtype}: give integers from 0, or names.")
    numbers, values = encode_names(column, (), f"value of {what!r}", name)
    if not values:
        raise DataError(f"The attribute {what!r} of {name} is empty: leave it out.")
    return numbers, values


def column_name(rows: Mapping[Path, Row], names: Sequence[str], required: str | None) -> str | None:
    """Find the first of some columns that the metadata have.

    Raises:
        DataError: if there is none, and `required` is one.
    """
    there = {key for row in rows.values() for key in row}
    result = next((n for n in names if n in there), None)
    if required and result is None:
        columns = ", ".join(sorted(there)) or "no metadata at all"
        raise DataError(f"The column {required!r} is not in the metadata, which have: {columns}.")
    return result


def column_values(paths: Sequence[Path], rows: Mapping[Path, Row], what: str, *, complete: bool) -> list[Any]:
    """Return the names or whole numbers of a column, with None for those that are missing.

    Raises:
        DataError: naming the first file with another value; or with none, if the column must be `complete`.
    """
    result = [rows[path].get(what) for path in paths]
    for path, value in zip(paths, result, strict=True):
        if isinstance(value, (list, dict, float)) or (complete and value in (None, "")):
            raise DataError(f"{path.name} has the {what} {value!r} in the metadata: give a name or a number from 0.")
    return result


def _column(paths: Sequence[Path], rows: Mapping[Path, Row], what: str) -> np.ndarray:
    column_name(rows, (what,), what)
    result = column_values(paths, rows, what, complete=False)
    if all(isinstance(value, int) for value in result if value is not None):
        return np.array([-1 if value is None else int(value) for value in result], np.int64)
    return np.array(["" if value is None else str(value) for value in result])


def _vectors(paths: Sequence[Path], rows: Mapping[Path, Row], what: str) -> np.ndarray:
    try:
        vectors = np.array([rows[path][what] for path in paths], np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"The column {what!r} of the metadata does not hold a list of numbers, all of one length, for each image."
        ) from error
    return vectors[:, None] if vectors.ndim == 1 else vectors


def _paired(folder: Path, paths: Sequence[Path], size: tuple[int, int], options: DataOptions) -> np.ndarray:
    """Read the hint of each image: the file of the same name (any extension) in the same subfolder."""
    root = Path(os.path.normpath(str(options.hint_column)))
    if not root.is_dir():
        wrong = "is not a folder" if root.exists() else "does not exist"
        raise DataError(f"`hint_column` (={options.hint_column!r}) {wrong}: give the folder of hints next to {folder}.")
    if root == folder or root.is_relative_to(folder):
        raise DataError(
            f"The folder of hints {root} lies inside {folder}, whose images are the training data: move it elsewhere."
        )
    files = {path.relative_to(root).with_suffix(""): path for path in sorted(root.rglob("*")) if path.is_file()}
    items = []
    for path in paths:
        result = files.get(path.relative_to(folder).with_suffix(""))
        if result is None:
            raise DataError(f"{path} has no hint in {root}: add a file of the same name, or leave the image out.")
        items.append(ImageSource(str(result), partial(open_picture, result)))
    plain = options.changed(mode="auto", palette=None, levels=None, skip_bad=False, binarise="none")
    if options.size is None:  # a smaller hint, such as a thumbnail, is enlarged
        plain = plain.changed(size=size, resize_mode="stretch", resample="nearest")
    return decode(items, plain, str(root))[0].values


def _spec(hints: np.ndarray, name: str) -> ImageSpec:
    """Infer the kind of integer hints: 8-bit images (2 or 256 levels), or codes, whose levels have no order."""
    _, channels, height, width = hints.shape
    if int(hints.min()) < 0:
        raise DataError(f"The hints of {name} have the value {int(hints.min())}: levels count from 0.")
    top = int(hints.max())
    grid = {"channels": channels, "height": height, "width": width}
    if hints.dtype in (np.uint8, np.bool_) and channels in MODE_OF_CHANNELS:
        return ImageSpec(**grid, levels=2 if top < 2 else 256, mode=MODE_OF_CHANNELS[channels])
    return ImageSpec(**grid, levels=max(2, top + 1), ordered=False)
