"""Properties of conditions: each one matters, an absent one does not, and guidance follows its formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from pointillist.analysis.evaluation.likelihood import evaluate
from pointillist.conditioning import ConditionInputs, MaskedValue
from pointillist.distributions import sampling_transforms
from pointillist.distributions.likelihoods import inverse_cdf
from pointillist.distributions.transform import Transform
from pointillist.engine.weights import inference_mode
from pointillist.model.batches import guided_log_probs
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.api import sample
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.engines import Site, UniformSampler
from pointillist.sampling.loop import autoregressive_loop
from tests.equality import assert_close, equal
from tests.tolerances import DOUBLE, FORMULA

from .samplers import DISTINCT_ENGINES
from .strategies import random_conditions, random_inputs, random_levels, randomise_weights, replaced


def params_of(model: PixelModel, inputs: ConditionInputs, canvas: Tensor) -> Tensor:
    """Compute the outputs of the network for a canvas under conditions."""
    return model.outputs(canvas, model.encode(inputs, len(inputs)))


def random_canvas(model: PixelModel, count: int) -> Tensor:
    return torch.randn(count, model.dims.canvas, model.image.height, model.image.width, dtype=torch.float64)


def check_absent_values_do_not_matter(model: PixelModel) -> None:
    """Check that the values of an absent condition do not matter to the bit: not others, not NaN."""
    count = 3
    inputs, other = random_inputs(model, count), random_inputs(model, count)
    canvas = random_canvas(model, count)
    with torch.no_grad():
        before = params_of(model, inputs, canvas)
        for name, part in inputs.parts.items():
            known = part.known
            wide = known.reshape(*known.shape, *[1] * (part.values.ndim - known.ndim))
            if part.values.dtype.kind == "f":
                noise = np.full_like(part.values, np.nan)
            else:
                noise = other.parts[name].values
            perturbed = MaskedValue(np.where(wide, part.values, noise), known)
            after = params_of(model, ConditionInputs(count, {**inputs.parts, name: perturbed}), canvas)
            assert equal(before, after), f"values of `{name}` matter where they are absent"
            absent = ConditionInputs(count, {**inputs.parts, name: MaskedValue(noise, np.zeros_like(known))})
            dropped = ConditionInputs(count, {**inputs.parts, name: part.dropped(np.ones(count, bool))})
            assert equal(params_of(model, absent, canvas), params_of(model, dropped, canvas))


def check_each_condition_matters(model: PixelModel, points: int = 4) -> None:
    """Check that each condition changes the parameters of every image, with the others present and absent.

    Over up to `points` random weights, as a rectifier may be off for some of them.
    """
    for name in model.conditions.encoders:
        for others in (True, False):
            same = torch.ones(2, 3, dtype=torch.bool)
            for _ in range(points):
                same &= _same(randomise_weights(model, 0.3), name, others)
                if not bool(same.any()):
                    break
            for pair, images in zip(("two values", "a value and none", "another and none"), same.T, strict=True):
                assert not bool(images.any()), f"`{name}`: {pair} give the same parameters, others present: {others}"


def _same(model: PixelModel, name: str, others: bool) -> Tensor:
    """Compare the parameters of each image under one and another value, one and none, another and none."""
    inputs, other = random_inputs(model, 2), random_inputs(model, 2)
    values = {n: p.values for n, p in inputs.parts.items()}
    known = {n: np.full_like(p.known, others or n == name) for n, p in inputs.parts.items()}
    moved = other.parts[name].values if values[name].dtype.kind == "f" else (values[name] + 1) % 2
    one = ConditionInputs(2, {n: MaskedValue(values[n], known[n]) for n in values})
    two = ConditionInputs(2, {**one.parts, name: MaskedValue(moved, known[name])})
    none = ConditionInputs(2, {**one.parts, name: MaskedValue(moved, np.zeros_like(known[name]))})
    canvas = random_canvas(model, 2)
    with torch.no_grad():
        a, b, c = (params_of(model, t, canvas).flatten(1) for t in (one, two, none))
    return torch.stack([(x == y).all(1) for x, y in ((a, b), (a, c), (b, c))], 1)


def check_gradients_reach(model: PixelModel) -> None:
    """Check that every weight of every encoder gets a gradient, from images with and without the condition."""
    count = 4
    inputs = random_inputs(model, count)
    half = np.arange(count) < 2
    parts = {}
    for name, part in inputs.parts.items():
        rows = half.reshape(-1, *[1] * (part.known.ndim - 1))
        parts[name] = MaskedValue(part.values, np.broadcast_to(rows, part.known.shape))
    x = random_levels(model, count)
    loss = -model(x, ConditionInputs(count, parts)).sum()
    for name, encoder in model.conditions.encoders.items():
        weights = {name: weight for name, weight in encoder.named_parameters() if weight.requires_grad}
        gradients = torch.autograd.grad(loss, list(weights.values()), retain_graph=True, allow_unused=True)
        for weight, gradient in zip(weights, gradients, strict=True):
            assert gradient is not None, f"{name}.{weight} is not used"
            assert bool(gradient.any()), f"no gradient reaches {name}.{weight}"
            assert bool(gradient.isfinite().all())


def check_images_do_not_mix(model: PixelModel) -> None:
    """Check that the conditions of one image do not reach another."""
    inputs, other, canvas = random_inputs(model, 3), random_inputs(model, 3), random_canvas(model, 3)
    mixed = ConditionInputs.concat([inputs[:1], other[1:]])
    with torch.no_grad():
        a, b = params_of(model, inputs, canvas), params_of(model, mixed, canvas)
    assert_close(a[0], b[0], rtol=FORMULA, atol=FORMULA)


def check_guidance_is_the_formula(model: PixelModel, guidance: float) -> None:
    """Check that draws and scores are from log p_u + g (log p_c - log p_u), renormalised, at every sub-pixel."""
    count, (height, width) = 2, (model.image.height, model.image.width)
    inputs = model.conditions.inputs(count=count, size=(height, width), **random_conditions(model, count, sure=True))
    x = random_levels(model, count)
    chooser = UniformSampler(torch.rand(count, *x.shape[1:], dtype=torch.float64), Transform(guidance=guidance))
    tables: list[Tensor] = []
    wanted = torch.zeros(x.shape, dtype=torch.float64)

    def spy(log_probs: Tensor, uniforms: Tensor) -> Tensor:
        tables.append(log_probs)
        return inverse_cdf(log_probs, uniforms)

    def choose(site: Site, log_probs: Tensor) -> Tensor:
        conditional_log, unconditional_log = log_probs[:count], log_probs[count:]
        mixed = unconditional_log + guidance * (conditional_log - unconditional_log)
        tables.append(mixed - mixed.logsumexp(1, keepdim=True))
        chooser(site, log_probs)
        drawn = tables.pop()
        assert_close(drawn, tables.pop(), rtol=DOUBLE, atol=DOUBLE)
        levels = x[:, site.channel, site.row, site.column]
        wanted[:, site.channel, site.row, site.column] = drawn.gather(1, levels[:, None])[:, 0]
        return levels.repeat(2)

    with inference_mode(model), replaced(sampling_transforms, "inverse_cdf", spy):
        both = ConditionInputs.concat([inputs, inputs.guidance_reference()])
        autoregressive_loop(
            model, model.encode(both, 2 * count), choose, (2 * count, height, width), SamplingConfig(engine="numpy")
        )
        scorer = model.scorer("torch")
        assert_close(guided_log_probs(scorer, x.numpy(), inputs, (guidance,))[0], wanted, rtol=DOUBLE, atol=DOUBLE)
        one = x[:1].expand(count, -1, -1, -1).numpy()  # one unconditional pass serves both
        each = guided_log_probs(scorer, np.ascontiguousarray(one), inputs, (guidance,))[0]
        assert_close(guided_log_probs(scorer, one, inputs, (guidance,))[0], each, rtol=DOUBLE, atol=DOUBLE)


def check_ends_of_guidance(model: PixelModel) -> None:
    """Check that guidance 1 is the conditional model, image by image, and 0 that of its reference.

    The reference is unconditional; with a prompt it has the label alone.
    """
    conditions = random_conditions(model, 3, sure=True)
    how: dict[str, Any] = {"uniforms": np.random.default_rng(1).random((3, *model.image.shape))}
    label = {"label": conditions["label"]} if {"label", "text"} <= conditions.keys() else {}
    for engine in DISTINCT_ENGINES:
        how["engine"] = engine
        conditional, reference = sample(model, 3, **how, **conditions), sample(model, 3, **how, **label)
        assert equal(sample(model, 3, guidance=1.0, **how, **conditions).levels, conditional.levels)
        zero = sample(model, 3, guidance=0.0, **how, **conditions)
        assert equal(zero.levels, reference.levels), "guidance 0 is not the model of its reference"
        with torch.no_grad():
            scored = model.log_prob(zero.levels, **conditions)
        assert_close(zero.nats, scored.double(), rtol=DOUBLE, atol=DOUBLE)


def check_negative_prompt(model: PixelModel, guidance: float) -> None:
    """Check every engine's levels against log p_n + g (log p_c - log p_n), from two full passes over the image.

    The reference keeps the label. Without a negative prompt, and with an empty one, it has no prompt.
    """
    count, negative = 3, ["a red dragon", "", "two ships"]
    conditions = random_conditions(model, count, sure=True)
    uniforms = np.random.default_rng(4).random((count, *model.image.shape))
    how: dict[str, Any] = {"uniforms": uniforms, "guidance": guidance, **conditions}
    plain = sample(model, count, **how)
    assert equal(sample(model, count, negative_prompt=["", "", ""], **how).levels, plain.levels)
    inputs = model.conditions.inputs(count=count, **conditions)
    reference = model.conditions.inputs(conditions.get("label"), count, negative)
    for engine in DISTINCT_ENGINES:
        found = sample(model, count, negative_prompt=negative, batch_size=2, engine=engine, **how)
        assert equal(found.levels[1], plain.levels[1]), "an empty negative prompt is a condition"
        with torch.no_grad():
            passes = [
                model.outputs(model.canvas(found.torch()), model.encode(given, count)) for given in (inputs, reference)
            ]
            scored = model.log_prob(found.levels, **conditions)
        assert_close(found.nats, scored.double(), rtol=DOUBLE, atol=DOUBLE)
        for channel in range(model.image.channels):
            p_c, p_n = (model.likelihood.conditional(params, found.torch(), channel) for params in passes)
            mixed = (p_n + guidance * (p_c - p_n)).softmax(1)
            assert_close(mixed.sum(1), torch.ones_like(mixed[:, 0]))
            below = (mixed.cumsum(1) <= torch.from_numpy(uniforms[:, channel])[:, None]).sum(1)
            assert equal(below, found.levels[:, channel]), f"{engine} does not sample from the formula"


def check_batches(model: PixelModel) -> None:
    """Check that the conditions of an image do not depend on the batch it is sampled or scored in."""
    conditions = random_conditions(model, 4, sure=True)
    whole = sample(model, 4, seed=2, guidance=2.0, **conditions)
    parts = sample(model, 4, seed=2, guidance=2.0, batch_size=3, **conditions)
    assert equal(whole.levels, parts.levels)
    scores = [evaluate(model, whole.levels, batch_size=n, **conditions).nats_per_image for n in (4, 3)]
    np.testing.assert_allclose(scores[0], scores[1], rtol=DOUBLE)
    np.testing.assert_allclose(scores[0], -whole.nats, rtol=DOUBLE)
