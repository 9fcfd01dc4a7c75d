"""Read folders of images in the Hugging Face `imagefolder` layout, whole or batch by batch.

    folder/cat.png                        flat
    folder/dog/1.png                      class folders: the label is the name of the parent folder
    folder/metadata.jsonl (or .csv)       `file_name` with `text` or `label` columns; only files it lists are read
    folder/train/..., folder/test/...     any of these, once for each split

As in `datasets`, folders are classes only if all images lie equally deep in at least two folders and there is no
metadata; names that begin with a dot or two underscores are skipped. Unlike there, folders are splits only if all of
them have names of splits, so that a class may be called `train`; a metadata row names one image (`file_name`), and
`metadata.parquet` is not read.
"""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import zip_longest
from pathlib import Path

import numpy as np

from pointillist.data.annotations import Row, annotations_from_folder, column_name, column_values
from pointillist.data.dataset import ImageDataset
from pointillist.data.levels import build_dataset, match_spec
from pointillist.data.options import DataOptions
from pointillist.data.pixels import EXTENSIONS, open_picture
from pointillist.data.raw import SPLIT_ALIASES, RawImages
from pointillist.data.readers.decode import ImageSource, decode
from pointillist.data.tilemaps.folder import METADATA, MapReader
from pointillist.data.tilemaps.text_grids import SEPARATORS
from pointillist.errors import ConfigError, DataError, counted, quote
from pointillist.files.reading import parse_object, read_text
from pointillist.images import ImageSpec

TEXT_COLUMNS = ("text", "caption", "texts", "captions")
LABEL_COLUMNS = ("label", "labels", "class")


def read_folder(folder: Path, options: DataOptions, maps: MapReader | None = None) -> RawImages:
    """Read all images of a folder, in alphabetical order of their paths.

    Args:
        folder: the folder.
        options: how they are read.
        maps: reads the files of a folder of maps; None for pictures.

    Raises:
        DataError: if there are none, one cannot be read, or the metadata do not fit the files.
    """
    folder = Path(os.path.normpath(folder))
    paths = list_files(folder)
    images = pictures_of(paths) if maps is None else list(filter(maps.takes, paths))
    known = {*images, *(p for p in paths if p.name in METADATA)}
    others = count_kinds(p for p in paths if p not in known and (maps is None or not maps.uses(p)))
    if not images:
        there = f" of a kind that is read (it has {others})" if others else ""
        raise DataError(
            f"{folder} holds no images{there}: put PNG or JPEG files in it (a folder for each class), or give an .npz."
        )
    rows = _metadata_rows(folder, [p for p in paths if p.name in METADATA], options)
    notes = [f"{others} left out: such files are not read"] if others else []
    hidden = count_hidden(folder) if maps is None else 0
    if hidden:
        notes.append(f"{counted(hidden, 'hidden picture')} left out: names that begin with a dot or __ are not read")
    if rows is not None:
        listed = [p for p in images if p in rows]
        if len(listed) < len(images):
            missing = counted(len(images) - len(listed), "image")
            notes.append(f"{missing} left out, which the metadata do not list")
        images = sorted({*listed, *rows}, key=lambda p: p.relative_to(folder).as_posix())
        if not images:
            raise DataError(f"The metadata of {folder} list no images: give each one a row with its `file_name`.")
    splits = split_of_folders(folder, images)
    raw, readable = _decoded(images, options, str(folder), maps)
    paths = [images[i] for i in readable]
    return replace(
        raw,
        name=folder.name or str(folder),
        notes=(*notes, *raw.notes),
        labels=_labels(paths, rows, folder, splits, options, images),
        texts=_texts(paths, rows, folder, options),
        split=None if splits is None else np.array([splits[p] for p in paths]),
        annotations=annotations_from_folder(folder, paths, rows, raw.values.shape[2:], options),
        files=tuple(p.relative_to(folder).as_posix() for p in paths),
        skipped={Path(name).relative_to(folder).as_posix(): reason for name, reason in raw.skipped.items()},
    )


def count_kinds(paths: Iterable[Path]) -> str:
    """Count files by their endings: `5 .heic, 1 .svg`; empty if there are none."""
    counts = Counter(p.suffix.lower() or f"{p.name}" for p in paths)
    shown = [f"{count:,} {kind}" for kind, count in counts.most_common(5)]
    more = len(counts) - len(shown)
    return ", ".join([*shown, *([f"files of {more} other kinds"] if more else [])])


def _decoded(
    paths: Sequence[Path], options: DataOptions, name: str, maps: MapReader | None
) -> tuple[RawImages, np.ndarray]:
    if maps is not None:
        return maps.read(paths, name)
    return decode([ImageSource(str(p), partial(open_picture, p)) for p in paths], options, name)


def read_image(path: Path, options: DataOptions, maps: MapReader | None = None) -> RawImages:
    """Read a single file as a data set of one image."""
    texts = (_words(path.stem),) if options.caption_column == "filename" else None
    return replace(_decoded([path], options, path.name, maps)[0], texts=texts, files=(path.name,))


def list_files(folder: Path, hidden: tuple[str, ...] = (".", "__")) -> list[Path]:
    """Return all files below `folder` that are not hidden, in alphabetical order of their paths.

    Links are followed, but no folder is entered twice.

    Args:
        hidden: beginnings of the names of files and folders that are left out.
    """
    visited: set[str] = set()
    result: list[Path] = []
    for current, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(current)
        folders[:] = [] if real in visited else sorted(f for f in folders if not f.startswith(hidden))
        if real not in visited:
            visited.add(real)
            result += [Path(current, f) for f in files if not f.startswith(hidden)]
    return sorted(result, key=lambda p: p.relative_to(folder).as_posix())


def count_hidden(folder: Path) -> int:
    """Count the pictures that are not listed, as their names, or names of their folders, begin with a dot or `__`."""
    return len(pictures_of(list_files(folder, ()))) - len(pictures_of(list_files(folder)))


def pictures_of(paths: Iterable[Path]) -> list[Path]:
    """Return the pictures among some files, by their endings."""
    return [path for path in paths if path.suffix.lower() in EXTENSIONS]


def list_pictures(folder: Path) -> list[Path]:
    """Return the picture files below a folder, in alphabetical order of their paths.

    Raises:
        DataError: if there are none.
    """
    result = pictures_of(list_files(folder))
    if not result:
        wrong = "holds no images" if folder.exists() else "does not exist"
        raise DataError(f"{folder} {wrong}: give a folder with PNG or JPEG files.")
    return result


def split_of_folders(folder: Path, images: list[Path]) -> dict[Path, str] | None:
    """Return the split of each image by the name of its outermost folder; None unless all of them name splits."""
    parts = {p: p.relative_to(folder).parts for p in images}
    tops = {p: names[0].lower() if len(names) > 1 else "" for p, names in parts.items()}
    if not all(top in SPLIT_ALIASES for top in tops.values()):
        return None
    return {p: SPLIT_ALIASES[top] for p, top in tops.items()}


def _labels(
    paths: list[Path],
    rows: dict[Path, Row] | None,
    folder: Path,
    splits: dict[Path, str] | None,
    options: DataOptions,
    images: list[Path],
) -> np.ndarray | None:
    if not options.labels:
        return None
    if rows is not None:
        return _column_of_labels(paths, rows, options)
    shallow = 2 if splits is not None else 1
    depths = {len(p.relative_to(folder).parts) for p in images}
    names = {p.parent.name for p in images}
    if len(depths) > 1 or min(depths) <= shallow or len(names) < 2:
        if options.label_column:
            raise DataError(
                f"`label_column` (={options.label_column!r}) needs a metadata.jsonl or .csv in {folder}: add one."
            )
        return None
    return np.array([p.parent.name for p in paths])


def _column_of_labels(paths: list[Path], rows: dict[Path, Row], options: DataOptions) -> np.ndarray | None:
    names = (options.label_column,) if options.label_column else LABEL_COLUMNS
    column = column_name(rows, names, options.label_column)
    if column is None:
        return None
    result = column_values(paths, rows, column, complete=True)
    texts = [str(v) for v in result]
    if all(isinstance(v, int) and not isinstance(v, bool) for v in result) or all(
        re.fullmatch(r"\d{1,9}", t) for t in texts
    ):
        return np.array([int(t) for t in texts], np.int64)
    return np.array(texts)


def _texts(
    paths: list[Path], rows: dict[Path, Row] | None, folder: Path, options: DataOptions
) -> tuple[str, ...] | None:
    if options.caption_column == "filename":
        return tuple(_words(p.stem) for p in paths)
    if options.caption_column == "path":
        return tuple(_from_path(p.relative_to(folder)) for p in paths)
    wanted = options.caption_columns
    names = [column_name(rows or {}, (name,), name) for name in wanted] or [column_name(rows or {}, TEXT_COLUMNS, None)]
    if rows is None or names == [None]:
        return None
    result = [[rows[p].get(str(name)) for name in names] for p in paths]
    return tuple(", ".join(str(part) for part in parts if part is not None) for parts in result)


def _from_path(path: Path) -> str:
    """Join the folder names (except splits) and the file name."""
    parts = path.with_suffix("").parts
    return _words(" ".join(parts[1:] if len(parts) > 1 and parts[0].lower() in SPLIT_ALIASES else parts))


def _words(text: str) -> str:
    return " ".join(re.split(r"[\s_\-]+", text)).strip()


def _metadata_rows(folder: Path, files: list[Path], options: DataOptions) -> dict[Path, Row] | None:
    """Return the row of each listed image, or None without a metadata file."""
    if not files:
        return None
    rows: dict[Path, Row] = {}
    for file in sorted(files, key=lambda f: len(f.parts)):  # the metadata file nearest to an image wins
        there: dict[Path, Row] = {}
        for number, row in enumerate(_parse(file), 1):
            name = row.get("file_name")
            if not isinstance(name, str) or not name:
                columns = ", ".join(map(quote, row))
                raise DataError(
                    f"Row {number} of {file} has no `file_name` (columns: {columns}): name the image, relative to that "
                    "file."
                )
            # by name, not by link target: links are the user's own choice
            path = Path(os.path.normpath(file.parent / name.replace("\\", "/")))
            if not path.is_relative_to(os.path.normpath(folder)):
                raise DataError(f"Row {number} of {file} names {name!r}, outside {folder}: name files inside it.")
            # False too for names that the system rejects
            is_there = os.path.exists(path) and not os.path.isdir(path)
            if not is_there and not options.skip_bad:
                raise DataError(
                    f"Row {number} of {file} names {name!r}, which does not exist: add the file or drop the row."
                )
            if there.setdefault(path, row) != row:
                raise DataError(
                    f"Row {number} of {file} names {name!r} again, with other values: keep one of its rows."
                )
        rows |= there
    return rows


def _table(file: Path, text: str) -> Iterable[Row]:
    """Parse the rows of a CSV, whose first line has the columns and, between them, the separator."""
    first = text.partition("\n")[0]
    separator = next((each for each in SEPARATORS if "file_name" in re.split(rf"[\s\"]*{each}[\s\"]*", first)), ",")
    lines = csv.reader(text.splitlines(keepends=True), delimiter=separator, strict=True)
    columns = [column.strip() for column in next(lines, [])]
    if len(set(columns)) < len(columns):
        again = next(column for i, column in enumerate(columns) if column in columns[:i])
        raise DataError(f"{file} has two columns {quote(again)}: give each column its own name.")
    for number, values in enumerate(filter(None, lines), 1):
        if len(values) > len(columns):
            raise DataError(f"Row {number} of {file} has more values than columns: quote a comma in a value.")
        yield dict(zip_longest(columns, values))


def _parse(file: Path) -> Iterable[Row]:
    text = read_text(file, "utf-8-sig")
    if file.suffix == ".csv":
        try:
            yield from _table(file, text)
        except csv.Error as error:
            raise DataError(f"{file} is not valid CSV ({error}): correct it, or write a metadata.jsonl.") from error
        return
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        yield parse_object(line, f"Line {number} of {file}", "write {'file_name': ..., 'text': ...}")


class FolderStream:
    """The image files below a folder, or a single one, in alphabetical order. Labels and captions are not read.

    ```python
    stream = FolderStream(Path("parts/"), DataOptions(size=(28, 28)), model.image)
    for images in stream.batches(64):
        images.files, images.batch(range(len(images))).levels
    ```

    Attributes:
        files: name of each file, relative to the folder.

    Raises:
        DataError: if there is no image.
        ConfigError: for dynamic binarisation.
    """

    def __init__(self, folder: Path, options: DataOptions, spec: ImageSpec) -> None:
        if options.binarise == "dynamic":
            raise ConfigError(
                "`binarise` (='dynamic') draws for a whole data set, and a folder is read in batches: take 'static'."
            )
        self.folder: Path = Path(os.path.normpath(folder))
        self._options, self._spec = match_spec(options, spec), spec
        self._paths = list_pictures(self.folder) if self.folder.is_dir() else [self.folder]
        self.files: tuple[str, ...] = tuple(self._name(path) for path in self._paths)

    @property
    def has_splits(self) -> bool:
        """Return True if the folders of the images are splits, such as `train/` and `valid/`."""
        return self.folder.is_dir() and split_of_folders(self.folder, self._paths) is not None

    @staticmethod
    def reads(path: Path) -> bool:
        """Return True if a path is an image file by its name."""
        return path.is_file() and path.suffix.lower() in EXTENSIONS

    def __len__(self) -> int:
        return len(self._paths)

    def batches(self, batch_size: int) -> Iterator[ImageDataset]:
        """Read the images, `batch_size` at once; of those that cannot be read, `skip_bad` leaves out its own.

        Raises:
            DataError, ConfigError: if a file cannot be read, or the images of a batch differ in size.
        """
        for start in range(0, len(self._paths), batch_size):
            paths = self._paths[start : start + batch_size]
            raw, readable = _decoded(paths, self._options, str(self.folder), None)
            files = tuple(self._name(paths[index]) for index in readable)
            raw = replace(raw, name=self.folder.name or str(self.folder), files=files)
            yield build_dataset(raw, self._options, spec=self._spec)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix() if path != self.folder else path.name
