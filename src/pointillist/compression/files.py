"""Compress files, and write them again: pictures with their names and texts, or an array of levels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from pointillist.compression.about import About, PictureFile, ValueMap
from pointillist.compression.archive import Archive
from pointillist.compression.container import BinaryFile
from pointillist.compression.models import find_folder, image_of
from pointillist.compression.pictures import read_levels, save_picture, to_picture
from pointillist.compression.reader import OnShare
from pointillist.data.readers.image_folder import count_hidden, count_kinds, list_files, list_pictures
from pointillist.data.readers.numpy_files import IMAGE_STEMS, load_npy, to_channels_first
from pointillist.data.readers.numpy_files import NpzFile as Arrays
from pointillist.data.readers.science import SCIENCE, is_series, read_science, slices_of
from pointillist.engine.program import IntArray
from pointillist.errors import ArchiveError, DataError, quote
from pointillist.files.reading import check_file, is_utf8
from pointillist.files.writing import atomic_path
from pointillist.images import ImageSpec, dequantise, quantise

ARRAYS = (".npy", ".npz", *SCIENCE)
_AT_ONCE = 1024  # images that are compared at once


@dataclass(frozen=True)
class Inputs:
    """Pictures to compress.

    Attributes:
        about: what the archive keeps in addition to the levels.
        count: number of pictures.
        bytes: of the files.
        largest: rows or columns of the largest picture.
        left_out: endings of the files in the folders that are not pictures, with their numbers; empty for none.
        dropped: what files have in addition to the pixels and the archive does not, such as tags; empty for none.
    """

    about: About
    count: int
    bytes: int
    largest: int
    _read: Callable[[], Iterable[IntArray]]
    left_out: str = ""
    dropped: str = ""

    def __iter__(self) -> Iterator[IntArray]:
        """Yield levels `[c, h, w]`."""
        return iter(self._read())


def open_inputs(paths: Sequence[Path], image: ImageSpec, model: str = "") -> Inputs:
    """Open pictures, folders of them, or one array.

    Args:
        paths: pictures and folders, or one `.npy`, `.npz`, DICOM or FITS file, or one folder of DICOM slices.
        image: what the levels of the model mean.
        model: name of the model, a hint for who decompresses.

    Raises:
        DataError: if they cannot be read, or the levels do not hold them exactly.
    """
    if any(path.suffix.lower() in ARRAYS or is_series(path) for path in paths):
        if len(paths) > 1:
            raise DataError(f"{paths[0]} and other files are given: compress an array of images by itself.")
        return _open_array(paths[0], image, model)
    result = list_inputs(paths)
    files, largest = [], 0
    for path, name in result:
        levels, file = read_levels(path, name, image)
        files.append(file)
        largest = max(largest, *levels.shape[1:])
    pictures = {path for path, _ in result}
    others = (file for path in paths if path.is_dir() for file in list_files(path) if file not in pictures)
    hidden = sum(count_hidden(path) for path in paths if path.is_dir())
    return Inputs(
        About(model, tuple(files)),
        len(result),
        sum(path.stat().st_size for path, _ in result),
        largest,
        lambda: (read_levels(path, name, image)[0] for path, name in result),
        ", ".join(filter(None, [count_kinds(others), f"{hidden:,} hidden" if hidden else ""])),
        ", ".join(sorted(frozenset[str]().union(*(file.dropped for file in files)))),
    )


def list_inputs(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """Return pictures with their names: the path below a folder, or the name of a file.

    Raises:
        DataError: if nothing is there, or two have one name.
    """
    result: list[tuple[Path, str]] = []
    for path in paths:
        if path.is_dir():
            result += [(file, file.relative_to(path).as_posix()) for file in list_pictures(path)]
        else:
            check_file(path)
            result.append((path, path.name))
    names = [name for _, name in result]
    unnamed = next((name for name in names if not is_utf8(name)), None)
    if unnamed is not None:
        raise DataError(f"The name of the file {quote(unnamed)} is not UTF-8, and those in an archive are: rename it.")
    double = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
    if double is not None:
        raise DataError(
            f"Two files are called {double}: compress their common folder instead, which keeps their paths."
        )
    return result


def as_array(levels: Sequence[IntArray], image: ImageSpec, about: About) -> IntArray:
    """Return pictures as an array `[n, h, w]` or `[n, h, w, c]` of levels, or of the values that they were read from.

    The only picture of an array `[h, w]` is returned so.

    Raises:
        DataError: if they differ in size.
    """
    if len({x.shape for x in levels}) > 1:
        raise DataError("The pictures differ in size, so no array holds them: write them as files, to DIR/.")
    result = np.stack(levels) if levels else np.zeros((0, *image.shape), np.int64)
    result = result[:, 0] if image.channels == 1 else result.transpose(0, 2, 3, 1)
    result = result[0] if about.single and len(result) == 1 else result
    if about.array == "pictures":
        values = dequantise(result, image.levels)
        return 255 - values if about.min_is_white else values
    if about.array == "values" and about.values is not None:
        return about.values.to_values(result)
    return result.astype(np.uint8 if image.levels <= 256 else np.uint16)


def _open_array(path: Path, image: ImageSpec, model: str) -> Inputs:
    if path.is_dir() or path.suffix.lower() in (".npy", *SCIENCE):
        array, ours = (load_npy if path.suffix.lower() == ".npy" else read_science)(path), False
    else:
        arrays = Arrays(path)
        member = next((name for name in IMAGE_STEMS if name in arrays.names), None)
        if member is None:
            raise DataError(f"{path} has none of the arrays {', '.join(IMAGE_STEMS)}: name its images `x`.")
        array, ours = arrays.read(member), member == "levels"
    size = sum(file.stat().st_size for file in (slices_of(path) if path.is_dir() else [path]))
    about = About(model, single=array.ndim == 2)
    array = array[None] if array.ndim == 2 else array
    values, _ = to_channels_first(array, path.name, known_first=ours, codes=image.mode == "codes")
    if image.mode == "codes" and image.ordered:
        chosen = ValueMap.choose(values, image.levels)
        about = replace(about, array="values", values=chosen)
        return Inputs(about, len(values), size, max(values.shape[2:]), lambda: map(chosen.to_levels, values))
    pictures = image.mode in ("grey", "rgb", "rgba") and values.size and values.max() >= image.levels
    inverted = bool(pictures and image.min_is_white)
    if pictures:
        values = 255 - values if inverted and values.dtype == np.uint8 else values
        parts = (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))
        unchanged = (np.array_equal(dequantise(quantise(part, image.levels), image.levels), part) for part in parts)
        if values.dtype != np.uint8 or not all(unchanged):
            raise DataError(
                f"{path} has values that the {image.levels} levels of the model do not hold exactly: quantise them "
                "first, or use a model of 256 levels."
            )
    about = replace(about, array="pictures" if pictures else "levels", min_is_white=inverted)
    as_levels = (lambda x: quantise(x, image.levels)) if pictures else (lambda x: x)
    read = lambda: (as_levels(x).astype(np.int64) for x in values)  # noqa: E731 (one image at a time: 8 bytes a value)
    return Inputs(about, len(values), size, max(values.shape[2:]), read)


@dataclass
class Extraction:
    """Result of unpacking an archive.

    Attributes:
        written: number of pictures; a large one of which a tile is lost has level 0 there.
        lost: number of pictures that are damaged as a whole, as far as it is known.
        damage: why.
    """

    written: int = 0
    lost: int = 0
    damage: list[ArchiveError] = field(default_factory=list)


def extract(
    source: Path | BinaryFile,
    out: Path,
    model: str | Path | None = None,
    *,
    salvage: bool = False,
    threads: int = 1,
    start: int = 0,
    on_image: Callable[[int], None] | None = None,
    on_share: OnShare | None = None,
) -> Extraction:
    """Write the pictures of an archive.

    Args:
        source: an archive, or a file of one that can be sought in.
        out: a folder for PNG files, or `NAME.npz` for the array `x`, `[n, h, w]` or `[n, h, w, c]`.
        model: folder or name of the model; None for the bundled one that has the fingerprint.
        salvage: go on after damage.
        threads: threads that share the work.
        start: number of pictures that are written already.
        on_image: called with the number of pictures that are written.
        on_share: shows the progress within a large picture.

    Raises:
        ArchiveError: for a damaged archive, unless it is salvaged, or another model; the pictures before are written.
        DataError: if the pictures cannot be written so.

    Example:
        ```python
        extract(Path("scans.pxl"), Path("scans"))
        ```
    """
    result, array = Extraction(written=start), out.suffix.lower() == ".npz"
    archive = Archive(source, model, threads=threads)
    about, image = archive.about, image_of(find_folder(archive.header.fingerprint, model))
    dtype, arrays = np.uint8 if image.levels <= 256 else np.uint16, list[IntArray]()
    for part in archive.parts(start, on_share):
        if part.error is not None:
            if not salvage:
                raise part.error
            result.damage.append(part.error)
            result.lost += part.count if part.decoded is None else 0
        for number, levels in enumerate(() if part.decoded is None else part.decoded.levels, start=part.first):
            if number < start:
                continue
            if array:
                arrays.append(levels.astype(dtype))
            else:
                _write(number, levels, out, image, about)
            result.written += 1
            if on_image is not None:
                on_image(result.written)
    if archive.damage is not None:
        if not salvage:
            raise archive.damage
        result.damage.append(archive.damage)
    if array:
        with atomic_path(out) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, x=as_array(arrays, image, about))
    result.lost = max(result.lost, len(about.files or ()) - result.written)
    return result


def _write(number: int, levels: IntArray, folder: Path, image: ImageSpec, about: About) -> None:
    """Write a picture as a PNG, or as a TIFF if it has tags."""
    values, white = () if about.values is None else (about.values,), image.min_is_white
    file = PictureFile(f"{number:06}.png", "", values=values, min_is_white=white, clear=white)
    file = about.files[number] if about.files is not None and number < len(about.files) else file
    path, kinds = folder / file.name, (".tif", ".tiff") if file.tags else (".png",)
    path = path if path.suffix.lower() in kinds else path.with_name(path.name + kinds[0])
    with atomic_path(path) as temporary:
        save_picture(to_picture(levels, image, file), temporary, file)
