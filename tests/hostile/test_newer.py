"""A part of the sweep of newer roads; see `newer.py` for all."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import pointillist as pt

from .newer import run_case
from .newer_programs import is_sentence
from .newer_world import HostileError, World

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
CASES = 150
"""Cases of the proofs."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with World(tmp_path_factory.mktemp("newer")) as opened:
        yield opened


@pytest.mark.slow
def test_every_end_is_a_sentence(world: World) -> None:
    """Of random kinds, with seeds."""
    results = [run_case(world, 7, number) for number in range(CASES)]
    assert not [(number, name, why) for number, (name, why) in enumerate(results) if why is not None]


@pytest.mark.slow
def test_what_counts_as_a_failure(world: World) -> None:
    """A bare error of Python, half a sentence of JavaScript, a file that is left."""

    def bare() -> None:
        raise TypeError("unhashable type: 'list'")

    def refused() -> None:
        raise pt.ConfigError("`n` (=0) must be at least 1.")

    world.guess(refused, "refused")
    for call in (bare, lambda: [][0]):
        with pytest.raises((HostileError, IndexError)):
            world.guess(call, "bare")
    assert is_sentence("There is no label 99: choose from 1, 2.")
    assert not is_sentence("Cannot read properties of undefined (reading 'length').")
    (world.folder / "left.txt").write_text("")
    with pytest.raises(HostileError, match=r"left left\.txt"):
        world.command(["info", "missing.png"])
    world.clean()
    assert world.left() == []
