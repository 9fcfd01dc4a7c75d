"""Rules written once more, slowly and plainly: what the tests hold the package to."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from scipy import ndimage

from pointillist.images import ImageSpec
from pointillist.sampling.rules.config import Rules

Domains = np.ndarray
"""Levels that each site may have, bool `[h w k]`."""


def grid(height: int, width: int, levels: int) -> ImageSpec:
    """A map of levels that are names."""
    return ImageSpec(channels=1, height=height, width=width, levels=levels, ordered=False)


def random_adjacency(rng: np.random.Generator, levels: int, density: float = 0.6) -> dict[str, Any]:
    """Random pairs to the right and below; each level has a neighbour on every side."""
    pairs = {}
    for name in ("right", "down"):
        table = rng.random((levels, levels)) < density
        table[np.arange(levels), rng.permutation(levels)] = True
        pairs[name] = [[int(a), int(b)] for a, b in np.argwhere(table)]
    return pairs


def all_maps(image: ImageSpec) -> np.ndarray:
    """Every map of a tiny size, `[n h w]`."""
    sites = image.height * image.width
    numbers = np.array(list(itertools.product(range(image.levels), repeat=sites)))
    return numbers.reshape(-1, image.height, image.width)


def tables(rules: Rules, levels: int) -> tuple[np.ndarray, np.ndarray]:
    """Pairs that may be neighbours: to the right, and below."""
    found = [np.ones((levels, levels), bool) for _ in range(2)]
    if rules.adjacency is not None:
        for table, pairs in zip(found, (rules.adjacency.right, rules.adjacency.down), strict=True):
            if pairs is not None:
                table[:] = False
                for one, other in pairs:
                    table[one, other] = True
            for one, other in rules.adjacency.never:
                table[one, other] = table[other, one] = False
    return found[0], found[1]


def obeys(rules: Rules, x: np.ndarray, levels: int) -> bool:
    """Whether a map `[h w]` obeys all rules, whose levels are numbers."""
    height, width = x.shape
    right, down = tables(rules, levels)
    held = [right[x[:, :-1], x[:, 1:]].all(), down[x[:-1], x[1:]].all()]
    held.append("x" not in _sides(rules) or (x == x[:, ::-1]).all())
    held.append("y" not in _sides(rules) or (x == x[::-1]).all())
    for region in rules.regions:
        rows, columns = (slice(*[int(end) if end else None for end in text.split(":")])
                         for text in (region.rows, region.columns))  # fmt: skip
        held.append(np.isin(x[rows, columns], region.levels).all())
    held += [x[fixed.row, fixed.column] == fixed.level for fixed in rules.fixed]
    if rules.border:
        edge = np.ones((height, width), bool)
        edge[1:-1, 1:-1] = False
        held.append(np.isin(x[edge], rules.border).all())
    for count in rules.counts:
        number = np.isin(x, count.levels).sum()
        held.append(count.at_least <= number <= (number if count.at_most is None else count.at_most))
    held += [ndimage.label(np.isin(x, piece.levels))[1] <= 1 for piece in rules.connected]
    for path in rules.paths:
        pieces = ndimage.label(np.isin(x, [*path.start, *path.end, *path.through]))[0]
        held.append(bool({*pieces[np.isin(x, path.start)]} & {*pieces[np.isin(x, path.end)]}))
    return all(held)


def _sides(rules: Rules) -> str:
    return {"none": "", "both": "xy"}.get(rules.mirror, rules.mirror)


def arc_consistent(rules: Rules, domains: Domains) -> Domains | None:
    """Domains after every arc is made consistent, one level at a time; None where one runs dry."""
    found, (height, width, levels) = domains.copy(), domains.shape
    right, down = tables(rules, levels)
    arcs = []
    for row, column in itertools.product(range(height), range(width)):
        here = (row, column)
        if column + 1 < width:
            arcs += [(here, (row, column + 1), right), ((row, column + 1), here, right.T)]
        if row + 1 < height:
            arcs += [(here, (row + 1, column), down), ((row + 1, column), here, down.T)]
        if "x" in _sides(rules):
            arcs.append((here, (row, width - 1 - column), np.eye(levels, dtype=bool)))
        if "y" in _sides(rules):
            arcs.append((here, (height - 1 - row, column), np.eye(levels, dtype=bool)))
    changed = True
    while changed:
        before = found.copy()
        for one, other, table in arcs:
            found[one] &= (table & found[other][None]).any(1)
        for count in rules.counts:
            if count.at_most is not None:
                inside = np.isin(np.arange(levels), count.levels)
                must = (~(found & ~inside).any(-1)) & found.any(-1)
                if must.sum() > count.at_most:
                    return None
                if must.sum() == count.at_most:
                    found[~must] &= ~inside
        changed = bool((before != found).any())
        if not found.any(-1).all():
            return None
    return found


def opened(rules: Rules, image: ImageSpec) -> Domains | None:
    """Domains before the first draw, of a set of rules without regions."""
    domains = np.ones((image.height, image.width, image.levels), bool)
    for fixed in rules.fixed:
        domains[fixed.row, fixed.column] &= np.arange(image.levels) == fixed.level
    if rules.border:
        edge = np.ones(domains.shape[:2], bool)
        edge[1:-1, 1:-1] = False
        domains[edge] &= np.isin(np.arange(image.levels), rules.border)
    return arc_consistent(rules, domains)


def possible(rules: Rules, domains: Domains, site: tuple[int, int]) -> dict[int, Domains]:
    """Levels of a site that make no domain run dry, each with the domains that it leaves."""
    found = {}
    for level in np.flatnonzero(domains[site]):
        trial = domains.copy()
        trial[site] = np.arange(domains.shape[-1]) == level
        left = arc_consistent(rules, trial)
        if left is not None:
            found[int(level)] = left
    return found


def sequential(rules: Rules, image: ImageSpec, log_probs: np.ndarray, sites: list[tuple[int, int]]) -> np.ndarray:
    """Probability of every map where each draw is renormalised over its possible levels; dead ends have the rest.

    Args:
        log_probs: log-probability of each site given those before it, `[n h w]`, in the order of `all_maps`.
        sites: in generation order.
    """
    maps = all_maps(image)
    found = np.zeros(len(maps))
    start = opened(rules, image)
    assert start is not None

    def visit(number: int, domains: Domains, rows: np.ndarray, mass: float) -> None:
        if number == len(sites):
            found[rows] = mass
            return
        site = sites[number]
        levels = possible(rules, domains, site)
        own = {level: rows[maps[rows][:, site[0], site[1]] == level] for level in levels}
        weights = {level: np.exp(log_probs[part[0]][site]) for level, part in own.items()}
        for level, left in levels.items():
            visit(number + 1, left, own[level], mass * weights[level] / sum(weights.values()))

    visit(0, start, np.arange(len(maps)), 1.0)
    return found
