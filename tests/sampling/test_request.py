"""A request resolves for every kind of model: a pixel model, and its integer program without torch."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import pointillist as pt
from pointillist.model.folder.opening import open_folder
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.request import Request
from pointillist.zoo import resolve
from tests.scripts import script

RULES = {"border": ["wall"]}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("digits", {}),
    "labels": ("digits", {"label": [3, None, 5], "guidance": 2.0}),
    "best of two": ("digits", {"label": 3, "best_of": 2, "temperature": 0.9}),
    "rules": ("dungeons", {"rules": RULES}),
}


def portable(name: str) -> ProgramModel:
    folder = resolve(name)
    assert folder is not None
    return open_folder(folder)


@pytest.mark.parametrize("case", CASES)
def test_without_torch_the_images_are_those_of_the_model(case: str) -> None:
    """Levels, nats, gain and tries to the bit, in batches."""
    name, keywords = CASES[case]
    draws = Request.of(3, seed=5, batch_size=2, **keywords).resolve(portable(name))
    expected = pt.sample(name, 3, seed=5, batch_size=2, engine="integer", **keywords)
    result = draws.sample()
    assert np.array_equal(result.levels, expected.levels)
    assert np.array_equal(result.nats, expected.nats)
    assert np.array_equal(result.labels, expected.labels)
    for one, other in ((result.gain, expected.gain), (result.tries, expected.tries)):
        assert (one is None) == (other is None)
        assert one is None or other is None or np.array_equal(one, other)
    assert (result.seed, result.engine, result.order) == (5, "integer", expected.order)


def test_a_prompt_climbs_seldom_on_its_way_down() -> None:
    """Six times on 2026-12-02, returns counted; see `tools/structure/climbs.py`."""
    climbs = script("structure/climbs")
    text = climbs.TEXT
    assert climbs.climbs(lambda: pt.sample("scenes", 1, text=text, seed=0), lambda x: x is text)[1] <= 6


def models() -> list[Any]:
    return [pt.load("digits"), portable("digits")]


@pytest.mark.parametrize("kind", range(2))
def test_a_model_satisfies_the_protocol(kind: int) -> None:
    """Any range of its images is drawn as it is in the whole."""
    model = models()[kind]
    assert isinstance(model, LikelihoodModel)
    draws = Request.of(4, [0, 1, 1, 0], seed=2, batch_size=2).resolve(model)
    whole, part = draws.sample(), draws.draw(2, 4)
    assert np.array_equal(part.levels, whole.levels[2:])
    assert whole.labels.tolist() == [0, 1, 1, 0]
    again = next(draws.stream(first=2))
    assert np.array_equal(again.nats, whole.nats[2:])
    assert np.array_equal(pt.sample(model, 4, [0, 1, 1, 0], seed=2).levels, whole.levels)


def test_a_table_of_conditions_for_each_image_is_read_as_lists_are() -> None:
    """With seeds of their own, as the studio asks for them."""
    model = portable("digits")
    tables = [{"label": 3}, {}, {"label": 5}]
    request = Request(n=3, conditions=tables, numbers=[(7, 0), (7, 1), (8, 4)])
    result = request.resolve(model).sample()
    assert result.labels.tolist() == [3, -1, 5]
    assert np.array_equal(result.levels[:2], pt.sample(model, 2, [3, None], seed=7).levels)
    assert np.array_equal(result.levels[2], pt.sample(model, 5, 5, seed=8).levels[4])


@pytest.mark.parametrize(
    ("name", "keywords"), [("digits", {"label": 3}), ("scenes", {"text": "a cat sitting on a red sofa"})]
)
def test_a_second_call_by_name_is_read_and_checked_once(name: str, keywords: dict[str, Any]) -> None:
    """It makes few calls of Python: 738 and 1,230 on 2026-12-02; with a sentence there were 61,600."""
    pt.sample(name, 1, seed=0, **keywords)
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        pt.sample(name, 1, seed=0, **keywords)
    finally:
        sys.setprofile(before)
    assert calls < 10_000
