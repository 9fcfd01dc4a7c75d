"""Cut photographs of brick, grass and gravel into training images of 32x32 pixels, with their names as labels.

    pip install scikit-image
    python recipes/textures/prepare.py textures.npz

The photographs are those of scikit-image (`skimage.data`, CC0), 512x512 pixels. Each is made four times smaller, and
its grey levels are stretched. Windows are cut at random places: those for training from the upper three quarters, those
for validation and test from the rest.
"""

from __future__ import annotations

import sys

import numpy as np
from PIL import Image
from skimage import data

TEXTURES = ("brick", "grass", "gravel")
SIDE, SMALLER = 32, 4
WINDOWS = {"train": 4000, "valid": 100, "test": 100}  # of each texture


def photograph(name: str) -> np.ndarray:
    """Load a photograph, smaller and with full contrast, uint8 `[h w]`."""
    picture = Image.fromarray(getattr(data, name)())
    grey = np.asarray(picture.resize((picture.width // SMALLER, picture.height // SMALLER), Image.Resampling.BOX))
    low, high = np.percentile(grey, (1, 99))
    return ((grey - low) / (high - low) * 255).clip(0, 255).round().astype(np.uint8)


def cut(picture: np.ndarray, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Cut windows at random places."""
    rows, columns = (rng.integers(0, side - SIDE, count, endpoint=True) for side in picture.shape)
    return [picture[y : y + SIDE, x : x + SIDE] for y, x in zip(rows, columns, strict=True)]


def main() -> None:
    """Write the data set."""
    rng = np.random.default_rng(0)
    images, labels, splits = [], [], []
    for name in TEXTURES:
        picture = photograph(name)
        border = len(picture) * 3 // 4
        for split, count in WINDOWS.items():
            images += cut(picture[:border] if split == "train" else picture[border:], count, rng)
            labels += [name] * count
            splits += [split] * count
    np.savez_compressed(sys.argv[1], x=np.stack(images), label=labels, split=splits)
    print(f"{sys.argv[1]}: {len(images):,} images")


if __name__ == "__main__":
    main()
