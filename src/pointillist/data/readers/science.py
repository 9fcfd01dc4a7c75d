"""Read DICOM and FITS as arrays of the integers that they store, where their libraries are installed.

A folder of DICOM slices is one volume. Slope and offset are not applied: the integers come back from an archive to the
bit, with their type, and the file keeps what they mean. Sizes are compared with the file, and with memory, before a
pixel is decoded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pointillist import system
from pointillist.data.pixels import EXTENSIONS, bounded, describe_damage
from pointillist.errors import DataError, MissingExtraError, PointillistError
from pointillist.files.reading import check_file

DICOM, FITS = (".dcm", ".dicom"), (".fits", ".fit", ".fts")
SCIENCE = (*DICOM, *FITS)
"""Endings of the files that are read here."""
DEFLATED = "1.2.840.10008.1.2.1.99"
"""Transfer syntax of DICOM that compresses the whole file, whose size would be known only when it is in memory."""
FITS_START = b"SIMPLE  ="
"""First bytes of FITS; astropy would also unpack gzip, whatever its size."""
UNSIGNED = {16: 1 << 15, 32: 1 << 31}
"""Offsets that mean integers without a sign in FITS, by the bits of a value."""


def read_science(path: Path) -> np.ndarray:
    """Read the integers of a DICOM or FITS file, or of a folder of DICOM slices, `[n, h, w]`.

    The slices of a folder must be one series. They are sorted by their positions along the normal of the slices, or by
    their instance numbers if one has no position.

    ```python
    read_science(Path("ct.dcm")).dtype  # int16
    ```

    Raises:
        MissingExtraError: if its library is not installed.
        DataError: if it is damaged, has colour or floats, does not fit in memory, or its slices are not one volume.
    """
    if path.is_dir():
        return _read_series(path)
    with _naming_damage(path):
        array = _read_dicom(path) if path.suffix.lower() in DICOM else _read_fits(path)
    if array.dtype.kind not in "iu" or array.ndim < 2 or 0 in array.shape:
        raise DataError(
            f"{path} holds an array of shape {array.shape} and type {array.dtype}: images must be integers in rows and "
            "columns, so scale floats to integers first."
        )
    return np.ascontiguousarray(array.reshape(-1, *array.shape[-2:])).astype(array.dtype.newbyteorder("="))


def is_series(folder: Path) -> bool:
    """Return True if a folder holds DICOM files, which are slices of one volume, and no pictures."""
    kinds = {path.suffix.lower() for path in folder.iterdir()} if folder.is_dir() else set()
    return not kinds.isdisjoint(DICOM) and kinds.isdisjoint(EXTENSIONS)


def slices_of(folder: Path) -> list[Path]:
    """List the DICOM files that lie in a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in DICOM)


@dataclass(frozen=True)
class _Slice:
    """Header of a slice; the slices of a volume have the same `facts`."""

    path: Path
    facts: tuple[str, ...]
    number: int | None
    position: tuple[float, ...] | None
    normal: tuple[float, ...]


def _read_series(folder: Path) -> np.ndarray:
    slices = [_read_slice(path) for path in slices_of(folder)]
    other = next((each for each in slices if each.facts != slices[0].facts), None)
    if other is not None:
        differ = "; ".join(f"{a} and {b}" for a, b in zip(slices[0].facts, other.facts, strict=True) if a != b)
        raise DataError(
            f"{slices[0].path} and {other.path.name} are not slices of one volume ({differ}): give each series a "
            "folder."
        )
    places = _places(slices)
    if places is None or len(set(places)) < len(slices):
        raise DataError(
            f"The slices of {folder} have no order, as positions or instance numbers are missing or occur twice: "
            "give one file at a time, or remove the double ones."
        )
    ordered = [each.path for _, each in sorted(zip(places, slices, strict=True), key=lambda pair: pair[0])]
    size = sum(path.stat().st_size for path in ordered)
    system.check_memory(3 * size, f"{folder} ({len(ordered):,} slices)", "give fewer slices")
    arrays = [read_science(path) for path in ordered]
    several = next((i for i, array in enumerate(arrays) if array.shape != (1, *arrays[0].shape[1:])), None)
    if several is not None:
        raise DataError(
            f"{ordered[several]} has {len(arrays[several])} frames: give a file of several frames by itself."
        )
    return np.concatenate(arrays)


def _places(slices: list[_Slice]) -> list[float] | None:
    """Return where each slice lies along their normal, else their numbers; None if one has neither."""
    if all(each.position is not None for each in slices):
        normal = np.asarray(slices[0].normal)
        return [float(np.dot(np.asarray(each.position), normal)) for each in slices]
    numbers = [float(each.number) for each in slices if each.number is not None]
    return numbers if len(numbers) == len(slices) else None


def _read_slice(path: Path) -> _Slice:
    with _naming_damage(path):
        data: Any = _pydicom().dcmread(path, stop_before_pixels=True)
        axes = [float(x) for x in data.get("ImageOrientationPatient", None) or (1, 0, 0, 0, 1, 0)]
        position, number = data.get("ImagePositionPatient", None), data.get("InstanceNumber", None)
        sign = "with" if int(data.get("PixelRepresentation", 0)) else "without"
        facts = (
            f"series {data.get('SeriesInstanceUID', 'without a name')}",
            f"{int(data.Rows)}x{int(data.Columns)} pixels",
            f"{int(data.BitsAllocated)} bits {sign} a sign",
            f"directions {' '.join(f'{x:.3f}' for x in axes)}",
        )
        return _Slice(
            path,
            facts,
            None if number is None else int(number),
            None if position is None else tuple(float(x) for x in position),
            tuple(np.cross(axes[:3], axes[3:]).tolist()),
        )


def _pydicom() -> Any:
    try:
        import pydicom
    except ImportError as error:
        raise MissingExtraError("A DICOM file", "science") from error
    return pydicom


def _read_dicom(path: Path) -> np.ndarray:
    pydicom = _pydicom()
    from pydicom.filereader import read_file_meta_info

    if str(read_file_meta_info(path).get("TransferSyntaxUID", "")) == DEFLATED:
        raise DataError(f"{path} is deflated as a whole, so its size is not known before it is read: save it without.")
    data: Any = pydicom.dcmread(path)
    channels, frames = int(data.get("SamplesPerPixel", 1)), int(data.get("NumberOfFrames", 1) or 1)
    height, width, bits = int(data.Rows), int(data.Columns), int(data.BitsAllocated)
    if channels != 1 or "PixelData" not in data:
        raise DataError(f"{path} has {channels} channels, or floats: a model of 16 bits takes one channel of integers.")
    if min(height, width, frames) < 1 or bits not in (8, 16, 32):
        raise DataError(f"{path} claims {frames} frames of {height}x{width} with {bits} bits: it is damaged.")
    _check_size(path, (frames, height, width), bits // 8)
    array: np.ndarray = data.pixel_array
    if array.size != frames * height * width:
        raise DataError(f"{path} has {array.size:,} pixels, not {frames}x{height}x{width} as it says: it is damaged.")
    return array


def _read_fits(path: Path) -> np.ndarray:
    try:
        from astropy.io import fits
    except ImportError as error:
        raise MissingExtraError("A FITS file", "science") from error
    with path.open("rb") as start:
        if start.read(len(FITS_START)) != FITS_START:
            raise DataError(f"{path} is not FITS, or compressed as a whole: unpack it first.")
    with fits.open(path, memmap=False) as file:
        units = len(file)
    for number in range(units):
        with fits.open(path, memmap=False, lazy_load_hdus=True) as file:
            header, packed = file[number].header, isinstance(file[number], fits.CompImageHDU)
        axes = [int(header[f"NAXIS{i}"]) for i in range(int(header["NAXIS"]), 0, -1)]
        if len(axes) < 2 or header.get("XTENSION", "IMAGE") not in ("IMAGE", "BINTABLE") or "TFIELDS" in header:
            continue
        bits = int(header["BITPIX"])
        if bits < 0:
            raise DataError(f"{path} holds floats: scale them to integers first, as a codec without loss keeps noise.")
        if not packed and math.prod(axes) * bits // 8 > path.stat().st_size:
            raise DataError(f"{path} claims {math.prod(axes):,} values, more than the file has: it is damaged.")
        _check_size(path, axes, bits // 8)
        plain = (header.get("BSCALE", 1), header.get("BZERO", 0)) == (1, UNSIGNED.get(bits, -1))
        with fits.open(path, memmap=False, uint=plain, do_not_scale_image_data=not plain) as file:
            return np.array(file[number].data)
    raise DataError(f"{path} holds no image of rows and columns: give a FITS file with one.")


def _check_size(path: Path, axes: Any, size: int) -> None:
    if min(axes) < 1:
        raise DataError(f"{path} claims the shape {tuple(axes)}: it is damaged.")
    needed = 3 * math.prod(axes) * size  # the file, the decoded values, and their copy
    system.check_memory(needed, f"{path.name} ({math.prod(axes):,} values)", "cut out a part of it first")


@contextmanager
def _naming_damage(path: Path) -> Iterator[None]:
    """Read an ordinary file; word the exceptions of the libraries, which raise any kind on damage, as one sentence."""
    check_file(path)
    try:
        with bounded(str(path)):
            yield
    except PointillistError:
        raise
    except Exception as error:
        raise DataError(
            f"{path} cannot be read ({describe_damage(error)}): it is damaged, or not of its type."
        ) from error
