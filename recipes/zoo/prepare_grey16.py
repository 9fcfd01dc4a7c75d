"""Simulate grey images of 16 bits for `grey16`: noise over gradients, shapes and textures of any contrast.

    python recipes/zoo/prepare_grey16.py grey16.npz
    python recipes/zoo/prepare_grey16.py src/pointillist/zoo/grey16/generation_config.json

Each image of 24x24 pixels is a structure with its own contrast and offset, and most have noise: independent, blurred as
by a reconstruction, or with a variance that grows with the signal. Some have a flat background, as air around a body.
Nothing is taken from a file, so no image of a benchmark is among them. The second command writes the scan that the
studio shows: the phantom of Shepp and Logan with noise, by the ellipses of Toft (1996, table B.3).
"""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE, COUNTS = 24, {"train": 40_000, "valid": 800}
LARGEST = 65_535
Fields = NDArray[np.float64]


def textures(rng: np.random.Generator, count: int) -> Fields:
    """Draw random fields whose spectrum falls with a random power of the frequency, of standard deviation 1."""
    size = 2 * SIDE
    fy, fx = np.meshgrid(np.fft.fftfreq(size), np.fft.rfftfreq(size), indexing="ij")
    radius = np.maximum(np.hypot(fy, fx), 0.5 / size)
    slopes = rng.uniform(0.5, 2.6, (count, 1, 1))
    spectrum = (rng.normal(size=(count, *radius.shape)) + 1j * rng.normal(size=(count, *radius.shape))) / radius**slopes
    fields = np.fft.irfft2(spectrum, (size, size))[:, :SIDE, :SIDE]
    return (fields - fields.mean((1, 2), keepdims=True)) / (fields.std((1, 2), keepdims=True) + 1e-9)


def gradients(rng: np.random.Generator, count: int) -> Fields:
    """Draw planes and paraboloids."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    linear = rng.normal(size=(count, 2, 1, 1))
    curved = rng.normal(size=(count, 3, 1, 1)) * rng.integers(0, 2, (count, 1, 1, 1))
    plane = linear[:, 0] * y + linear[:, 1] * x
    return plane + curved[:, 0] * y * y + curved[:, 1] * x * x + curved[:, 2] * x * y


def shapes(rng: np.random.Generator, count: int) -> Fields:
    """Draw a few half-planes and discs with soft edges over each other."""
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    result = np.zeros((count, SIDE, SIDE))
    for _ in range(3):
        angle, offset, height, softness = (rng.uniform(low, high, (count, 1, 1)) for low, high in
                                           ((0, 2 * np.pi), (-0.5, 0.5), (-1, 1), (0.005, 0.1)))  # fmt: skip
        cy, cx, radius = (
            rng.uniform(low, high, (count, 1, 1)) for low, high in ((-0.5, 0.5), (-0.5, 0.5), (0.05, 0.5))
        )
        distance = np.where(
            rng.random((count, 1, 1)) < 0.5,
            np.cos(angle) * y + np.sin(angle) * x - offset,
            np.hypot(y - cy, x - cx) - radius,
        )
        result += height / (1 + np.exp((distance / softness).clip(-40, 40)))
    return result


def noises(rng: np.random.Generator, count: int, signal: Fields) -> Fields:
    """Draw noise of standard deviation near 1: independent, blurred, or growing with the signal; a quarter has none."""
    white = rng.normal(size=(count, SIDE + 4, SIDE + 4))
    width = rng.uniform(0.35, 1.1, (count, 1))
    taps = np.exp(-(np.arange(-2, 3) ** 2) / (2 * width**2))
    taps /= np.sqrt((taps**2).sum(1, keepdims=True))
    blurred = sum(taps[:, k, None, None] * white[:, k : k + SIDE] for k in range(5))
    blurred = sum(taps[:, k, None, None] * blurred[:, :, k : k + SIDE] for k in range(5))
    level = signal - signal.min((1, 2), keepdims=True)
    level = level / (level.mean((1, 2), keepdims=True) + 1e-9)
    kind = rng.random((count, 1, 1))
    inside = white[:, 2:-2, 2:-2]
    result = np.where(kind < 0.3, blurred, np.where(kind < 0.45, inside * np.sqrt(level + 0.05), inside))
    return np.where(kind > 0.8, 0.0, result)


def images(rng: np.random.Generator, count: int) -> NDArray[np.uint16]:
    """Draw images `[n h w]`."""
    kind = rng.integers(0, 5, (count, 1, 1))
    parts = (textures(rng, count), gradients(rng, count), shapes(rng, count))
    structure = np.where(kind <= 1, parts[0], np.where(kind == 2, parts[1], np.where(kind == 3, parts[2], sum(parts))))
    contrast = 2.0 ** rng.uniform(-1, 13, (count, 1, 1)) * (rng.random((count, 1, 1)) > 0.2)
    signal = structure * contrast
    values = signal + noises(rng, count, signal) * 2.0 ** rng.uniform(-1.5, 10.5, (count, 1, 1))
    background = np.quantile(values.reshape(count, -1), rng.uniform(0.2, 0.7), axis=1)[:, None, None]
    values = np.where(rng.random((count, 1, 1)) < 0.06, np.maximum(values, background), values)
    values = values - values.min((1, 2), keepdims=True)
    room = np.maximum(LARGEST - values.max((1, 2), keepdims=True), 0)
    offset = room * rng.random((count, 1, 1)) * (rng.random((count, 1, 1)) > 0.2)
    return np.floor(values + offset + 0.5).clip(0, LARGEST).astype(np.uint16)


ELLIPSES = (
    (1, 0.69, 0.92, 0, 0, 0), (-0.8, 0.6624, 0.874, 0, -0.0184, 0), (-0.2, 0.11, 0.31, 0.22, 0, -18),
    (-0.2, 0.16, 0.41, -0.22, 0, 18), (0.1, 0.21, 0.25, 0, 0.35, 0), (0.1, 0.046, 0.046, 0, 0.1, 0),
    (0.1, 0.046, 0.046, 0, -0.1, 0), (0.1, 0.046, 0.023, -0.08, -0.605, 0), (0.1, 0.023, 0.023, 0, -0.606, 0),
    (0.1, 0.023, 0.046, 0.06, -0.605, 0),
)  # fmt: skip
"""Intensity, half axes, centre and angle in degrees, in an image from -1 to 1."""


def phantom(side: int = 96, air: int = 1000, contrast: int = 2000, noise: float = 12.0) -> NDArray[np.uint16]:
    """Draw the phantom `[h w]` as a scanner would count it: soft edges of a pixel, and independent noise."""
    fine = 4 * side
    x, y = np.meshgrid((np.arange(fine) + 0.5) * 2 / fine - 1, 1 - (np.arange(fine) + 0.5) * 2 / fine)
    total = np.zeros((fine, fine))
    for intensity, a, b, cx, cy, degrees in ELLIPSES:
        cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        along, across = (x - cx) * cos + (y - cy) * sin, (y - cy) * cos - (x - cx) * sin
        total += intensity * ((along / a) ** 2 + (across / b) ** 2 <= 1)
    means = total.reshape(side, 4, side, 4).mean((1, 3))
    values = air + contrast * means + noise * np.random.default_rng(0).normal(size=means.shape)
    return np.rint(values).astype(np.uint16)


def write_phantom(path: Path) -> None:
    """Write the phantom as the picture of a `generation_config.json`."""
    file = io.BytesIO()
    Image.fromarray(phantom()).save(file, "PNG", optimize=True)
    picture = {"name": "Phantom of Shepp and Logan with noise, drawn by a formula, CC0"}
    picture |= {"png": base64.b64encode(file.getvalue()).decode(), "sizes": {"PNG": len(file.getvalue())}}
    path.write_text(json.dumps({"pictures": [picture]}, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Write the data set, or the phantom."""
    if sys.argv[1].endswith(".json"):
        write_phantom(Path(sys.argv[1]))
        return
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in COUNTS.items():
        arrays[f"x_{split}"] = np.concatenate([images(rng, 400) for _ in range(count // 400)])
    np.savez_compressed(sys.argv[1], **arrays)


if __name__ == "__main__":
    main()
