"""Mutants of conditions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pointillist.conditioning import ConditionInputs, HintEncoder, LabelEncoder, MaskedValue, VectorEncoder
from pointillist.distributions import sampling_transforms
from pointillist.sampling.draws import Draws

from . import conditions
from .mutants import mutant
from .strategies import TEXTS, randomise_weights
from .test_law_conditions import with_every_condition


def conditioned(hint: Any = 2) -> Any:
    return with_every_condition("gated-pixelcnn", hint).eval()


def absent() -> None:
    conditions.check_absent_values_do_not_matter(conditioned())


@mutant("a hint matters where it is not known", absent)
def _(patch: pytest.MonkeyPatch) -> None:
    def forward(self: HintEncoder, part: MaskedValue) -> Tensor:
        x = self._embed(part.values, torch.ones_like(part.known))
        h = self.first(torch.cat([x, part.known.to(x.dtype)], 1))
        for layer in self.layers:
            h = h + layer(torch.relu(h))
        return h

    patch.setattr(HintEncoder, "forward", forward)


@mutant("unknown values are multiplied by zero, which leaves NaN", absent)
def _(patch: pytest.MonkeyPatch) -> None:
    def forward(self: VectorEncoder, part: MaskedValue) -> Tensor:
        known = part.known[:, None].double()
        features = self.second(torch.nn.functional.silu(self.first(part.values * known)))
        return (features * known + self.absent * (1 - known))[:, :, None, None]

    patch.setattr(VectorEncoder, "forward", forward)


@mutant("no vector is a vector of zeros", lambda: conditions.check_gradients_reach(conditioned()))
def _(patch: pytest.MonkeyPatch) -> None:
    def forward(self: VectorEncoder, part: MaskedValue) -> Tensor:
        values = torch.where(part.known[:, None], part.values, 0.0).double()
        return self.second(torch.nn.functional.silu(self.first(values)))[:, :, None, None]

    patch.setattr(VectorEncoder, "forward", forward)


@mutant(
    "no label is class 0",
    lambda: conditions.check_each_condition_matters(with_every_condition("gated-pixelcnn", None), points=1),
)
def _(patch: pytest.MonkeyPatch) -> None:
    def forward(self: LabelEncoder, part: MaskedValue) -> Tensor:
        return self.embedding(part.values * part.known)[:, :, None, None]

    patch.setattr(LabelEncoder, "forward", forward)


@mutant(
    "the unconditional half of guidance still knows the hint",
    lambda: conditions.check_ends_of_guidance(randomise_weights(conditioned(), 0.7)),
)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = ConditionInputs.unconditional

    def unconditional(self: ConditionInputs) -> ConditionInputs:
        return ConditionInputs(self.count, {**kept(self).parts, "hint": self.parts["hint"]})

    patch.setattr(ConditionInputs, "unconditional", unconditional)


@mutant("guidance mixes probabilities", lambda: conditions.check_guidance_is_the_formula(conditioned(), 0.5))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sampling_transforms, "apply_guidance", lambda c, u, g: torch.lerp(u.exp(), c.exp(), g).log())


@mutant("guidance is not renormalised", lambda: conditions.check_guidance_is_the_formula(conditioned(), 2.5))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sampling_transforms, "apply_guidance", lambda c, u, g: torch.lerp(u, c, g))


def negative() -> None:
    conditions.check_negative_prompt(randomise_weights(with_every_condition("gated-pixelcnn", text=TEXTS[2]), 0.7), 2.5)


@mutant("a negative prompt is ignored", negative)
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Draws, "reference", None)


@mutant("the reference of guidance loses the label where there is a negative prompt", negative)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = ConditionInputs.guidance_reference

    def reference(self: ConditionInputs, negative: ConditionInputs | None = None) -> ConditionInputs:
        result = kept(self, negative)
        if negative is None:
            return result
        label = result.parts["label"]
        unknown = replace(label, known=np.zeros_like(label.known))
        return ConditionInputs(result.count, {**result.parts, "label": unknown})

    patch.setattr(ConditionInputs, "guidance_reference", reference)


@mutant("every batch gets the conditions of the first one", lambda: conditions.check_batches(conditioned()))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = ConditionInputs.__getitem__

    def item(self: ConditionInputs, index: Any) -> ConditionInputs:
        return kept(self, slice(0, index.stop - index.start) if isinstance(index, slice) and index.stop else index)

    patch.setattr(ConditionInputs, "__getitem__", item)
