"""Compare ways to learn a palette: `python benchmarks/measure_palette.py [IMAGES.npz] [KEY] [COLOURS]`.

The squared error is the mean over the opaque pixels (alpha >= 128) of all images, per channel, of the nearest colour.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
from PIL import Image

from pointillist.data.palette import learn_palette
from pointillist.images import OPAQUE

Learner = Callable[[np.ndarray, int], np.ndarray]


def ours(rgba: np.ndarray, colours: int) -> np.ndarray:
    """`learn_palette`: the opaque entries."""
    return np.array([entry[:3] for entry in learn_palette(rgba, colours)[0] if entry[3]], np.int64)


def pillow(method: Image.Quantize, kmeans: int) -> Learner:
    """`Image.quantize` of all opaque pixels in one column; the transparent entry is ours."""

    def learn(rgba: np.ndarray, colours: int) -> np.ndarray:
        clear = bool((rgba[:, 3] < OPAQUE).any())
        pixels = opaque(rgba)
        width = 1024
        strip = np.resize(pixels, (-(-len(pixels) // width), width, 3))  # the end repeats less than one row
        image = Image.fromarray(strip).quantize(colours - clear, method, kmeans=kmeans, dither=Image.Dither.NONE)
        return np.array(image.getpalette("RGB"), np.int64).reshape(-1, 3)[np.unique(np.asarray(image))]

    return learn


def scipy_kmeans(rgba: np.ndarray, colours: int) -> np.ndarray:
    """`scipy.cluster.vq.kmeans2`, which takes no weights, on all opaque pixels."""
    from scipy.cluster.vq import kmeans2

    clear = bool((rgba[:, 3] < OPAQUE).any())
    centres, _ = kmeans2(opaque(rgba).astype(np.float32), colours - clear, iter=12, minit="++", rng=0)
    return np.unique(np.rint(centres).astype(np.int64), axis=0)


def opaque(rgba: np.ndarray) -> np.ndarray:
    """RGB of the opaque pixels, uint8 `n 3`."""
    pixels = np.moveaxis(rgba, 1, -1).reshape(-1, 4)
    return np.ascontiguousarray(pixels[pixels[:, 3] >= OPAQUE, :3])


def squared_error(pixels: np.ndarray, centres: np.ndarray) -> float:
    """Mean squared error per channel."""
    distinct, counts = np.unique(pixels, axis=0, return_counts=True)
    total = 0.0
    for start in range(0, len(distinct), 20_000):
        part = distinct[start : start + 20_000].astype(np.int64)
        distance = ((part[:, None] - centres[None]) ** 2).sum(-1).min(1)
        total += float((distance * counts[start : start + 20_000]).sum())
    return total / counts.sum() / 3


def main(path: str = "emoji_noto.npz", key: str = "rgba32", colours: int = 64) -> None:
    """Print colours used, error and CPU time of every learner."""
    rgba = np.load(path)[key].transpose(0, 3, 1, 2)
    pixels = opaque(rgba)
    print(f"{len(rgba):,} images, {len(pixels):,} opaque pixels, {len(np.unique(pixels, axis=0)):,} distinct colours")
    learners: dict[str, Learner] = {"ours": ours}
    for method in (Image.Quantize.MEDIANCUT, Image.Quantize.MAXCOVERAGE, Image.Quantize.FASTOCTREE):
        for kmeans in (0, 1, 1000):
            learners[f"Pillow {method.name} kmeans={kmeans}"] = pillow(method, kmeans)
    learners["scipy kmeans2 ++"] = scipy_kmeans
    for name, learn in learners.items():
        started = time.process_time()
        centres = learn(rgba, colours)
        seconds = time.process_time() - started
        error = squared_error(pixels, centres)
        psnr = 10 * np.log10(255**2 / error)
        print(f"{name:32} {len(centres):3} colours, squared error {error:8.3f}, {psnr:5.2f} dB, {seconds:6.1f} s")


if __name__ == "__main__":
    main(*sys.argv[1:3], *map(int, sys.argv[3:4]))
