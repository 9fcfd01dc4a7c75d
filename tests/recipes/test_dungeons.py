"""The generator of the bundled model `dungeons`: every map obeys its rules, and the checks of the rules can fail."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

FOLDER = Path(__file__).parents[2] / "recipes" / "zoo" / "dungeons"


@pytest.fixture(scope="module", name="dungeons")
def dungeons_fixture() -> dict[str, ModuleType]:
    sys.path.insert(0, str(FOLDER))
    try:
        return {name: importlib.import_module(name) for name in ("rules", "generate", "draw_tileset")}
    finally:
        sys.path.remove(str(FOLDER))


MAP = """
 ########
 #<..+..#
 #.k.##L#
 #..###>#
 #### ###
"""


def parse(text: str, rules: ModuleType) -> np.ndarray:
    symbols = ' #.+Lk<>~"Tcm'
    rows = [line for line in text.split("\n") if line]
    assert len(rules.LEVELS) == len(symbols)
    return np.array([[symbols.index(c) for c in row] for row in rows], np.uint8)


def test_a_valid_map_breaks_no_rule(dungeons: dict[str, ModuleType]) -> None:
    assert dungeons["rules"].faults(parse(MAP, dungeons["rules"])) == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("#..###>#", "...###>#", "walls"),
        (" #.k.##L#", "##.k.##L#", "shell"),
        ("+..#", "+.+#", "doors"),
        ("+..#", "++.#", "doors"),
        ("<", ".", "stairs"),
        (".k.", ".k>", "stairs"),
        ("+", "#", "connected"),
        ("k", ".", "key"),
        (".k.", "kk.", "key"),
        ("#<..+..#\n #.k.##L#\n #..###>#", "#<..L.k#\n #...##.#\n #..###>#", "key"),
        ("L", ".", "key"),
    ],
)
def test_every_rule_can_be_broken(dungeons: dict[str, ModuleType], old: str, new: str, rule: str) -> None:
    assert old in MAP
    assert rule in dungeons["rules"].faults(parse(MAP.replace(old, new, 1), dungeons["rules"]))


def test_generated_maps_are_valid_and_depend_on_seed_and_number(dungeons: dict[str, ModuleType]) -> None:
    generate, rules = dungeons["generate"].generate, dungeons["rules"]
    found = [generate(1, number) for number in range(24)]
    for levels, kind in found:
        assert rules.faults(levels) == []
        assert rules.parts(levels) == (1, 1)
        assert kind in dungeons["generate"].KINDS
        assert levels.shape == (32, 32)
    assert np.array_equal(generate(1, 7)[0], found[7][0])
    assert not np.array_equal(generate(2, 7)[0], found[7][0])
    large, _ = generate(0, 0, (40, 64))
    assert large.shape == (40, 64)
    assert rules.faults(large) == []
    used = np.unique(np.stack([levels for levels, _ in found]))
    assert len(used) == len(rules.LEVELS)
    assert "valid      24 of 24" in rules.report(np.stack([levels for levels, _ in found]))


def test_captions_say_counts_of_the_map_and_training_sees_none_that_is_held_out(
    dungeons: dict[str, ModuleType],
) -> None:
    rules, generator = dungeons["rules"], dungeons["generate"]
    assert rules.counts(parse(MAP.replace("..+", "~c+"), rules)) == {"room": 0, "pond": 1, "chest": 1, "locked door": 1}
    said: dict[bool, set[tuple[object, ...]]] = {True: set(), False: set()}
    for number in range(24):
        levels, kind = generator.generate(1, number)
        for held_out in said:
            text = generator.caption(levels, kind, np.random.default_rng(number), held_out)
            counts = generator.counts_of(text)
            assert counts.items() <= rules.counts(levels).items()
            assert bool(text) == bool(counts) == text.startswith(f"{generator.PLACES[kind]} with ")
            said[held_out] |= {(kind, *sorted(counts.items()))} if text else set()
    assert said[True]
    assert said[False]
    assert not said[True] & said[False]
    text = "a cave with two rooms, one pond and no locked doors"
    assert generator.counts_of(text) == {"room": 2, "pond": 1, "locked door": 0}


def test_the_tileset_has_a_tile_for_each_level(dungeons: dict[str, ModuleType]) -> None:
    from pointillist.data.tilemaps import Tileset

    levels = dungeons["rules"].LEVELS
    tileset = Tileset.from_picture(dungeons["draw_tileset"].draw_tileset(), len(levels), "the tileset")
    assert tileset.tile_size == (16, 16)
    assert len(np.unique(tileset.tiles.reshape(len(levels), -1), axis=0)) == len(levels)
