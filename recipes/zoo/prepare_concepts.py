"""Prepare named images of several artists for training: one data set with captions, and common names more often.

    python recipes/zoo/prepare_concepts.py icons24.npz icons.npz --common 20 --repeats 5

The input has images `x` or `rgba`, a `name`, the `set` (artist), a `split` (`train` or `test`, by name), and perhaps
`style` words. The result has the same images as `x`, a `caption` ("name" or "name, style words"), `name`, `set` and
`split`. Of the training names that are not common, one in HELD_OUT goes to the split `valid` with all its images:
guidance and temperature are chosen on them. Images of common names (at least COMMON training images) occur REPEATS
times in the training split, since a concept is learned from how often it is seen.
"""

from __future__ import annotations

import argparse
from collections import Counter

import numpy as np


def caption(name: str, style: str) -> str:
    """Join a name and its style words: `heart` and `outline rounded` to `heart, outline rounded`."""
    return f"{name}, {style}" if style else name


def held_out_names(counts: Counter[str], common: int, one_in: int) -> set[str]:
    """Choose the names of the split `valid`."""
    rare = sorted(name for name, count in counts.items() if count < common)
    order = np.random.default_rng(0).permutation(len(rare))
    return {rare[i] for i in order[: len(rare) // one_in]}


def prepare(source: str, target: str, *, common: int, repeats: int, held_out: int) -> dict[str, int]:
    """Write the data set; return the number of images of each split."""
    with np.load(source, allow_pickle=False) as file:
        images = file["x"] if "x" in file else file["rgba"]
        names, sets, split = (file[name] for name in ("name", "set", "split"))
        styles = file["style"] if "style" in file else np.full(len(names), "")
    counts = Counter(names[split == "train"].tolist())
    chosen = np.isin(names, list(held_out_names(counts, common, held_out)))
    split = np.where((split == "train") & chosen, "valid", split)
    often = (split == "train") & (np.array([counts[name] for name in names.tolist()]) >= common)
    rows = np.repeat(np.arange(len(names)), np.where(often, repeats, 1))
    captions = np.array([caption(*pair) for pair in zip(names.tolist(), styles.tolist(), strict=True)])
    columns = {"name": names, "caption": captions, "set": sets, "split": split}
    np.savez_compressed(target, x=images[rows], **{name: column[rows] for name, column in columns.items()})
    return dict(sorted(Counter(split[rows].tolist()).items()))


def main() -> None:
    """Run the command above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--common", type=int, required=True, help="training images that make a name common")
    parser.add_argument("--repeats", type=int, required=True, help="times that an image of a common name occurs")
    parser.add_argument("--held-out", type=int, default=100, help="one rare name in this many is held out")
    options = vars(parser.parse_args())
    found = prepare(**options)
    print(f"{options['target']}: " + ", ".join(f"{part} {count:,}" for part, count in found.items()))


if __name__ == "__main__":
    main()
