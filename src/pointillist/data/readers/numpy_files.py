"""Read images with their labels and captions from arrays in memory, `.npy` and `.npz`, and the bundled UCI digits.

Files are never pickles, pipes or devices, and never larger than memory.
"""

from __future__ import annotations

import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.resources import files
from lzma import LZMAError
from pathlib import Path
from typing import IO, Any

import numpy as np

from pointillist import system
from pointillist.data.annotations import annotations_from_npz
from pointillist.data.options import DataOptions
from pointillist.data.palette import check_palette
from pointillist.data.raw import SPLIT_ALIASES, RawImages, split_name, split_off
from pointillist.errors import DataError
from pointillist.files.reading import check_file

# exceptions of numpy and zipfile on damaged files; numpy parses the header of an array as Python text
_BROKEN = (
    *(OSError, ValueError, EOFError, KeyError, RuntimeError, SyntaxError, TypeError, OverflowError),
    *(zipfile.BadZipFile, zlib.error, LZMAError, tokenize.TokenError),
)


def load_npy(path: Path) -> np.ndarray:
    """Load the array of an `.npy` file.

    Raises:
        DataError: if it is damaged, no ordinary file, made of Python objects, or larger than memory.
    """
    with _opened(path):
        return _read(lambda: path.open("rb"), str(path), path.stat().st_size)


class NpzFile:
    """An `.npz` file, whose members are read one at a time, each after its header is checked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path), zipfile.ZipFile(path) as file:
            members = [name for name in file.namelist() if name.endswith(".npy")]
            self.names: tuple[str, ...] = tuple(name.removesuffix(".npy") for name in members)

    def read(self, member: str) -> np.ndarray:
        """Read the array called `member`.

        Raises:
            DataError: if it is damaged, made of Python objects, or larger than memory.
        """
        with _opened(self.path), zipfile.ZipFile(self.path) as file:
            size = file.getinfo(member + ".npy").file_size
            return _read(lambda: file.open(member + ".npy"), f"{self.path.name}:{member}", size)

    def find(self, stems: Sequence[str]) -> dict[str, str]:
        """Return `{split: member}` for the first of `stems` that exists; the split of a plain `x` is "".

        `x_train` and `train_x` are members of the split train, and so on.
        """
        for stem in stems:
            result = {"": stem} if stem in self.names else {}
            for alias, split in SPLIT_ALIASES.items():
                for member in (f"{stem}_{alias}", f"{alias}_{stem}"):
                    if not result.get("") and member in self.names:
                        result.setdefault(split, member)
            if result:
                return result
        return {}


def _read(open_file: Callable[[], IO[bytes]], name: str, available: int) -> np.ndarray:
    """Read an array from `available` bytes once the type and size that its header claims are checked against them."""
    with open_file() as file:
        version = np.lib.format.read_magic(file)
        reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = reader(file)
        available -= file.tell()
    if dtype.hasobject:
        raise DataError(
            f"{name} holds Python objects, stored as pickle, which could run code: save plain numbers or strings."
        )
    size = int(np.prod([int(s) for s in shape], dtype=object)) * dtype.itemsize if shape else dtype.itemsize
    if size > available:
        raise DataError(f"{name} declares {size:,} bytes and has {available:,}: it is cut off, so copy it again.")
    system.check_memory(size, name, "store fewer images, or a smaller type such as uint8")
    with open_file() as file:
        return np.lib.format.read_array(file, allow_pickle=False)


@contextmanager
def _opened(path: Path) -> Iterator[None]:
    """Read an ordinary file; whatever numpy and zipfile raise for a damaged one is a `DataError`."""
    try:
        check_file(path)
        yield
    except DataError:
        raise
    except _BROKEN as error:
        reason = (str(error).splitlines() or [""])[0][:100] or type(error).__name__
        saver = "numpy.save" if path.suffix == ".npy" else "numpy.savez_compressed"
        raise DataError(
            f"{path} cannot be read as {path.suffix[1:]} ({reason}): write it again with {saver}."
        ) from error


IMAGE_STEMS = ("x", "images", "image", "data", "levels", "arr_0")
LABEL_STEMS = ("y", "labels", "label")
TEXT_STEMS = ("text", "texts", "caption", "captions")


def read_array(
    array: np.ndarray, labels: Any = None, *, channels_first: bool = False, options: DataOptions, name: str
) -> RawImages:
    """Wrap an array `n h w [c]`, or `n c h w` if `channels_first`, as raw images."""
    if options.window is not None and array.ndim == 2:
        array = array[None]  # one picture to cut windows from
    values, notes = to_channels_first(array, name, known_first=channels_first, codes=options.mode == "codes")
    column = None if labels is None or not options.labels else np.asarray(labels)
    return RawImages(values=values, kind="integers", name=name, labels=column, notes=notes)


def to_channels_first(
    array: np.ndarray, name: str, *, known_first: bool = False, codes: bool = False
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Bring `n h w`, `n h w c` or `n c h w` to integers `n c h w`.

    Args:
        known_first: True if the array is `n c h w` for certain.
        codes: True if it holds codes, whose channels may be many: `n h w c`, or `n 1 h w`.

    Returns:
        The array, and a note where the layout had to be guessed.

    Raises:
        DataError: for another number of axes, an empty array, or values that are not integers.
    """
    notes: tuple[str, ...] = ()
    if array.ndim not in (3, 4) or 0 in array.shape:
        raise DataError(
            f"{name} has shape {array.shape}: images must be an array (n, h, w) or (n, h, w, c), so reshape it; a "
            "single picture is `array[None]`."
        )
    if array.dtype.kind == "f":
        array, notes = _from_unit_floats(array, name), ("values in [0, 1] times 255",)
    if array.dtype.kind not in "iub":
        raise DataError(f"{name} has values of type {array.dtype}: images must be integers, for example uint8.")
    if array.ndim == 3:
        return array[:, None], notes
    last, second = array.shape[3], array.shape[1]
    if known_first or (codes and second == 1):
        return array, notes
    if not codes and last > 4 and second in (1, 3, 4):
        return array, (*notes, f"shape {array.shape} read as (n, c, h, w)")
    return np.ascontiguousarray(array.transpose(0, 3, 1, 2)), notes


def _from_unit_floats(array: np.ndarray, name: str) -> np.ndarray:
    """Recover 8-bit values from floats in [0, 1], as torchvision's `ToTensor` makes them, without loss."""
    with np.errstate(over="ignore", invalid="ignore"):  # numbers that are not fractions of 255 are rejected below
        scaled = array.astype(np.float64) * 255
    rounded = np.rint(scaled)
    if (
        not np.isfinite(scaled).all()
        or rounded.min() < 0
        or rounded.max() > 255
        or np.abs(scaled - rounded).max() > 0.02
    ):
        low, high = float(array.min()), float(array.max())
        raise DataError(
            f"{name} has {array.dtype} values from {low:g} to {high:g}: images must be integers, or "
            "8-bit values over 255, so leave out scaling and normalisation."
        )
    return rounded.astype(np.uint8)


def read_npz(path: Path, options: DataOptions) -> RawImages:
    """Read images, labels, captions and splits: `x`, `y`, `text`, `split`, or `x_train`, `y_train`, `x_test` and so on.

    Raises:
        DataError: if it is unclear which member holds the images; the message names all members.
    """
    archive = NpzFile(path)
    images = _image_members(archive, options)
    parts = {split: archive.read(member) for split, member in images.items()}
    codes = options.mode == "codes"
    ours = "nats" in archive.names and set(images.values()) == {"levels"}  # written by `pointillist sample`
    blocks: list[np.ndarray] = []
    notes: dict[str, None] = {}  # an ordered set
    for split, part in parts.items():
        block, result = to_channels_first(part, f"{path.name}:{images[split]}", known_first=ours, codes=codes)
        blocks.append(block)
        notes.update(dict.fromkeys(result))
    shapes = {b.shape[1:] for b in blocks}
    if len(shapes) > 1:
        raise DataError(f"The splits of {path.name} have images of shapes {sorted(shapes)} (c, h, w): they must agree.")
    counts = {split: len(b) for split, b in zip(parts, blocks, strict=True)}
    label_stems = (options.label_column,) if options.label_column else LABEL_STEMS
    labels = _column(archive, counts, label_stems, required=options.label_column) if options.labels else None
    columns = [_column(archive, counts, (name,), required=name) for name in options.caption_columns]
    texts = columns or [_column(archive, counts, TEXT_STEMS)]
    palette, group_by = None, options.group_by
    if isinstance(options.palette, str) and options.palette in archive.names:
        palette = check_palette(archive.read(options.palette), f"{path.name}:{options.palette}")
    member = options.level_names if isinstance(options.level_names, str) else "level_names"
    named = tuple(map(str, archive.read(member).reshape(-1).tolist())) if member in archive.names else None
    names = archive.read("classes") if "classes" in archive.names and options.labels else np.array([])
    return RawImages(
        values=blocks[0] if len(blocks) == 1 else np.concatenate(blocks),
        kind="integers",
        name=path.name,
        labels=labels,
        texts=None if texts[0] is None else tuple(", ".join(map(str, parts)) for parts in zip(*texts, strict=True)),
        split=_splits(archive, counts),
        groups=_column(archive, counts, (group_by,), required=group_by) if group_by not in (None, "text") else None,
        classes=tuple(str(c) for c in names.tolist()) if labels is not None and labels.dtype.kind != "U" else (),
        palette=palette,
        level_names=named,
        annotations=annotations_from_npz(partial(_joined, archive, counts), options, path.name),
        notes=tuple(notes),
    )


def _image_members(archive: NpzFile, options: DataOptions) -> dict[str, str]:
    if options.npz_key is not None:
        result = archive.find((options.npz_key,))
    else:
        result = archive.find(IMAGE_STEMS)
        result = result or ({"": archive.names[0]} if len(archive.names) == 1 else {})
    if not result:
        wrong = f"has no array {options.npz_key!r}" if options.npz_key else "does not say which array holds the images"
        raise DataError(
            f"{archive.path.name} {wrong}: choose one of its members with `npz_key`: "
            f"{', '.join(archive.names) or '(none)'}."
        )
    return result


def _column(
    archive: NpzFile, counts: Mapping[str, int], stems: Sequence[str], required: str | None = None
) -> np.ndarray | None:
    """Read labels or captions of all splits, in their order; None where a split has none and none is required."""
    stem = next((stem for stem in stems if archive.find((stem,))), stems[0])
    if not required and not archive.find((stem,)).keys() >= counts.keys():
        return None
    return _joined(archive, counts, stem, 1)


def _joined(archive: NpzFile, counts: Mapping[str, int], stem: str, axes: int | None) -> np.ndarray:
    """Read a member for all splits, in their order; `axes` None accepts any number of axes, and 1 also a column."""
    members = archive.find((stem,))
    if not members.keys() >= counts.keys():
        raise DataError(
            f"{archive.path.name} has no {stem!r} for every split: its members are {', '.join(archive.names)}."
        )
    parts = []
    for split, count in counts.items():
        part = archive.read(members[split])
        part = part[:, 0] if axes == 1 and part.ndim == 2 and part.shape[1] == 1 else part
        if (axes is not None and part.ndim != axes) or len(part) != count:
            raise DataError(
                f"{archive.path.name}:{members[split]} has shape {part.shape}: it must have one entry for each of the "
                f"{count:,} images{'' if axes in (None, 1) else f', in {axes} axes'}."
            )
        parts.append(part)
    return np.concatenate(parts)


def _splits(archive: NpzFile, counts: Mapping[str, int]) -> np.ndarray | None:
    if "" not in counts:
        return np.repeat(list(counts), list(counts.values()))
    if "split" not in archive.names:
        return None
    column = archive.read("split")
    spelled = {s: split_name(str(s), archive.path.name) for s in np.unique(column).tolist()}
    return np.array([spelled[s] for s in column.tolist()])


DIGITS_TEST_IMAGES = 360


def uci_digits() -> RawImages:
    """Read the 1,797 bundled digits in file order; 360 of them, stratified by label with seed 0, are the test split."""
    with (files("pointillist.data") / "builtin" / "uci_digits.npz").open("rb") as file, np.load(file) as archive:
        values, labels = archive["x"][:, None], archive["y"].astype(np.int64)
    test = split_off(labels, len(labels), DIGITS_TEST_IMAGES, seed=0)
    return RawImages(
        values=values,
        kind="integers",
        name="uci-digits",
        labels=labels,
        split=np.where(test, "test", "train"),
        classes=tuple("0123456789"),
        levels=17,
    )
