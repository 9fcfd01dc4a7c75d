"""A part of the sweep for silence, and what it must notice; see `sweep.py` for all."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pointillist as pt

from . import sampling
from .lab import LAWS, Lab, SilentError, listening, near, same
from .sweep import draw_law, run_case


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("silence")) as opened:
        yield opened


@pytest.mark.slow
@pytest.mark.proof
def test_nothing_disagrees_in_silence(lab: Lab) -> None:
    """Random laws, models and settings."""
    results = [run_case(lab, 7, number) for number in range(60)]
    assert not [(number, name, why) for number, (name, why) in enumerate(results) if why is not None]


def test_comparisons_notice_a_bit() -> None:
    """To the bit, by shape, by number, within rounding; a sentence is heard."""
    for one, other in (([1.0], [np.nextafter(1.0, 2)]), (np.zeros(3), np.zeros(2)), ([b"a"], [b"b"]), ([1], [1, 2])):
        with pytest.raises(SilentError):
            same(one, other, "these")
    same([np.arange(3), "a"], [np.arange(3), "a"], "those")
    near(1.0, 1.0 + 1e-9, "these", 1e-8)
    with pytest.raises(SilentError):
        near([100.0], [100.1], "these", 1e-4)
    with listening() as said:
        pt.sample("icons", 1, text="xylotypographer", seed=0)
    assert any("xylotypographer" in sentence for sentence in said)


def test_a_planted_error_is_a_disagreement(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An engine whose levels depend on the batch, and an option that is dropped; an exception is one too."""
    lab, original = Lab(tmp_path), pt.sample
    lab.__dict__["subjects"] = [sampling.Subject("digits", pt.load("digits"), bundled=True)]

    def by_batch(model: Any, n: int, **how: Any) -> Any:
        samples = original(model, n, **how)
        return samples if len(samples) < 2 else samples[::-1]

    def deaf(model: Any, n: int, **how: Any) -> Any:
        return original(model, n, seed=0, size=how.get("size"))

    for planted, name in ((by_batch, "sampling.batches"), (deaf, "sampling.one_change")):
        monkeypatch.setattr(pt, "sample", planted)
        assert any(run_case(lab, seed, 0, name)[1] is not None for seed in range(6)), name
    monkeypatch.setattr(pt, "sample", lambda *_, **__: 1 / 0)
    name, why = run_case(lab, 0, 0, "sampling.again")
    assert name == "sampling.again"
    assert why is not None
    assert "ZeroDivisionError" in why


def test_cases_are_those_of_their_numbers() -> None:
    """The same law by the same seed; each law is drawn."""
    names = [draw_law(random.Random(f"5 {number}")) for number in range(2000)]
    assert names[:9] == [draw_law(random.Random(f"5 {number}")) for number in range(9)]
    assert set(names) == set(LAWS)
