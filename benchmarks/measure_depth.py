"""Compress images of 16 bits by a model and by JPEG XL: `python benchmarks/measure_depth.py MODEL`.

MODEL is a folder with an integer program for one channel of 65,536 ordered levels (the bundled `grey16`). Noise
of known standard deviation is drawn here, by its bits above log2(sd sqrt 12) (Pence, Seaman, White 2009: 0.255 is the
entropy of Gaussian noise). The other images are test files of pydicom and sample data of matplotlib; their values count
from 0 on, or from the least if it is negative. Everything is decoded and compared. Needs `imagecodecs`, `pydicom` and
`matplotlib`.
"""

from __future__ import annotations

import sys
import time
from importlib.metadata import version

import imagecodecs
import matplotlib.cbook
import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.data import get_testdata_file

from pointillist.compression.arrays.chunks import decode_array, encode_array
from pointillist.compression.models import as_integer_model

DEVIATIONS = (5, 20, 100)
SCANS = ("CT_small", "693_J2KI", "MR_small")
EFFORTS = (7, 9)
"""Of JPEG XL, the better of which counts."""
Image = NDArray[np.uint16]


def images() -> dict[str, Image]:
    """Return the images by name."""
    rng = np.random.default_rng(5)
    result = {f"noise, sd {sd}": np.rint(rng.normal(20_000, sd, (256, 256))) for sd in DEVIATIONS}
    result |= {name: pydicom.dcmread(str(get_testdata_file(f"{name}.dcm"))).pixel_array for name in SCANS}
    elevation = matplotlib.cbook.get_sample_data("jacksboro_fault_dem.npz")["elevation"]
    topography = matplotlib.cbook.get_sample_data("topobathy.npz")["topo"]
    result |= {"jacksboro_fault_dem": elevation, "topobathy": np.rint(topography)}
    return {name: (x - min(0, x.min())).astype(np.uint16) for name, x in result.items()}


def jpeg_xl(image: Image) -> int:
    """Return the bytes of JPEG XL, which are decoded again."""
    sizes = []
    for effort in EFFORTS:
        data = imagecodecs.jpegxl_encode(image, lossless=True, effort=effort)
        assert np.array_equal(imagecodecs.jpegxl_decode(data), image)
        sizes.append(len(data))
    return min(sizes)


def main() -> None:
    """Print a row for each image."""
    model = as_integer_model(sys.argv[1])
    print(f"JPEG XL: imagecodecs {version('imagecodecs')}, the better of efforts {EFFORTS}")
    print(f"{'image':24}{'bits/pixel':>11}{'JPEG XL':>9}{'above log2(sd sqrt 12)':>26}{'pixels/s':>12}")
    for name, image in images().items():
        start = time.process_time()
        archive = encode_array(image, model)
        seconds = time.process_time() - start
        assert np.array_equal(decode_array(archive, model).reshape(image.shape), image)
        bits, theirs = (8 * size / image.size for size in (len(archive), jpeg_xl(image)))
        floor = np.log2(float(name.rpartition(" ")[2]) * np.sqrt(12)) if name.startswith("noise") else None
        above = "" if floor is None else f"{bits - floor:.3f}, {theirs - floor:.3f}"
        print(f"{name:24}{bits:11.3f}{theirs:9.3f}{above:>26}{image.size / seconds:12,.0f}")


if __name__ == "__main__":
    main()
