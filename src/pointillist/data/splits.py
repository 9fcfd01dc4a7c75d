"""Cutting a validation (and test) part off: stratified by label, fixed by the seed alone."""

from __future__ import annotations

import numpy as np


def cut(labels: np.ndarray | None, count: int, take: int, seed: int) -> np.ndarray:
    """Which of `count` images are cut off: `bool [count]` with `take` true entries.

    With labels each class gives its share, rounded so that the total is exactly `take` (largest remainder, ties to
    the lower class). The same arguments give the same cut on every machine and numpy version: `RandomState` is
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


def cut_together(together: np.ndarray, take: int, seed: int) -> np.ndarray:
    """Which images are cut off, whole groups of the same name at a time: at most `take` of them, and as many as fit."""
    names, group = np.unique(together, return_inverse=True)
    sizes = np.bincount(group.reshape(-1))
    chosen = np.zeros(len(names), bool)
    left = take
    for name in np.random.RandomState(seed).permutation(len(names)):
        if sizes[name] <= left:
            chosen[name] = True
            left -= sizes[name]
    found: np.ndarray = chosen[group.reshape(-1)]
    return found


def number_to_cut(count: int, fraction: float) -> int:
    """How many of `count` images a fraction takes: at least one, but never all."""
    return 0 if fraction <= 0 else min(max(1, round(count * fraction)), count - 1)


def complete_splits(
    given: np.ndarray | None,
    labels: np.ndarray | None,
    count: int,
    valid_fraction: float,
    test_fraction: float,
    seed: int,
    together: np.ndarray | None = None,
) -> tuple[np.ndarray, tuple[str, ...]]:
    """The split of each image, `str [count]`, and notes on what was cut.

    Splits of the source are kept. Missing ones are cut from train only, the test part first; fractions count all
    images of train before any cut. Images for which `together` is the same stay on one side of a cut.
    """
    split = np.full(count, "train", dtype="U5") if given is None else np.asarray(given, dtype="U5").copy()
    notes = []
    total = int((split == "train").sum())
    for part, fraction in (("test", test_fraction), ("valid", valid_fraction)):
        rows = np.flatnonzero(split == "train")
        take = min(number_to_cut(total, fraction), len(rows) - 1)
        if (split == part).any() or take < 1:
            continue
        if together is not None:
            chosen, how = cut_together(together[rows], take, seed), "those of one name together"
        else:
            chosen = cut(None if labels is None else labels[rows], len(rows), take, seed)
            how = "at random" if labels is None else "stratified by label"
        split[rows[chosen]] = part
        notes.append(f"{part}: {chosen.sum():,} of {total:,} training images, {how}, seed {seed}")
    return split, tuple(notes)
