"""Worlds: a chunk depends on program, seed, rules and coordinates alone, and is drawn from its exact distribution."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

import pointillist as pt
from pointillist.sampling.rules.adjacency import pairs_from_record
from pointillist.sampling.worlds import World, open_world_model
from pointillist.sampling.worlds.rules import ChunkWindow, earlier_neighbours, phase
from tests.integer_draws import encoded, log_probs_of
from tests.tolerances import DOUBLE

SIGMAS = 5.0
"""Standard deviations that a count of draws may be from its mean: a right sampler exceeds them once in a million."""


CHUNKS = [(x, y) for y in range(-2, 3) for x in range(-2, 3)]
RULES = {
    "adjacency": "observed",
    "counts": [{"levels": ["key"], "at_most": 2}],
    "connected": [{"levels": ["floor", "key"]}],
    "fixed": [{"row": -1, "column": -1, "level": "floor"}, {"row": 0, "column": -1, "level": "key"}],
}


def small(model: Path, seed: int = 7, rules: object = None) -> World:
    return World(model, seed, rules, chunk_size=6, margin=2)  # type: ignore[arg-type]


def test_phases_wait_for_earlier_ones_alone() -> None:
    for chunk in CHUNKS:
        around = earlier_neighbours(chunk)
        assert all(phase(other) < phase(chunk) for other in around)
        assert len(around) == (0, 2, 6, 8)[phase(chunk)]


@pytest.mark.parametrize("rules", [None, RULES], ids=["free", "rules"])
def test_any_order_of_visits_gives_the_same_bytes(model: Path, rules: object) -> None:
    first = small(model, rules=rules)
    expected = {chunk: first.chunk(*chunk).tobytes() for chunk in CHUNKS}
    assert len(set(expected.values())) > len(CHUNKS) // 2

    @settings(max_examples=4, deadline=None)
    @given(st.permutations(CHUNKS), st.integers(1, 6))
    def check(order: list[tuple[int, int]], remembered: int) -> None:
        world = World(model, 7, rules, chunk_size=6, margin=2, remembered=remembered)  # type: ignore[arg-type]
        for chunk in order[:4]:
            assert world.chunk(*chunk).tobytes() == expected[chunk]

    check()


def test_another_process_and_another_executor_give_the_same_bytes(model: Path) -> None:
    expected = small(model).tiles(-7, -9, 20, 22)
    code = (
        "import sys; from pointillist.sampling.worlds import World; "
        f"w = World({str(model)!r}, 7, chunk_size=6, margin=2); print(w.tiles(-7, -9, 20, 22).tolist()); "
        "assert 'torch' not in sys.modules"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(other.stdout) == expected.tolist()
    portable = open_world_model(model)
    slow = replace(portable, executor="numpy")
    assert np.array_equal(World(slow, 7, chunk_size=6, margin=2).tiles(-7, -9, 20, 22), expected)
    assert not np.array_equal(small(model, seed=8).tiles(-7, -9, 20, 22), expected)


@pytest.mark.parametrize("known", ["sides", "rows", "ring"])
def test_a_chunk_is_drawn_from_its_distribution_given_its_neighbours(model: Path, known: str) -> None:
    """The frequencies of all 3^4 chunks of 2x2, over many seeds, are those of the enumerated conditional."""
    ring = np.ones((4, 4), bool)
    ring[1:3, 1:3] = False
    if known == "sides":
        ring[[0, -1]] = False
    if known == "rows":
        ring[:, [0, -1]] &= np.array([True, False, False, True])[:, None]
    around = np.random.default_rng(3).integers(0, 2, (4, 4))
    fixed = [{"row": int(r) - 1, "column": int(c) - 1, "level": int(around[r, c])} for r, c in np.argwhere(ring)]
    draws = 1500
    counts = np.zeros(3**4)
    world = World(model, 0, {"fixed": fixed}, chunk_size=2, margin=1)
    for seed in range(draws):
        world.seed = seed
        world._remembered.clear()
        counts[world.chunk(0, 0).reshape(-1).astype(int) @ 3 ** np.arange(4)] += 1
    integers = open_world_model(model)
    window = ChunkWindow((0, 0), -1, -1, 4, 4, 2) if known != "sides" else ChunkWindow((0, 0), 0, -1, 2, 4, 2)
    given_tiles, mask = (ring, ring) if known != "sides" else (ring[1:3], ring[1:3])
    values = around if known != "sides" else around[1:3]
    open_sites = np.argwhere(~mask)
    images = np.repeat(values[None, None], 3 ** len(open_sites), 0)
    for image, levels in zip(images, itertools.product(range(3), repeat=len(open_sites)), strict=True):
        image[0][tuple(open_sites.T)] = levels
    inputs = encoded(integers, len(images), values.shape, integers.order(), known=(values[None], given_tiles))
    nats = log_probs_of(integers, images, inputs)[:, 0][:, ~mask].sum(1)
    assert abs(np.exp(nats).sum() - 1) < DOUBLE
    expected = np.zeros(3**4)
    np.add.at(
        expected, images[:, 0][(slice(None), *window.inside)].reshape(len(images), -1) @ 3 ** np.arange(4), np.exp(nats)
    )
    deviation = np.sqrt(draws * expected * (1 - expected)) + 1
    assert (abs(counts - draws * expected) < SIGMAS * deviation).all()


@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 2**20), at_most=st.integers(0, 3), key=st.booleans())
def test_rules_hold_within_chunks_and_across_seams(model: Path, seed: int, at_most: int, key: bool) -> None:
    rules = {**RULES, "counts": [{"levels": ["key"], "at_most": at_most, "at_least": int(key and at_most > 0)}]}
    rules["fixed"] = [{"row": 5, "column": 6, "level": "floor"}]
    size, world = 6, small(model, seed, rules)
    tiles = world.tiles(-size, -size, 3 * size, 4 * size)
    pairs = pairs_from_record(world.model.training_record.adjacency, 3)
    assert pairs[0][tiles[:, :-1], tiles[:, 1:]].all()
    assert pairs[1][tiles[:-1], tiles[1:]].all()
    assert tiles[size + 5, size + 6] == 1
    for y, x in itertools.product(range(3), range(4)):
        chunk = tiles[y * size : (y + 1) * size, x * size : (x + 1) * size]
        keys = int((chunk == 2).sum())
        assert int(key and at_most > 0) <= keys <= at_most
    assert np.array_equal(reached_chunks(tiles > 0, size), np.ones((3, 4), bool))


def reached_chunks(walkable: np.ndarray, size: int) -> np.ndarray:
    """Mark the chunks of which something is reached on foot from the first one."""
    height, width = walkable.shape
    pieces = ndimage.label(walkable)[0]
    best: np.ndarray = np.zeros((height // size, width // size), bool)
    for piece in np.unique(pieces[:size, :size][walkable[:size, :size]]):
        blocks = (pieces == piece).reshape(height // size, size, width // size, size).any((1, 3))
        best = blocks if blocks.sum() > best.sum() else best
    return best


def test_rules_that_cannot_be_met_across_a_seam_are_named(model: Path) -> None:
    fixed = [{"row": 2, "column": 5, "level": "wall"}, {"row": 2, "column": 6, "level": "key"}]
    with pytest.raises(pt.ConfigError, match=r"Chunk 0,0: the rule `adjacency`.* row 2, column"):
        small(model, rules={"adjacency": "observed", "fixed": fixed}).chunk(0, 0)
    rules = {"counts": [{"levels": ["key"], "at_most": 0}], "fixed": [{"row": 13, "column": 13, "level": "key"}]}
    with pytest.raises(pt.ConfigError, match=r"Chunk 2,2: .*`counts` key at most 0"):
        small(model, rules=rules).chunk(2, 2)


@pytest.mark.parametrize(
    "rules",
    [{"border": ["wall"]}, {"mirror": "x"}, {"paths": [{"from": "wall", "to": "key"}]}],
    ids=lambda r: next(iter(r)),
)
def test_rules_that_need_a_border_are_rejected(model: Path, rules: dict[str, object]) -> None:
    with pytest.raises(pt.ConfigError, match=rf"`{next(iter(rules))}` .* is not a rule of worlds"):
        small(model, rules=rules)


def test_models_that_do_not_complete_images_are_rejected(model: Path) -> None:
    with pytest.raises(pt.ConfigError, match="not trained to complete images"):
        World("outline-to-tile", 0)
    with pytest.raises(pt.ConfigError, match=r"`label` .* trained without label"):
        World(open_world_model(model), 0, label="window")
    with pytest.raises(pt.ConfigError, match="worlds need a model that draws any size"):
        pt.World("digits")  # of seed 0


@pytest.mark.parametrize("place", [1.5, True, "1", None, 10**30])
def test_a_place_is_a_whole_number(place: Any) -> None:
    """Half a chunk is not the chunk before it."""
    world = pt.World("dungeons", seed=1)
    with pytest.raises(pt.ConfigError, match=r"`x` \(=.*\) must be a whole number"):
        world.chunk(place, 0)
    with pytest.raises(pt.ConfigError, match=r"`column` \(=.*\) must be a whole number"):
        world.tiles(0, place, 2, 2)
