"""Guidance without conditions changes nothing: every call of Python says so, in the sentence of the commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import pointillist as pt
from pointillist.completion.canvas import extend, make_seamless
from pointillist.sampling.inversion import recover_uniforms
from tests.equality import equal
from tests.laws.strategies import randomise_weights

LEVELS = np.zeros((1, 4, 4), np.int64)
KNOWN = np.tri(4, dtype=bool)
CALLS: dict[str, Callable[..., Any]] = {
    "sample": lambda model, **how: pt.sample(model, 2, seed=0, **how),
    "sample_seamless": lambda model, **how: pt.sample_seamless(model, 2, seed=0, **how),
    "inpaint": lambda model, **how: pt.inpaint(model, LEVELS, KNOWN, 2, seed=0, **how),
    "vary": lambda model, **how: pt.vary(model, LEVELS, 0.5, 2, seed=0, **how),
    "extend": lambda model, **how: extend(model, LEVELS, (4, 6), seed=0, **how),
    "make_seamless": lambda model, **how: make_seamless(model, LEVELS, "x", 2, seed=0, **how),
    "recover_uniforms": lambda model, **how: recover_uniforms(model, LEVELS, **how),
    "evaluate": lambda model, **how: pt.evaluate(model, LEVELS[None], **how),
}


def built(**conditions: Any) -> pt.PixelModel:
    """A model of random weights."""
    return randomise_weights(pt.build("gated-pixelcnn", shape=(1, 4, 4), levels=3, channels=4, layers=1, **conditions))


@pytest.mark.parametrize("guidance", [0, 2.5])
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_guidance_without_conditions_is_refused(call: Callable[..., Any], guidance: float) -> None:
    """The remedy is a condition that the model takes; with one, the call works."""
    model = built(classes=["cat", "dog"])
    sentence = rf"^`guidance` \(={guidance}\) changes nothing without `label`: add that, or leave it out\.$"
    for nothing in ({}, {"label": None}):
        with pytest.raises(pt.ConfigError, match=sentence):
            call(model, guidance=guidance, **nothing)
    call(model, guidance=guidance, label="dog")
    call(model, guidance=1)
    with pytest.raises(pt.ConfigError, match=r"changes nothing in a model without conditions: leave it out\.$"):
        call(built(), guidance=guidance)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_the_guidance_of_a_model_is_no_guidance_of_the_user(call: Callable[..., Any]) -> None:
    """A model whose own guidance is 3 is sampled without conditions as before."""
    model = built(classes=["cat", "dog"])
    model.generation_config = pt.GenerationConfig(guidance=3.0)
    call(model)


def test_a_negative_prompt_is_enough() -> None:
    """It is what guidance leads away from; an empty one is not, nor an empty prompt."""
    plain = pt.sample("scenes", 1, seed=0, temperature=1.0)
    away = pt.sample("scenes", 1, seed=0, temperature=1.0, guidance=2.0, negative_prompt="a cat at night")
    assert not equal(away.levels, plain.levels)
    for empty in ({"negative_prompt": " "}, {"text": ""}):
        with pytest.raises(pt.ConfigError, match="changes nothing without `label` or `text`"):
            pt.sample("scenes", 1, guidance=2.0, **empty)
