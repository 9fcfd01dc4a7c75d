"""Read Parquet files and data sets of the Hugging Face hub, through `datasets` (extra `data`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pointillist import system
from pointillist.data.options import DataOptions
from pointillist.data.pixels import open_picture
from pointillist.data.raw import SPLIT_ALIASES, RawImages
from pointillist.data.readers.decode import ImageSource, decode
from pointillist.data.readers.image_folder import LABEL_COLUMNS, TEXT_COLUMNS
from pointillist.errors import DataError, MissingExtraError
from pointillist.files.hub import offline_if_unreachable
from pointillist.files.reading import check_file

if TYPE_CHECKING:
    from datasets import Dataset

HUB_NAMES = {"mnist": "ylecun/mnist", "fashion-mnist": "zalando-datasets/fashion_mnist", "cifar10": "uoft-cs/cifar10"}
"""Data sets of the hub with short names."""
IMAGE_COLUMNS = ("image", "img", "images", "picture", "png", "jpg")


def read_hub(name: str, options: DataOptions) -> RawImages:
    """Read a data set of the hub (`owner/name`, or `owner/name:config`), from the network or the local cache.

    Raises:
        MissingExtraError: without `datasets`.
        DataError: if it is not available (no network, no such name) or holds no images.
    """
    hub_id, _, config = name.partition(":")
    try:
        with offline_if_unreachable():
            datasets = _import_datasets(f"The data set {name!r}")
            result = datasets.load_dataset(hub_id, config or None)
    except MissingExtraError:
        raise
    except Exception as error:  # the library raises dozens of kinds, by version and cause
        reason = (str(error).splitlines() or [""])[0][:120].rstrip(".") or type(error).__name__
        raise DataError(
            f"{name!r} is neither a local path nor available from the hub ({type(error).__name__}: {reason}): check "
            "the name and the network, or give a local path."
        ) from error
    return _from_splits(dict(result), name, options)


def read_parquet(path: Path, options: DataOptions) -> RawImages:
    """Read one Parquet file, or a folder of them whose names begin with their split (`train-00000-of-00002.parquet`).

    Raises:
        MissingExtraError: without `datasets`.
        DataError: if a file cannot be read, or only some files name their split.
    """
    datasets = _import_datasets(f"The Parquet file {path.name}")
    pa, pq = import_module("pyarrow"), import_module("pyarrow.parquet")  # they come with `datasets`

    files = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    by_split: dict[str, list[Path]] = {}
    for file in files:
        by_split.setdefault(_split_of_file(file) if path.is_dir() else "all", []).append(file)
    if "all" in by_split and len(by_split) > 1:
        raise DataError(
            f"{by_split['all'][0]} does not name its split, as other files do: begin its name with train or test."
        )
    tables = {}
    try:
        for file in files:
            check_file(file)
        size = sum(_uncompressed(pq.read_metadata(file)) for file in files)
        system.check_memory(size, str(path), "split it into smaller files")
        for split, parts in by_split.items():
            tables[split] = datasets.Dataset(pa.concat_tables([pq.read_table(file) for file in parts]))
    except (OSError, ValueError) as error:  # pyarrow's own errors are of these kinds
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path} cannot be read as Parquet ({str(error)[:100]}): write it again.") from error
    return _from_splits(tables, path.name, options)


def _import_datasets(feature: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        raise MissingExtraError(feature, "data") from error
    return datasets


def _uncompressed(metadata: Any) -> int:
    return sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))


def _split_of_file(file: Path) -> str:
    word = re.split(r"[^a-z]", file.stem.lower())[0]
    return SPLIT_ALIASES.get(word, SPLIT_ALIASES.get(file.parent.name.lower(), "all"))


def _from_splits(tables: Mapping[str, Dataset], name: str, options: DataOptions) -> RawImages:
    known = {split: SPLIT_ALIASES[split] for split in tables if split in SPLIT_ALIASES}
    notes = [f"split {split!r} left out" for split in tables if known and split not in known]
    used = {split: tables[split] for split in (known or tables)}
    first = next(iter(used.values()))
    image = _column(first, IMAGE_COLUMNS, "Image", name, required=True)
    label = _column(first, (options.label_column,) if options.label_column else LABEL_COLUMNS, "ClassLabel", name)
    text = _column(first, (options.caption_column,) if options.caption_column else TEXT_COLUMNS, None, name)
    if (options.label_column and label is None) or (options.caption_column and text is None):
        wanted = options.label_column if label is None and options.label_column else options.caption_column
        raise DataError(f"{name} has no column {wanted!r}: its columns are {', '.join(first.column_names)}.")
    items: list[ImageSource] = []
    for split, table in used.items():
        items += _items(table, str(image), f"{name}:{split}")
    raw, readable = decode(items, options, name)
    column = _values(used, label) if label and options.labels else None
    texts = _values(used, text) if text else None
    splits = np.repeat([known[s] for s in used], [len(t) for t in used.values()]) if known else None
    return replace(
        raw,
        notes=(*notes, *raw.notes),
        labels=None if column is None else np.array(column)[readable],
        texts=None if texts is None else tuple("" if texts[i] is None else str(texts[i]) for i in readable),
        split=None if splits is None else splits[readable],
        classes=tuple(getattr(first.features[label], "names", None) or ()) if column is not None else (),
    )


def _column(table: Any, names: tuple[str, ...], kind: str | None, name: str, required: bool = False) -> str | None:
    """Find the column of a feature type, or else of one of the usual names."""
    there = [c for c in names if c in table.column_names]
    typed = [c for c, feature in table.features.items() if type(feature).__name__ == kind]
    result: list[str] = [c for c in there if c in typed] or (typed if len(names) > 1 else []) or there
    if required and not result:
        raise DataError(f"{name} has no column of images: its columns are {', '.join(table.column_names)}.")
    return result[0] if result else None


def _values(tables: Mapping[str, Dataset], column: str) -> list[Any]:
    return [value for table in tables.values() for value in table[column]]


def _items(table: Any, column: str, name: str) -> list[ImageSource]:
    import datasets

    if isinstance(table.features[column], datasets.Image):
        # keep bytes, so that our limits and error messages apply
        table = table.cast_column(column, datasets.Image(decode=False))
    only = table.select_columns([column])
    return [ImageSource(f"{name}[{i}]", partial(_open_row, only, i, column, f"{name}[{i}]")) for i in range(len(table))]


def _open_row(table: Any, row: int, column: str, name: str) -> Image.Image:
    cell = table[row][column]
    if isinstance(cell, dict) and cell.get("bytes"):
        cell = cell["bytes"]
    if isinstance(cell, bytes):
        return open_picture(cell, name)
    if isinstance(cell, dict) and cell.get("path"):
        return open_picture(Path(cell["path"]), name)
    raise DataError(f"{name} is not an encoded image but {type(cell).__name__}: store PNG or JPEG bytes.")
