"""Laws of endless maps: a tile is that of its place, whatever was visited before, by whatever program."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

import pointillist as pt

from .lab import Lab, SilentError, law, same

RULES: list[Any] = [None, None, {"adjacency": "observed"}, {"border": ["wall"]}]


def drawn(rng: random.Random) -> dict[str, Any]:
    """Return random settings of a world with small chunks."""
    chunk = rng.choice([8, 10, 12])
    return {"chunk_size": chunk, "margin": rng.choice([2, 4, chunk // 2]), "rules": rng.choice(RULES[:3])}


@law(3)
def visits(rng: random.Random, lab: Lab) -> None:
    """Tiles of a rectangle are those of a larger one, in another order of visits, with hardly a memory."""
    how, seed = drawn(rng), rng.choice([rng.randrange(99), rng.randrange(2**53)])
    row, column, height, width = (rng.randint(-30, 30), rng.randint(-30, 30), rng.randint(1, 16), rng.randint(1, 16))
    first = pt.World("dungeons", seed, **how).tiles(row, column, height, width)
    other = pt.World(lab["dungeons"].model, seed, **how, remembered=rng.choice([1, 64]))
    for _ in range(2):
        other.chunk(rng.randint(-2, 2), rng.randint(-2, 2))
    larger = other.tiles(row - 3, column - 2, height + 5, width + 4)
    same(first, larger[3 : 3 + height, 2 : 2 + width], f"world {seed} {how} at {row}, {column}")


@law(2)
def another_world(rng: random.Random, lab: Lab) -> None:
    """Another seed or size of chunks, or rules that bind, is another world."""
    how, seed = drawn(rng), rng.randrange(2**53)
    first = pt.World("dungeons", seed, **how).tiles(-8, -8, 20, 20)
    change = rng.choice([{"seed": seed ^ 1}, {"chunk_size": how["chunk_size"] + 4}])
    changed = {"seed": seed, **how, **change}
    other = pt.World("dungeons", **changed).tiles(-8, -8, 20, 20)
    if np.array_equal(first, other):
        raise SilentError(f"world {seed} {how}: {change} changes nothing")


@law(2)
def in_javascript(rng: random.Random, lab: Lab) -> None:
    """The module draws the world of Python, with rules too."""
    how, seed = drawn(rng), rng.randrange(2**53)
    place = [rng.randint(-20, 20), rng.randint(-20, 20), rng.randint(1, 14), rng.randint(1, 14)]
    settings = {"seed": seed, "chunkSize": how["chunk_size"], "margin": how["margin"], "rules": how["rules"]}
    answer = lab.module(lab["dungeons"]).ask(world=settings, tiles=place)
    if "error" in answer:
        raise SilentError(f"world {settings} at {place} in JavaScript: {answer['error']}")
    expected = pt.World("dungeons", seed, **how).tiles(*place)
    same(expected.reshape(-1), answer["levels"], f"world {settings} at {place} in JavaScript")
