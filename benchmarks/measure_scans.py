"""Compress public pictures of 16 bits by `grey16` and by other codecs: `python benchmarks/measure_scans.py`.

The files come with the packages pydicom, astropy, matplotlib and scikit-image, in whatever version is installed:
DICOM, FITS, a slice of MRI, two elevation maps, and the disparities of a stereo pair in 64ths of a pixel. A package
that is not installed leaves its files out. The script needs imagecodecs (the extra `codecs`), and shows
pcodec if it is installed.

- ours: bytes of `pt.compress("grey16", array)`, decoded and compared, signs and types included; learned: with
  `learn=True`, the stage that learns.
- JPEG XL at efforts 9 and 10, and JPEG-LS: values below 0 are shifted to 0, as these codecs need. pcodec at level 12:
  the values in one row.
- speed: pixels a second of processor time, in one thread with `OMP_NUM_THREADS=1`, all files together.
"""

from __future__ import annotations

import gzip
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import imagecodecs
import numpy as np

import pointillist as pt
from pointillist.system import describe_machine, today

DICOM = ("CT_small", "MR_small", "JPEG2000", "examples_overlay", "J2K_pixelrep_mismatch", "693_J2KI")
FITS = {
    "nddata/tests/data/sip-wcs.fits": (0,),
    "io/fits/hdu/compressed/tests/data/m13.fits": (0,),
    "io/fits/tests/data/comp.fits": (1,),
    "wcs/tests/data/dss.14.29.56-62.41.05.fits.gz": (0,),
    "io/fits/tests/data/checksum.fits": (0,),
    "io/fits/tests/data/test0.fits": (1, 2, 3, 4),
    "io/fits/tests/data/o4sp040b0_raw.fits": (1, 4),
}
"""Files of astropy, and the numbers of their images."""


def folder_of(package: str) -> Path | None:
    """Return the folder of an installed package."""
    found = find_spec(package)
    return None if found is None or found.origin is None else Path(found.origin).parent


def scans() -> Iterator[tuple[str, np.ndarray]]:
    """Yield the names of the pictures, and their values `[h, w]`."""
    if (folder := folder_of("pydicom")) is not None:
        from pydicom import dcmread

        for name in DICOM:
            yield name, dcmread(folder / "data" / "test_files" / f"{name}.dcm").pixel_array
    if (folder := folder_of("astropy")) is not None:
        from astropy.io import fits

        for path, numbers in FITS.items():
            with fits.open(folder / path, do_not_scale_image_data=True) as file:
                for number in numbers:
                    yield f"{Path(path).name} {number}", file[number].data.astype(np.int16)
    if (folder := folder_of("matplotlib")) is not None:
        data = folder / "mpl-data" / "sample_data"
        yield "s1045", np.frombuffer(gzip.decompress((data / "s1045.ima.gz").read_bytes()), "<u2").reshape(256, 256)
        yield "jacksboro_fault_dem", np.load(data / "jacksboro_fault_dem.npz")["elevation"]
        yield "topobathy", np.load(data / "topobathy.npz")["topo"].round().astype(np.int16)
    if (folder := folder_of("skimage")) is not None:
        disparity = np.load(folder / "data" / "motorcycle_disp.npz")["arr_0"]
        yield "motorcycle_disp", (np.where(np.isfinite(disparity), disparity, 0) * 64).round().astype(np.uint16)


def others(values: np.ndarray) -> list[int]:
    """Return the bytes of JPEG XL at efforts 9 and 10, JPEG-LS and pcodec, 0 for a codec that is not installed."""
    shifted = (values.astype(np.int64) - min(0, int(values.min()))).astype(np.uint16)
    sizes = [len(imagecodecs.jpegxl_encode(shifted, lossless=True, effort=effort)) for effort in (9, 10)]
    sizes.append(len(imagecodecs.jpegls_encode(shifted)))
    if find_spec("pcodec") is None:
        return [*sizes, 0]
    from pcodec import ChunkConfig, standalone

    return [*sizes, len(standalone.simple_compress(values.reshape(-1).copy(), ChunkConfig(compression_level=12)))]


def main() -> None:
    """Print a row for each picture, their sums, and the speed."""
    heads = ["file", "pixels", "ours", "learned", "JPEG XL e9", "e10", "JPEG-LS", "pcodec", "ours / better JPEG XL"]
    print(f"| {' | '.join(heads)} |\n" + "|---" * len(heads) + "|")
    rows, seconds, pixels = [], np.zeros((2, 2)), 0
    for name, values in scans():
        sizes = []
        for learn in (False, True):
            start = time.process_time()
            archive = pt.compress("grey16", values, verify=False, learn=learn)
            middle = time.process_time()
            again = np.asarray(pt.decompress(archive))
            seconds[int(learn)] += middle - start, time.process_time() - middle
            assert again.dtype == values.dtype, name
            assert np.array_equal(again.reshape(values.shape), values), name
            sizes.append(len(archive))
        rows.append([*sizes, *others(values)])
        pixels += values.size
        print(row(f"`{name}`", values.size, rows[-1]), flush=True)
    print(row(f"{len(rows)} files", pixels, np.sum(rows, axis=0).tolist(), sum(min(each[2:4]) for each in rows)))
    for learn, (coding, decoding) in zip(("ours", "learned"), pixels / seconds / 1e6, strict=True):
        print(f"\n{learn}: coding {coding:.2f}, decoding {decoding:.2f} million pixels a second")
    print(f"{describe_machine()}, {today()}")
    for package in ("imagecodecs", "pcodec", "pydicom", "astropy", "matplotlib", "scikit-image"):
        try:
            print(package, version(package), end="; ")
        except PackageNotFoundError:
            print(package, "is not installed", end="; ")
    print()


def row(name: str, pixels: int, sizes: list[int], best: int | None = None) -> str:
    """Return a line of the table."""
    shares = ", ".join(f"{size / (best or min(sizes[2:4])):.3f}" for size in sizes[:2])
    cells = [name, f"{pixels:,}", *(f"{size:,}" for size in sizes), shares]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
