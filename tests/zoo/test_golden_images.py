"""Golden images: every bundled model draws the same levels from the same uniforms, with every engine.

Integers are held to stored hashes, to the bit (`python -m tests.golden_images` writes them again). Engines in floating
point differ from one processor to another, where a uniform lies within rounding of an edge of the distribution. So each
of their levels is held to the distribution that the full pass computes in float64 from the levels before it.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

import pointillist as pt
from pointillist.conditioning import ConditionInputs
from pointillist.distributions.sampling_transforms import apply_guidance, apply_temperature_top_p
from pointillist.engine.weights import inference_mode
from pointillist.model.pixel_model import PixelModel
from tests.golden_images import (
    CASES,
    PATH,
    Case,
    condition_integers,
    digest,
    draw,
    integer_model,
    intervals,
    stored_integers,
)
from tests.tolerances import network_terms, rounding

pytestmark = pytest.mark.proof

ENTRIES: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
EVERY_CASE = pytest.mark.parametrize("name", list(CASES))


@cache
def painted(name: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Return the stored conditions of a case, and what compiled code draws under them."""
    inputs = stored_integers(CASES[name], ENTRIES[name])
    return inputs, draw(CASES[name], inputs, "compiled")


@EVERY_CASE
def test_compiled_code_draws_the_stored_levels(name: str) -> None:
    """Compare the hash of the levels."""
    assert digest(painted(name)[1]) == ENTRIES[name]["levels"]


def test_no_bundled_model_is_left_out() -> None:
    """Compare names; each model is drawn from as it is and under guidance, where it has conditions."""
    assert list(ENTRIES) == list(CASES)
    assert {case.model for case in CASES.values()} == {model.name for model in pt.list_pretrained()}
    guided = {case.model for case in CASES.values() if case.guided}
    assert guided == {name for name in {case.model for case in CASES.values()} if integer_model(name).parts[0]}


@pytest.mark.parametrize("executor", ["compiled", "numpy", "torch"])
@EVERY_CASE
def test_executors_compute_the_stored_intervals(name: str, executor: str) -> None:
    """In one pass over the stored image, so that the interval of each level holds the uniform that drew it."""
    case, (inputs, levels) = CASES[name], painted(name)
    starts, sizes = intervals(case, inputs, levels, executor)
    assert digest(np.stack([starts, sizes])) == ENTRIES[name]["intervals"]
    if not case.transformed:
        model = integer_model(case.model)
        target = np.floor(case.uniforms * 2 ** model.program(model.order(case.order)).head.precision)
        assert bool(((starts <= target) & (target < starts + sizes)).all())


@pytest.mark.slow
@pytest.mark.parametrize("executor", ["numpy", "torch"])
@EVERY_CASE
def test_executors_draw_the_stored_levels(name: str, executor: str) -> None:
    """Step by step, which takes as long as it says."""
    assert digest(draw(CASES[name], painted(name)[0], executor)) == ENTRIES[name]["levels"]


@pytest.mark.parametrize("name", [name for name in CASES if ENTRIES[name]["conditions"]])
def test_prompts_and_hints_become_the_stored_integers(name: str) -> None:
    """Learned words and hints to the bit; where floating point takes part, by 1 at most, between two integers."""
    computed, start = condition_integers(CASES[name]), {"vector": 0, "map": 0}
    stored = stored_integers(CASES[name], ENTRIES[name])
    for part in integer_model(CASES[name].model).parts[0]:
        width, begin = part.rows.shape[-1], start[part.kind]
        start[part.kind] += width
        channels = (..., slice(begin, begin + width))
        difference = abs(computed[part.kind][channels].astype(np.int64) - stored[part.kind][channels])
        in_floats = part.encoder is not None and part.name == "text"
        assert difference.max() <= in_floats
        assert np.mean(difference != 0) < 0.05


@EVERY_CASE
def test_python_draws_what_the_integer_model_draws(name: str) -> None:
    """`pt.sample(engine="integer")`, from the conditions as this processor rounds them."""
    case = CASES[name]
    samples = pt.sample(
        load(case.model),
        case.count,
        uniforms=case.uniforms,
        engine="integer",
        size=case.size,
        **case.conditions,
        **case.settings,
    )
    assert np.array_equal(samples.levels, draw(case, condition_integers(case), "compiled"))


def slow(*names: str) -> list[Any]:
    """List all cases; those named are slow."""
    return [pytest.param(name, marks=pytest.mark.slow if name in names else ()) for name in CASES]


QUICK = ("digits-labels", "dungeons", "dungeons-narrow", "outline-to-tile-hint")


@pytest.mark.parametrize("engine", ["numpy", "torch"])
@pytest.mark.parametrize("name", slow(*(name for name in CASES if name not in QUICK)))
def test_floats_draw_from_the_distribution(name: str, engine: str) -> None:
    """Engines `numpy` and `torch`."""
    check_engine(replace(CASES[name], top_p=1.0), engine)


@pytest.mark.parametrize("name", ["dungeons-narrow", "outline-to-tile-hint"])
def test_full_forwards_draw_from_the_distribution(name: str) -> None:
    """Engine `naive`, for models that paint any size: it takes a minute for each of the others."""
    check_engine(replace(CASES[name], size=(6, 5), count=1), "naive")


def test_a_shifted_level_is_noticed() -> None:
    """An image whose levels are those of other uniforms fails the criterion in floating point."""
    case = CASES["dungeons-narrow"]
    with pytest.raises(AssertionError, match="drawn by numpy"):
        check_engine(case, "numpy", uniforms=np.random.default_rng(0).random(case.shape))


@cache
def load(name: str) -> PixelModel:
    """Open a bundled model once."""
    return pt.load(name).eval()


@cache
def load_double(name: str) -> PixelModel:
    """Open a bundled model once, in float64."""
    return pt.load(name).eval().double()


def check_engine(case: Case, engine: str, uniforms: np.ndarray | None = None) -> None:
    """Check each level that an engine draws against the distribution in float64, given the levels before it.

    Args:
        uniforms: those that the levels are held to; None for those that they are drawn from.
    """
    drawn = pt.sample(
        load(case.model),
        case.count,
        uniforms=case.uniforms,
        engine=engine,
        size=case.size,
        **case.conditions,
        **case.settings,
    )
    assert drawn.engine == engine
    levels = drawn.torch()
    cdf, within = distribution(case, levels)
    u = torch.from_numpy(case.uniforms if uniforms is None else uniforms)[:, 0]
    upper = cdf.gather(1, levels)[:, 0]
    lower = torch.cat([torch.zeros_like(cdf[:, :1]), cdf], 1).gather(1, levels)[:, 0]
    wrong = (u < lower - within) | (u >= upper + within)
    assert not wrong.any(), f"{int(wrong.sum())} levels drawn by {engine} are not those of the distribution"


def distribution(case: Case, levels: torch.Tensor) -> tuple[torch.Tensor, float]:
    """Compute the cumulative distribution at each pixel in float64, and how far one in float32 may be from it."""
    model = load_double(case.model)
    inputs = model.conditions.inputs(count=case.count, size=case.shape[2:], **case.conditions)
    order = model.order(case.order)
    with inference_mode(model):
        both = [inputs, inputs.guidance_reference()] if case.guided else [inputs]
        x = levels.repeat(len(both), 1, 1, 1)
        params = model.outputs(
            model.canvas(x), model.encode(ConditionInputs.concat(both), len(x), case.shape[2:]), order
        )
        table = model.likelihood.conditional(params, x, 0)
        table = table.permute(0, 2, 3, 1).flatten(0, 2)
        if case.guided:
            table = apply_guidance(*table.chunk(2), case.guidance)
        table = apply_temperature_top_p(table, case.temperature, case.top_p)
    scale = (abs(case.guidance) + abs(1 - case.guidance)) / case.temperature  # what multiplies the logits
    within = rounding(params * scale, terms=network_terms(model), dtype=torch.float32)
    cdf = table.exp().cumsum(1).unflatten(0, (case.count, *case.shape[2:])).movedim(-1, 1)
    return cdf, within
