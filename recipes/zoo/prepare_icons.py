"""Prepare icons for training: `python recipes/zoo/prepare_icons.py icons24.npz TARGET.npz`.

The result has images `x` (24x24, 4 levels), a `name`, a `caption` ("name" or "name, style words"), the icon `set` and a
`split`.
Of the training names, every `HELD_OUT`-th of those that are not common goes to the split `valid`, with all its icons:
guidance and temperature are chosen on them. Icons of common names (at least `COMMON` training icons) occur `REPEATS`
times in the training split, since a concept is learned from how often it is seen.

The input has the arrays `x`, `name`, `style`, `set` and `split` (`train` or `test`, by name).
"""

from __future__ import annotations

import sys
from collections import Counter

import numpy as np

COMMON, REPEATS = 20, 5
HELD_OUT = 100


def caption(name: str, style: str) -> str:
    """Join a name and its style words: `heart` and `outline rounded` to `heart, outline rounded`."""
    return f"{name}, {style}" if style else name


def held_out_names(counts: Counter[str]) -> set[str]:
    """Choose the names of the split `valid`."""
    rare = sorted(name for name, count in counts.items() if count < COMMON)
    order = np.random.default_rng(0).permutation(len(rare))
    return {rare[i] for i in order[: len(rare) // HELD_OUT]}


def main(source: str, target: str) -> None:
    """Read the icons and write the data set for training."""
    with np.load(source, allow_pickle=False) as file:
        icons = {name: file[name] for name in ("x", "name", "style", "set", "split")}
    names, split = icons["name"], icons["split"].copy()
    counts = Counter(names[split == "train"].tolist())
    held_out = held_out_names(counts)
    split[np.array([part == "train" and name in held_out for name, part in zip(names, split, strict=True)])] = "valid"
    repeats = [
        REPEATS if part == "train" and counts[name] >= COMMON else 1 for name, part in zip(names, split, strict=True)
    ]
    rows = np.repeat(np.arange(len(names)), repeats)
    captions = np.array([caption(*pair) for pair in zip(names, icons["style"], strict=True)])
    np.savez_compressed(target, x=icons["x"][rows], caption=captions[rows], set=icons["set"][rows], split=split[rows])
    print(f"{target}: " + ", ".join(f"{part} {count}" for part, count in sorted(Counter(split[rows].tolist()).items())))


if __name__ == "__main__":
    main(*sys.argv[1:])
