"""Load images from any source: find its reader, complete its splits, convert pixels to levels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from pointillist.data.annotations import reject_annotation_options
from pointillist.data.dataset import ImageDataset
from pointillist.data.levels import build_dataset, match_spec
from pointillist.data.options import DataOptions
from pointillist.data.pixels import EXTENSIONS
from pointillist.data.raw import SPLITS, RawImages, complete_splits, split_name
from pointillist.data.readers.image_folder import list_files, read_folder, read_image
from pointillist.data.readers.numpy_files import load_npy, read_array, read_npz, uci_digits
from pointillist.data.readers.parquet import HUB_NAMES, read_hub, read_parquet
from pointillist.data.readers.science import SCIENCE, is_series, read_science
from pointillist.data.readers.sequence import read_generator, read_sequence
from pointillist.data.tilemaps.folder import MapReader, add_names
from pointillist.data.tilemaps.tileset import Tileset
from pointillist.data.windows import cut_windows
from pointillist.errors import DataError, quote
from pointillist.files.arrays import as_array, is_tensor
from pointillist.files.reading import check_file, is_path
from pointillist.files.suggestions import AnsweredNames
from pointillist.images import ImageSpec

PROPORTIONS = "proportions"
"""The vector of an image that is the share of each of its levels; see `DataOptions.vector_column`."""
_BUNDLED: dict[str, Callable[[], RawImages]] = {"uci-digits": uci_digits}


@dataclass(frozen=True)
class DataSplits(AnsweredNames):
    """The splits of a data set.

    ```python
    splits = load_data("uci-digits")
    splits.names  # ["train", "valid", "test"]
    splits.get("test").spec.shape  # (1, 8, 8)
    ```

    Attributes:
        train, valid, test: a data set each; None where the split does not exist.
        whole: all images, in the order of the source; None where splits were put together by hand.
    """

    usual_variable: ClassVar[str] = "splits"

    train: ImageDataset | None = None
    valid: ImageDataset | None = None
    test: ImageDataset | None = None
    whole: ImageDataset | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        some = next(result for name in SPLITS if (result := getattr(self, name)) is not None)
        counts = ", ".join(f"{name} {len(getattr(self, name)):,}" for name in self.names)
        return f"DataSplits({some.name!r}, {counts} images of {some.spec})"

    def natural(self) -> tuple[str, ImageDataset]:
        """Return the split to evaluate by default, with its name: test, else valid, else `all`."""
        name = next((name for name in ("test", "valid") if name in self.names), "all")
        return name, self.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the splits that exist."""
        return tuple(name for name in SPLITS if getattr(self, name) is not None)

    def __getitem__(self, split: str) -> ImageDataset:
        return self.get(split)

    def get(self, split: str) -> ImageDataset:
        """Return the split called `split`, or `all` images; spellings such as `validation` are accepted.

        Raises:
            DataError: if the split does not exist; the message names those that do.
        """
        if split == "all" and (self.whole is not None or len(self.names) == 1):
            return self.whole if self.whole is not None else self.get(self.names[0])
        if split == "all":
            raise DataError(f"These splits were put together by hand: choose one of {', '.join(self.names)}.")
        result: ImageDataset | None = getattr(self, split_name(split, "`split`"))
        if result is None:
            some = next(getattr(self, name) for name in SPLITS if getattr(self, name) is not None)
            raise DataError(
                f"{some.name} has no {split!r} split: it has {', '.join(self.names)}, choose one of them, or make one "
                "with `test_fraction` or `valid_fraction`."
            )
        return result


def builtin_names() -> list[str]:
    """Return the names that `load_data` knows; the first comes with the package, the others need files or a network.

    ```python
    builtin_names()[0]  # "uci-digits"
    ```
    """
    return [*_BUNDLED, *HUB_NAMES]


def load_data(
    source: Any,
    options: DataOptions | None = None,
    *,
    spec: ImageSpec | None = None,
    classes: Sequence[str] = (),
    tiles: Tileset | None = None,
    **overrides: Any,
) -> DataSplits:
    """Read images, with labels and captions where there are any, and split them.

    ```python
    splits = load_data("uci-digits")
    splits = load_data("photos/", size=(32, 32), resize_mode="pad")
    splits = load_data("tiles.npz", npz_key="rgb32", caption_column="name", valid_fraction=0.05)
    splits = load_data("maps/", mode="codes", level_names="legend.toml")
    splits = load_data("strebelle.png", window=64)  # one large picture: windows, and strips as splits
    splits.train.batch([0, 1]).levels  # int64 [2, 1, 32, 32]
    ```

    Args:
        source: a folder of images or maps, an image, a map (`.tmj`, `.tmx`, `.csv`, `.txt`), `.npz`, `.npy` or
            `.parquet`; a name of `builtin_names()`; a hub data set
            `hf:owner/name`; an array `n h w [c]`, a tensor `n c h w`, either of them with labels as a pair `(x, y)`;
            any torch data set, or a list of PIL images; a function that yields images without end from a generator of
            random numbers, or `FILE.py:NAME` (the file is run).
        options: how to read the source; single options may be given as keywords instead.
        spec: image kind of a model; its mode, levels, order and palette take precedence over the options.
        classes: names that number the labels (a model's classes), instead of the source's.
        tiles: tileset of a model, by which drawn maps are read.

    Returns:
        The splits. Splits of the source are kept. A missing validation split is taken from train, stratified by label,
        with the seed of the options; the test split is never touched.

    Raises:
        ConfigError: if an option is unknown or has an invalid value.
        DataError: if the source cannot be found or read; the message names it and the remedy.
        MissingExtraError: if Parquet or the hub is used without the extra `data`.
    """
    chosen = (options or DataOptions()).changed(**overrides)
    if chosen.vector_column == PROPORTIONS:
        plain = load_data(source, chosen.changed(vector_column=None), spec=spec, classes=classes, tiles=tiles)
        return DataSplits(
            **{name: plain.get(name).with_proportions() for name in plain.names},
            whole=None if plain.whole is None else plain.whole.with_proportions(),
        )
    if isinstance(source, ImageDataset):
        if not chosen.valid_fraction:
            return DataSplits(train=source, whole=source)
        return _parts(source, *complete_splits(None, source.labels, len(source), chosen))
    named = isinstance(source, str) and ".py:" in source
    if named or (callable(source) and not hasattr(source, "__getitem__")):
        return DataSplits(**read_generator(source, match_spec(chosen, spec), spec, classes))
    # the model's kind is known before files are decoded: codes and palettes are not averaged
    matched = match_spec(chosen, spec)
    raw = _read(source, matched, tiles)
    if matched.level_names is not None or matched.tileset is not None:
        raw = add_names(raw, matched)
    if raw.annotations is None:
        reject_annotation_options(chosen, raw.name)
    if chosen.window is not None:
        return _windows(build_dataset(raw, chosen, spec=spec, classes=classes), raw.split, chosen)
    column = raw.labels if chosen.labels else None
    numbers = (
        None
        if column is None or column.size != len(raw.values)
        else np.unique(column, return_inverse=True)[1].reshape(-1)
    )
    split, notes = complete_splits(raw.split, numbers, len(raw.values), chosen, _groups(raw, chosen))
    whole = build_dataset(raw, chosen, spec=spec, classes=classes, train=split == "train" if "train" in split else None)
    return _parts(whole, split, notes)


def _windows(pictures: ImageDataset, stored: np.ndarray | None, options: DataOptions) -> DataSplits:
    """Cut pictures into windows of `options.window`, and split each picture by strips."""
    assert options.window is not None
    levels = pictures.batch(np.arange(len(pictures))).levels
    levels = levels.astype(np.uint8 if pictures.spec.levels <= 256 else np.uint16)
    cut, notes = cut_windows(levels, options.window, options.valid_fraction, options.test_fraction, stored)
    pictures.notes = (*pictures.notes, *notes)
    parts = {name: pictures.windows(windows) for name, windows in cut.items()}
    return DataSplits(whole=parts.pop("all"), **parts)


def _groups(raw: RawImages, options: DataOptions) -> np.ndarray | None:
    if options.group_by is None:
        return None
    result = np.array(raw.texts) if options.group_by == "text" and raw.texts is not None else raw.groups
    if result is None:
        raise DataError(
            f"`group_by` (={options.group_by!r}) is not in {raw.name}: give a member of an .npz, or `text` where there "
            "are captions."
        )
    return result


def _parts(whole: ImageDataset, split: np.ndarray, notes: tuple[str, ...]) -> DataSplits:
    whole.notes = (*whole.notes, *notes)
    rows = {name: np.flatnonzero(split == name) for name in SPLITS}
    return DataSplits(**{name: whole.subset(index) for name, index in rows.items() if len(index)}, whole=whole)


def _read(source: Any, options: DataOptions, tiles: Tileset | None) -> RawImages:
    images, labels = source if isinstance(source, tuple) and _is_images_and_labels(source) else (source, None)
    if is_tensor(images) or isinstance(images, np.ndarray):
        numbers = None if labels is None else as_array(labels)
        first = is_tensor(images)
        return read_array(as_array(images), numbers, channels_first=first, options=options, name="the array")
    if isinstance(source, str):
        return _read_named(source, options, tiles)
    if isinstance(source, Path):
        return _read_path(source, options, tiles)
    if hasattr(source, "__getitem__") and hasattr(source, "__len__") and not isinstance(source, Mapping):
        return read_sequence(source, options, type(source).__name__)
    raise DataError(
        f"A {type(source).__name__} is not a source of images: "
        "give a path, a name, an array, or a data set with a length."
    )


def _is_images_and_labels(source: tuple[Any, ...]) -> bool:
    """Return True if a tuple holds an array of images and a label for each, rather than two images."""
    return (
        len(source) == 2
        and all((isinstance(part, np.ndarray) or is_tensor(part)) for part in source)
        and source[0].ndim > source[1].ndim == 1
        and len(source[0]) == len(source[1])
    )


def _read_named(source: str, options: DataOptions, tiles: Tileset | None) -> RawImages:
    name, _, rest = source.partition(":")
    columns = ("npz_key", "caption_column", "label_column") if name in (*_BUNDLED, *HUB_NAMES) else ()
    for option in columns if source.endswith(".npz") else ("npz_key", *columns):
        if getattr(options, option) is not None:
            raise DataError(
                f"`{option}` (={quote(getattr(options, option))}) names a part of an .npz or a table, and {source} is "
                "neither: leave it out."
            )
    if source in _BUNDLED:
        return _BUNDLED[source]()
    if source in HUB_NAMES or (name == "hf" and rest):
        return read_hub(HUB_NAMES.get(source, rest), options)
    return _read_path(Path(source).expanduser(), options, tiles)


def _read_path(path: Path, options: DataOptions, tiles: Tileset | None) -> RawImages:
    is_path("data", path)
    suffix = path.suffix.lower()
    if is_series(path) or suffix in SCIENCE:
        return read_array(read_science(path), options=options, name=path.name)
    if path.is_dir():
        files = list_files(path)
        kinds = {p.suffix.lower() for p in files}
        if ".parquet" in kinds and not kinds & EXTENSIONS:
            return read_parquet(path, options)
        return read_folder(path, options, MapReader.find(files, path, options, tiles))
    kinds_of_data = "a folder of images, an .npz, .npy or .parquet file, a hub data set (hf:owner/name)"
    check_file(path, remedy=f"give {kinds_of_data}, or one of {', '.join(builtin_names())}")
    if suffix == ".npy":
        return read_array(load_npy(path), options=options, name=path.name)
    if suffix in (".npz", ".parquet"):
        return (read_npz if suffix == ".npz" else read_parquet)(path, options)
    maps = MapReader.find([path], path.parent, options, tiles)
    if suffix in EXTENSIONS or maps is not None:
        return read_image(path, options, maps)
    raise DataError(
        f"{path} has an unsupported type: give a folder of images or maps, an image, a map, .npz, .npy, .parquet, "
        ".dcm or .fits."
    )
