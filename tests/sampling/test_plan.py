"""One plan of samples for every kind of model: a pixel model, and its integer program without torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import pointillist as pt
from pointillist.model.folder.portable import PortableModel
from pointillist.model.protocols import GenerativeModel
from pointillist.sampling.api import SamplePlan
from pointillist.zoo import resolve

RULES = {"border": ["wall"]}
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "plain": ("digits", {}),
    "labels": ("digits", {"label": [3, None, 5], "guidance": 2.0}),
    "best of two": ("digits", {"label": 3, "best_of": 2, "temperature": 0.9}),
    "rules": ("dungeons", {"rules": RULES}),
}


def portable(name: str) -> PortableModel:
    folder = resolve(name)
    assert folder is not None
    return PortableModel.open(folder)


@pytest.mark.parametrize("case", CASES)
def test_without_torch_the_images_are_those_of_the_model(case: str) -> None:
    """Levels, nats, gain and tries to the bit, in batches."""
    name, keywords = CASES[case]
    plan = SamplePlan.of(portable(name), 3, seed=5, batch_size=2, **keywords)
    expected = pt.sample(name, 3, seed=5, batch_size=2, engine="integer", **keywords)
    result = plan.sample()
    assert np.array_equal(result.levels, expected.levels)
    assert np.array_equal(result.nats, expected.nats)
    assert np.array_equal(result.labels, expected.labels)
    for one, other in ((result.gain, expected.gain), (result.tries, expected.tries)):
        assert (one is None) == (other is None)
        assert one is None or other is None or np.array_equal(one, other)
    assert (result.seed, result.engine, result.order) == (5, "integer", expected.order)


def models() -> list[Any]:
    return [pt.load("digits"), portable("digits")]


@pytest.mark.parametrize("kind", range(2))
def test_a_model_satisfies_the_protocol(kind: int) -> None:
    """Any range is drawn with the same bits as among all images."""
    model = models()[kind]
    assert isinstance(model, GenerativeModel)
    plan = SamplePlan.of(model, 4, [0, 1, 1, 0], seed=2, batch_size=2)
    whole, part = plan.sample(), plan.draw(2, 4)
    assert np.array_equal(part.levels, whole.levels[2:])
    assert whole.labels.tolist() == [0, 1, 1, 0]
    again = next(plan.stream(first=2))
    assert np.array_equal(again.nats, whole.nats[2:])
    assert np.array_equal(pt.sample(model, 4, [0, 1, 1, 0], seed=2).levels, whole.levels)
