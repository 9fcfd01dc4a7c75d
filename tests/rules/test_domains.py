"""Domains: arc consistency against a plain reference, every level that a valid map has, undone assignments."""

from __future__ import annotations

import numpy as np
import pytest

import pointillist as pt
from pointillist.distributions.transform import IDENTITY
from pointillist.engine.constraints import solver
from pointillist.engine.constraints.masks import LevelMask
from pointillist.engine.constraints.solver import from_bits, to_bits
from pointillist.engine.sampler import draw_in_mask
from pointillist.sampling.rules.config import Rules, parse_rules
from pointillist.sampling.rules.opening import open_mask

from .reference import all_maps, arc_consistent, grid, obeys, opened, random_adjacency


def random_rules(rng: np.random.Generator, levels: int, height: int, width: int) -> Rules:
    """Adjacency, and each of the other rules of sites now and then."""
    rules: dict = {"adjacency": random_adjacency(rng, levels, rng.uniform(0.3, 0.8))}
    if rng.random() < 0.5:
        rules["mirror"] = str(rng.choice(["x", "y", "both"]))
    if rng.random() < 0.5:
        place = {"row": int(rng.integers(height)), "column": int(rng.integers(width))}
        rules["fixed"] = [{**place, "level": int(rng.integers(levels))}]
    if rng.random() < 0.3:
        rules["border"] = rng.permutation(levels)[: levels - 1].tolist()
    if rng.random() < 0.5:
        rules["counts"] = [{"levels": [int(rng.integers(levels))], "at_most": int(rng.integers(4))}]
    found = parse_rules(rules)
    assert found is not None
    return found


def domains_of(mask: LevelMask) -> np.ndarray:
    """Domains of the first image, `[h w k]`."""
    rules = mask.rules
    return from_bits(mask.bits[0, 0], rules.levels).reshape(rules.height, rules.width, rules.levels)


@pytest.mark.parametrize("levels", [2, 5, 63, 64, 65, 130])
def test_sets_of_levels_are_bits(levels: int) -> None:
    """Packing and unpacking, at the edges of words."""
    allowed = np.random.default_rng(levels).random((3, 4, levels)) < 0.5
    assert (from_bits(to_bits(allowed), levels) == allowed).all()


@pytest.mark.parametrize("seed", range(60))
def test_domains_are_those_of_the_reference(seed: int) -> None:
    """Before the first draw, or no level is left in both; in 3 words too, where most levels are not used."""
    rng = np.random.default_rng(seed)
    height, width, levels = (int(n) for n in (rng.integers(1, 6), rng.integers(1, 6), rng.integers(2, 6)))
    rules, image = random_rules(rng, levels, height, width), grid(height, width, levels)
    wanted = opened(rules, image)
    if wanted is None:
        with pytest.raises(pt.ConfigError, match=r"The rule `.* cannot be met"):
            open_mask(rules, image)
        return
    assert (domains_of(open_mask(rules, image)) == wanted).all()
    if rules.adjacency is not None and not rules.counts:
        many = grid(height, width, 150)
        assert (domains_of(open_mask(rules, many))[..., :levels] == wanted).all()


@pytest.mark.parametrize("seed", range(30))
def test_assignments_propagate_or_are_undone(seed: int) -> None:
    """Levels in random places, one after the other: the domains are always those of the reference."""
    rng = np.random.default_rng(100 + seed)
    height, width, levels = 4, 3, 4
    rules, image = random_rules(rng, levels, height, width), grid(height, width, levels)
    domains = opened(rules, image)
    if domains is None:
        return
    mask = open_mask(rules, image).repeat(2)
    uniform, even = np.array([0.3, 0.7]), np.full((2, levels), 2**16 // levels)
    for site in rng.permutation(height * width):
        place = (int(site) // width, int(site) % width)
        drawn = draw_in_mask(mask, 0, int(site), even, uniform, IDENTITY)
        trial = domains.copy()
        trial[place] = np.arange(levels) == drawn[0]
        left = arc_consistent(rules, trial)
        if mask.status[0] == solver.DEAD:
            return
        assert left is not None
        domains = left
        assert (domains_of(mask) == domains).all()
        counted = [np.isin(np.arange(levels), count.levels) for count in rules.counts if count.at_most is not None]
        for number, inside in enumerate(counted):
            assert mask.counts[0, number, solver.MUST] == (~(domains & ~inside).any(-1)).sum()
            assert mask.counts[0, number, solver.MAY] == (domains & inside).any(-1).sum()


@pytest.mark.parametrize("seed", range(20))
def test_no_level_of_a_valid_map_is_lost(seed: int) -> None:
    """Whatever arc consistency takes away is in no map that obeys the rules; whole maps are told apart."""
    rng = np.random.default_rng(200 + seed)
    image = grid(2, 3, 3)
    rules, maps = random_rules(rng, 3, 2, 3), all_maps(image)
    valid = np.array([obeys(rules, x, 3) for x in maps])
    try:
        mask = open_mask(rules, image)
    except pt.ConfigError:
        assert not valid.any()
        return
    seen = (maps[valid][..., None] == np.arange(3)).any(0)
    assert not (seen & ~domains_of(mask)).any()
    assert (mask.allows(maps.reshape(len(maps), -1)) == valid).all()


def test_a_level_that_is_forgotten_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mutation test: a table of neighbours that is not transposed for the way back."""
    from pointillist.sampling.rules import opening

    kept = opening.adjacency_table

    def wrong(*arguments: object) -> np.ndarray:
        table = kept(*arguments)  # type: ignore[arg-type]
        table[2:] = table[:2]
        return table

    monkeypatch.setattr(opening, "adjacency_table", wrong)
    rules = Rules.model_validate({"adjacency": {"right": [[0, 1], [1, 2], [2, 2]]}})
    domains = opened(rules, grid(1, 4, 3))
    assert domains is not None
    with pytest.raises((AssertionError, pt.ConfigError)):
        assert (domains_of(open_mask(rules, grid(1, 4, 3))) == domains).all()
