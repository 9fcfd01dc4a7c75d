"""Lay game tiles side by side into mosaics of 128x128 pixels: the images of `mosaics128.toml`.

    python recipes/hierarchy/draw_mosaics.py $POINTILLIST_DATA/dcss_tiles32.npz mosaics128.npz

A mosaic has 4x4 tiles of 32x32 pixels on their background. Each tile of the split is used as often as any other, in a
random order, so that no test tile is in a mosaic for training.
"""

from __future__ import annotations

import sys

import numpy as np

TILES = 4  # a side
ROUNDS = {"train": 4, "valid": 1, "test": 2}  # how often each tile is used
VALID = 10  # one training tile in so many is for validation


def mosaics(tiles: np.ndarray, rounds: int, rng: np.random.Generator) -> np.ndarray:
    """Lay tiles `[n h w c]` in random orders into mosaics; the last tiles of an order may be left over."""
    each = TILES * TILES
    found = []
    for _ in range(rounds):
        order = rng.permutation(len(tiles))[: len(tiles) // each * each]
        grid = tiles[order].reshape(-1, TILES, TILES, *tiles.shape[1:])
        found.append(grid.transpose(0, 1, 3, 2, 4, 5).reshape(len(grid), TILES * tiles.shape[1], -1, tiles.shape[3]))
    return np.concatenate(found)


def main() -> None:
    """Write the data set."""
    rng = np.random.default_rng(0)
    with np.load(sys.argv[1], allow_pickle=False) as file:
        tiles, splits, names = file["rgb"], file["split"], file["name"]
    # tiles of one name look alike, so they stay on one side
    held = np.isin(names, rng.permutation(np.unique(names))[::VALID])
    parts = {"train": (splits == "train") & ~held, "valid": (splits == "train") & held, "test": splits == "test"}
    images = {f"x_{part}": mosaics(tiles[chosen], ROUNDS[part], rng) for part, chosen in parts.items()}
    np.savez_compressed(sys.argv[2], **images)
    print(f"{sys.argv[2]}: " + ", ".join(f"{len(x):,} {name}" for name, x in images.items()))


if __name__ == "__main__":
    main()
