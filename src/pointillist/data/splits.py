"""Split off validation and test images: stratified by label, determined by the seed alone."""

from __future__ import annotations

import numpy as np


def split_off(labels: np.ndarray | None, count: int, take: int, seed: int) -> np.ndarray:
    """Choose `take` of `count` images at random: `bool [count]` with `take` true entries.

    With labels each class contributes its share, rounded so that the total is exactly `take` (largest remainder, ties
    to the lower class). The same arguments give the same choice on every machine and numpy version: `RandomState` is
    frozen, unlike `default_rng`.
    """
    order = np.random.RandomState(seed).permutation(count)
    chosen = np.zeros(count, bool)
    if labels is None:
        chosen[order[:take]] = True
        return chosen
    sizes = np.bincount(labels)
    share = sizes * take / max(count, 1)
    quota = np.floor(share).astype(int)
    by_remainder = np.argsort(-(share - quota), kind="stable")
    quota[by_remainder[: take - quota.sum()]] += 1
    for label, amount in enumerate(quota):
        chosen[order[labels[order] == label][:amount]] = True
    return chosen


def split_off_groups(groups: np.ndarray, take: int, seed: int) -> np.ndarray:
    """Choose whole groups of images at random, at most `take` images and as many as fit: `bool [n]`."""
    names, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group.reshape(-1))
    chosen = np.zeros(len(names), bool)
    left = take
    for name in np.random.RandomState(seed).permutation(len(names)):
        if sizes[name] <= left:
            chosen[name] = True
            left -= sizes[name]
    found: np.ndarray = chosen[group.reshape(-1)]
    return found


def split_size(count: int, fraction: float) -> int:
    """Return the number of images in a fraction of `count`: at least one, but never all."""
    return 0 if fraction <= 0 else min(max(1, round(count * fraction)), count - 1)


def complete_splits(
    given: np.ndarray | None,
    labels: np.ndarray | None,
    count: int,
    valid_fraction: float,
    test_fraction: float,
    seed: int,
    groups: np.ndarray | None = None,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return the split of each image, `str [count]`, and notes on the splits that were made.

    Splits of the source are kept. Missing ones are taken from train only, test first; fractions refer to all images
    of train before any split. Images with equal `groups` stay in the same split.
    """
    split = np.full(count, "train", dtype="U5") if given is None else np.asarray(given, dtype="U5").copy()
    notes = []
    total = int((split == "train").sum())
    for part, fraction in (("test", test_fraction), ("valid", valid_fraction)):
        rows = np.flatnonzero(split == "train")
        take = min(split_size(total, fraction), len(rows) - 1)
        if (split == part).any() or take < 1:
            continue
        if groups is not None:
            chosen, how = split_off_groups(groups[rows], take, seed), "groups kept together"
        else:
            chosen = split_off(None if labels is None else labels[rows], len(rows), take, seed)
            how = "at random" if labels is None else "stratified by label"
        split[rows[chosen]] = part
        notes.append(f"{part}: {chosen.sum():,} of {total:,} training images, {how}, seed {seed}")
    return split, tuple(notes)
