"""Mutants that make one function report another likelihood than the model's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from pointillist.analysis.query import ImageQuery
from pointillist.conditioning import ConditionInputs, MaskedValue
from pointillist.distributions.factored import FactoredCategorical
from pointillist.distributions.likelihoods import build_likelihood
from pointillist.engine import sampler
from pointillist.images import ImageSpec
from pointillist.model import batches
from pointillist.model.batches import BatchReader
from pointillist.model.pixel_model import PixelModel
from pointillist.model.portable import likelihood as portable
from pointillist.sampling.engines import UniformSampler
from tests.portable.networks import integer_case

from .likelihood import check_likelihood
from .mutants import mutant
from .one_likelihood import check_data_set, check_one_integer_likelihood, check_one_likelihood
from .strategies import TEXTS, random_conditions
from .test_law_one_likelihood import everything, small
from .text_encoder import random_text_encoder


def one_likelihood() -> None:
    model = small("gated-pixelcnn", **everything())
    check_one_likelihood(model, random_conditions(model, 2, sure=True))


def of_data() -> None:
    with random_text_encoder(TEXTS[1]):
        check_data_set(small("pixelcnn", labels=True, text=TEXTS[1]))


def unconditional() -> None:
    check_one_likelihood(small("pixelcnn"), {})


@mutant("the cost of a latent is added to the nats of samples alone", unconditional)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = UniformSampler.__init__

    def init(self: Any, *how: Any) -> None:
        kept(self, *how)
        self.nats -= math.log(8)

    patch.setattr(UniformSampler, "__init__", init)


@mutant("the cost of a latent is added to evaluation alone", unconditional)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = batches.guided_log_likelihoods
    patch.setattr(batches, "guided_log_likelihoods", lambda *how, **more: [n - math.log(8) for n in kept(*how, **more)])


@mutant("the cost of a latent is left out of the map alone", unconditional)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = PixelModel.log_prob
    patch.setattr(PixelModel, "log_prob", lambda self, *how, **more: kept(self, *how, **more) - math.log(8))


def _without(inputs: ConditionInputs, name: str) -> ConditionInputs:
    value = inputs.parts[name]
    absent = MaskedValue(value.values, np.zeros_like(value.known))
    return ConditionInputs(len(inputs), {**inputs.parts, name: absent})


@mutant("evaluation drops the label", one_likelihood)
@mutant("evaluation of a data set drops the label", of_data)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = batches.guided_log_likelihoods

    def without_label(model: PixelModel, x: Tensor, inputs: ConditionInputs, *how: Any) -> list[Tensor]:
        return kept(model, x, _without(inputs, "label"), *how)

    patch.setattr(batches, "guided_log_likelihoods", without_label)


@mutant("evaluation gives every image the hint of the first", one_likelihood)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = batches.guided_log_likelihoods

    def one_hint(model: PixelModel, x: Tensor, inputs: ConditionInputs, *how: Any) -> list[Tensor]:
        value = inputs.parts["hint"]
        first = MaskedValue(np.ones_like(value.values), value.known)
        return kept(model, x, ConditionInputs(len(inputs), {**inputs.parts, "hint": first}), *how)

    patch.setattr(batches, "guided_log_likelihoods", one_hint)


@mutant("explain ignores the text", one_likelihood)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = ImageQuery.of
    patch.setattr(ImageQuery, "of", lambda model, image, label=None, text=None, **how: kept(model, image, label, **how))


@mutant(
    "explain ignores the order", lambda: check_one_likelihood(small("pixelcnn", orders=("raster", "raster-tr")), {})
)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = ImageQuery.of
    patch.setattr(ImageQuery, "of", lambda *image, order=None, **how: kept(*image, **how))


@mutant("explain clips the surprisal of a sub-pixel", unconditional)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = ImageQuery.log_probs.func  # type: ignore[attr-defined]
    patch.setattr(ImageQuery, "log_probs", property(lambda self: kept(self).clip(min=-2.0)))


def integer() -> None:
    check_one_integer_likelihood(integer_case("gated-pixelcnn")[0], {"label": ["cat", "dog", None]}, count=3)


@mutant("nats of samples are added in another order than those of scores", integer)
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sampler, "sum_images", lambda values: values.reshape(len(values), -1)[:, ::-1].cumsum(1)[:, -1])


@mutant("scores take another logarithm than samples", integer)
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(portable, "log_probs", lambda sizes, precision: np.log(sizes) - precision * np.log(2.0))


@mutant("a model with an integer program is evaluated in floating point", integer)
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(BatchReader, "open_scorer", lambda reader, batch_size: reader.model)


@mutant("explain shows the distributions of the network", integer)
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ImageQuery, "scorer", property(lambda self: self.model))


def factored() -> None:
    image = ImageSpec(channels=2, height=1, width=1, levels=11, ordered=False)
    check_likelihood(build_likelihood("factored", image, mixtures=3))


@mutant("levels that do not exist keep their probability in two factors", factored)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = FactoredCategorical._factors

    def whole(self: FactoredCategorical, params: Tensor, channel: int) -> tuple[Tensor, ...]:
        weights, high, low, _ = kept(self, params, channel)
        return weights, high, low, low

    patch.setattr(FactoredCategorical, "_factors", whole)


@mutant("the high and the low digit of a level are exchanged", factored)
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FactoredCategorical, "_split", lambda self, levels: (levels % self.high, levels // self.high))


@mutant("the components of two factors have equal weights, for all levels at once", factored)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = FactoredCategorical.conditional

    def equal(self: FactoredCategorical, params: Tensor, x: Tensor, channel: int) -> Tensor:
        own = params.clone()
        first = channel * self.mixtures * (1 + self.high + self.low)
        own[:, first : first + self.mixtures] = 0
        return kept(self, own, x, channel)

    patch.setattr(FactoredCategorical, "conditional", equal)
