"""Mutants of likelihoods, samplers and evaluation.

Numbers P3, P4, ... are those of the pitfalls that this project collected from published code.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pointillist.analysis.evaluation import likelihood as evaluation
from pointillist.distributions import likelihoods, sampling_transforms
from pointillist.distributions.likelihoods import DiscretizedLogisticMixture
from pointillist.engine.interpreter import Interpreter
from pointillist.engine.naive import NaiveStepper
from pointillist.images import ImageSpec
from pointillist.sampling import loop as sampling

from . import evaluation_law, likelihood, samplers, sampling_transforms_law
from .mutants import mutant, tiny
from .strategies import make_model, randomise_weights


def mixture(channels: int = 3, levels: int = 8) -> DiscretizedLogisticMixture:
    return DiscretizedLogisticMixture(channels, levels, 2)


# ---- likelihoods ----


def _components(bits: int | None, *, tails: bool) -> Any:
    """The bin of a level as a plain difference, with a bin width of its own, with or without tails."""

    def components(self: Any, params: Tensor, x: Tensor, channel: int, values: Tensor) -> Tensor:
        mean, log_scale = self._mean_and_scale(params, x, channel)
        inverse = torch.exp(-log_scale).unsqueeze(2)
        distance = (self._scaled(values, params.dtype).unsqueeze(1) - mean.unsqueeze(2)) * inverse
        half = inverse / ((self.levels if bits is None else 2**bits) - 1)
        upper, lower = torch.sigmoid(distance + half), torch.sigmoid(distance - half)
        if tails:
            upper = torch.where(values.unsqueeze(1) == self.levels - 1, 1.0, upper)
            lower = torch.where(values.unsqueeze(1) == 0, 0.0, lower)
        return torch.log((upper - lower).clamp(min=1e-300))

    return components


@mutant("P11: the edge levels do not own the tails", lambda: likelihood.check_joint(mixture()))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(DiscretizedLogisticMixture, "_components", _components(None, tails=False))


@mutant("P11: the bin width of 8 bits at every depth", lambda: likelihood.check_consistent(mixture(1, 32)))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(DiscretizedLogisticMixture, "_components", _components(8, tails=True))


@mutant("P11: far bins are differences of equal numbers, clamped", lambda: likelihood.check_extremes(mixture(1, 256)))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(DiscretizedLogisticMixture, "_components", _components(None, tails=True))


@mutant("P11: gamma b for gamma g (published values)", lambda: likelihood.check_mixture_values(mixture()))
@mutant("P11: gamma b for gamma g (later channels)", lambda: likelihood.check_later_channels_are_not_used(mixture()))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = DiscretizedLogisticMixture._mean_and_scale

    def own_value(self: Any, params: Tensor, x: Tensor, channel: int) -> Any:
        return kept(self, params, x[:, channel : channel + 1].expand_as(x), channel)

    patch.setattr(DiscretizedLogisticMixture, "_mean_and_scale", own_value)


@mutant("P12: channels are drawn with the prior weights of the mixture", lambda: likelihood.check_consistent(mixture()))
@mutant("P12: the same, seen in draws", lambda: likelihood.check_draws(mixture(3, 4), 20_000))
def _(patch: pytest.MonkeyPatch) -> None:
    def prior(self: Any, params: Tensor, x: Tensor, channel: int) -> Tensor:
        weights = params[:, : self.mixtures].log_softmax(1).unsqueeze(2)
        levels = torch.arange(self.levels).view(1, -1, 1, 1)
        return (weights + self._components(params, x, channel, levels)).logsumexp(1)

    patch.setattr(DiscretizedLogisticMixture, "conditional", prior)


# ---- samplers ----


@mutant("P12: what was drawn is not rounded to a level before it is fed back", lambda: _scored(engine="naive"))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = NaiveStepper.observe

    def unrounded(self: Any, levels: np.ndarray) -> None:
        self._values = self._values + 0.1
        kept(self, levels)

    patch.setattr(NaiveStepper, "observe", unrounded)


def _scored(engine: str, **how: Any) -> None:
    samplers.check_scored_as_sampled(tiny("gated-pixelcnn", labels=True), 3, 4, engine=engine, **how)


@mutant("P12: the likeliest level is taken, not drawn", lambda: _sampled("naive"))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sampling_transforms, "inverse_cdf", lambda log_probs, uniforms: log_probs.argmax(1))


def _sampled(engine: str) -> None:
    model = randomise_weights(make_model("pixelcnn", ImageSpec.infer((1, 1, 3), 3)))
    samplers.check_sample_frequencies(model, 1, 3, engine)


@mutant("P12: uniforms are clipped", sampling_transforms_law.check_inverse_cdf)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = likelihoods.inverse_cdf
    patch.setattr(likelihoods, "inverse_cdf", lambda log_probs, u: kept(log_probs, u.clamp(1e-5, 1 - 1e-5)))


@mutant("P12: temperature multiplies", sampling_transforms_law.check_temperature)
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        sampling_transforms, "apply_temperature_top_p", lambda log_probs, t, top_p: (log_probs * t).log_softmax(1)
    )


@mutant("P12: top-p drops the level that crosses the sum", sampling_transforms_law.check_top_p)
def _(patch: pytest.MonkeyPatch) -> None:
    def sharpen(log_probs: Tensor, temperature: float, top_p: float) -> Tensor:
        ordered, index = log_probs.sort(dim=1, descending=True)
        cut = torch.zeros_like(log_probs, dtype=torch.bool).scatter(1, index, ordered.exp().cumsum(1) > top_p)
        return log_probs.masked_fill(cut, -torch.inf).log_softmax(1)

    patch.setattr(sampling_transforms, "apply_temperature_top_p", sharpen)


@mutant("P12: guidance is not renormalised", sampling_transforms_law.check_guidance)
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sampling_transforms, "apply_guidance", lambda c, u, guidance: torch.lerp(u, c, guidance))


@mutant("samples are scored with the guided probabilities", lambda: _scored("naive", label="dog", guidance=3.0))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = sampling.UniformSampler.__call__

    def guided(self: Any, site: Any, log_probs: Tensor) -> Tensor:
        levels = kept(self, site, log_probs)
        count = len(self.uniforms)
        conditional = log_probs[:count]
        wanted = sampling_transforms.apply_guidance(conditional, log_probs[count:], self.transform.guidance)
        self.nats += (wanted - conditional).gather(1, levels[:count, None])[:, 0]
        return levels

    patch.setattr(sampling.UniformSampler, "__call__", guided)


@mutant("P13: the fast engine stores something else than what was drawn", lambda: _equal(1))
@mutant("P13: the same, seen in the image", lambda: samplers.check_same_image(tiny("pixelcnn"), 3, 4))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = Interpreter.observe
    patch.setattr(Interpreter, "observe", lambda self, values: kept(self, values * (self.site[1] > 0)))


def _equal(channels: int) -> None:
    samplers.check_engine_equals_full(tiny("gated-pixelcnn", channels), 3, 4)


# ---- evaluation ----


def _evaluated() -> None:
    evaluation_law.check_evaluation(tiny("pixelcnn", channels=1))


@mutant("P10: the last, partial batch is dropped", _evaluated)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = evaluation.BatchReader

    def reader(*args: Any, **kwargs: Any) -> Any:
        found = kept(*args, **kwargs)
        found.count = found.count // 4 * 4
        return found

    patch.setattr(evaluation, "BatchReader", reader)


@mutant("P10: means of unequal batches are averaged", _evaluated)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = evaluation.Evaluation.of

    def of(nats: np.ndarray, dims: int, **facts: Any) -> evaluation.Evaluation:
        means = np.array([nats[i : i + 4].mean() for i in range(0, len(nats), 4)])
        wrong = kept(means, dims)
        return replace(kept(nats, dims, **facts), nats=wrong.nats, bits_per_dim=wrong.bits_per_dim)

    patch.setattr(evaluation.Evaluation, "of", of)


@mutant("P10: nats are reported as bits", lambda: evaluation_law.check_known_entropy(tiny("pixelcnn")))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = evaluation.Evaluation.of

    def of(nats: np.ndarray, dims: int, **facts: Any) -> evaluation.Evaluation:
        whole = kept(nats, dims, **facts)
        return replace(whole, bits_per_dim=whole.nats / dims)

    patch.setattr(evaluation.Evaluation, "of", of)
