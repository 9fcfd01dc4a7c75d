"""Contract of a kind of condition, from two values that a user may give: for kinds that are registered elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

import pointillist as pt
from pointillist.conditioning import ConditionInputs, MaskedValue
from tests.equality import assert_close, equal
from tests.tolerances import network_rounding


def check_condition(model: pt.PixelModel, keyword: str, one: Any, other: Any) -> None:
    """Check that a condition matters, that unknown values do not, and that all functions give one likelihood.

    Args:
        model: conditioned on it, in any state of its weights; its weights are randomised.
        keyword: under which a user gives the value.
        one, other: two values.
    """
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3)
    image = model.image
    x = torch.randint(0, image.levels, (2, *image.shape))
    first, second = (model.conditions.inputs(None, 2, **{keyword: value}) for value in (one, other))
    nats = [model.log_prob_of(x, inputs) for inputs in (first, second, first.unconditional())]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert not equal(nats[a], nats[b]), f"`{keyword}` does not reach the network"
    _check_unknown_values_do_not_matter(model, x, first, second)
    _check_gradients(model, x, first, keyword)
    mixed = ConditionInputs.concat([first[:1], second[1:]])
    within = network_rounding(model, *nats)
    assert_close(model.log_prob_of(x, mixed)[0], nats[0][0], rtol=0, atol=within)
    samples = pt.sample(model, 2, seed=0, **{keyword: one})
    scored = model.log_prob(torch.as_tensor(samples.levels), **{keyword: one})
    within = network_rounding(model, scored)
    assert_close(torch.as_tensor(samples.nats).double(), scored.double(), rtol=0, atol=within)


def _check_unknown_values_do_not_matter(
    model: pt.PixelModel, x: torch.Tensor, first: ConditionInputs, second: ConditionInputs
) -> None:
    unknown = first.unconditional()
    expected = model.log_prob_of(x, unknown)
    for name, value in unknown.parts.items():
        values = second.parts[name].values
        noise = np.full_like(values, np.nan) if values.dtype.kind == "f" else values
        spoilt = ConditionInputs(2, {**unknown.parts, name: MaskedValue(noise, value.known)})
        assert equal(model.log_prob_of(x, spoilt), expected), f"unknown values of `{name}` matter"


def _check_gradients(model: pt.PixelModel, x: torch.Tensor, inputs: ConditionInputs, keyword: str) -> None:
    half = np.arange(2) < 1
    parts = {n: v.dropped(half) for n, v in inputs.parts.items()}
    loss = -model(x, ConditionInputs(2, parts)).sum()
    for name, encoder in model.conditions.encoders.items():
        if model.conditions.readers[name].keyword == keyword:
            weights = dict(encoder.named_parameters())
            gradients = torch.autograd.grad(loss, list(weights.values()), retain_graph=True, allow_unused=True)
            for weight, gradient in zip(weights, gradients, strict=True):
                assert gradient is not None, f"{name}.{weight} is not used"
                assert bool(gradient.any()), f"no gradient reaches {name}.{weight}"
