"""Read DICOM and FITS as arrays of the integers that they store, where their libraries are installed.

Slope and offset are not applied: the integers come back from an archive to the bit, with their type, and the file keeps
what they mean. Sizes are compared with the file, and with memory, before a pixel is decoded.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pointillist import system
from pointillist.data.readers.picture_files import bounded, describe_damage
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
    """Read the integers of a DICOM or FITS file, `[n, h, w]`.

    ```python
    read_science(Path("ct.dcm")).dtype  # int16
    ```

    Raises:
        MissingExtraError: if its library is not installed.
        DataError: if it is damaged, has colour or floats, or does not fit in memory.
    """
    check_file(path)
    with _naming_damage(path):
        array = _read_dicom(path) if path.suffix.lower() in DICOM else _read_fits(path)
    if array.dtype.kind not in "iu" or array.ndim < 2 or 0 in array.shape:
        raise DataError(
            f"{path} holds an array of shape {array.shape} and type {array.dtype}: images must be integers in rows and "
            "columns, so scale floats to integers first."
        )
    return np.ascontiguousarray(array.reshape(-1, *array.shape[-2:])).astype(array.dtype.newbyteorder("="))


def _read_dicom(path: Path) -> np.ndarray:
    try:
        import pydicom
        from pydicom.filereader import read_file_meta_info
    except ImportError as error:
        raise MissingExtraError("A DICOM file", "science") from error
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
    with path.open("rb") as file:
        if file.read(len(FITS_START)) != FITS_START:
            raise DataError(f"{path} is not FITS, or compressed as a whole: unpack it first.")
    for number in range(_count_units(fits, path)):
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


def _count_units(fits: Any, path: Path) -> int:
    with fits.open(path, memmap=False) as file:
        return len(file)


def _check_size(path: Path, axes: Any, size: int) -> None:
    if min(axes) < 1:
        raise DataError(f"{path} claims the shape {tuple(axes)}: it is damaged.")
    needed = 3 * math.prod(axes) * size  # the file, the decoded values, and their copy
    system.check_memory(needed, f"{path.name} ({math.prod(axes):,} values)", "cut out a part of it first")


@contextmanager
def _naming_damage(path: Path) -> Iterator[None]:
    """Word the exceptions of the libraries, which raise any kind on damaged files, as one sentence."""
    try:
        with bounded(str(path)):
            yield
    except PointillistError:
        raise
    except Exception as error:
        raise DataError(
            f"{path} cannot be read ({describe_damage(error)}): it is damaged, or not of its type."
        ) from error
