"""Mutants of conditions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from pointillist.conditioning import ConditionInputs, ImageConditionEncoder, LabelEncoder, MaskedValue, VectorEncoder
from pointillist.distributions import sampling_transforms

from . import conditions
from .mutants import mutant
from .strategies import randomise_weights
from .test_law_conditions import full


def listening(hint: Any = 2) -> Any:
    return full("gated-pixelcnn", hint).eval()


def hidden() -> None:
    conditions.check_nothing_hidden_is_heard(listening())


@mutant("a hint is heard where it is not known", hidden)
def _(patch: pytest.MonkeyPatch) -> None:
    def forward(self: ImageConditionEncoder, part: MaskedValue) -> Tensor:
        x = self._heard(part.values, torch.ones_like(part.known))
        h = self.first(torch.cat([x, part.known.to(x.dtype)], 1))
        for layer in self.layers:
            h = h + layer(torch.relu(h))
        return h

    patch.setattr(ImageConditionEncoder, "forward", forward)


@mutant("what is not known is multiplied by zero, which leaves NaN", hidden)
def _(patch: pytest.MonkeyPatch) -> None:
    def forward(self: VectorEncoder, part: MaskedValue) -> Tensor:
        known = part.known[:, None].double()
        heard = self.second(torch.nn.functional.silu(self.first(part.values * known)))
        return (heard * known + self.absent * (1 - known))[:, :, None, None]

    patch.setattr(VectorEncoder, "forward", forward)


@mutant("no vector is a vector of zeros", lambda: conditions.check_gradients_reach(listening()))
def _(patch: pytest.MonkeyPatch) -> None:
    def forward(self: VectorEncoder, part: MaskedValue) -> Tensor:
        values = torch.where(part.known[:, None], part.values, 0.0).double()
        return self.second(torch.nn.functional.silu(self.first(values)))[:, :, None, None]

    patch.setattr(VectorEncoder, "forward", forward)


@mutant("no label is class 0", lambda: conditions.check_each_is_heard(full("gated-pixelcnn", None), points=1))
def _(patch: pytest.MonkeyPatch) -> None:
    def forward(self: LabelEncoder, part: MaskedValue) -> Tensor:
        return self.embedding(part.values * part.known)[:, :, None, None]

    patch.setattr(LabelEncoder, "forward", forward)


@mutant(
    "the untold twin of guidance still knows the hint",
    lambda: conditions.check_ends_of_guidance(randomise_weights(listening(), 0.7)),
)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = ConditionInputs.untold

    def untold(self: ConditionInputs) -> ConditionInputs:
        return ConditionInputs(self.count, {**kept(self).parts, "hint": self.parts["hint"]})

    patch.setattr(ConditionInputs, "untold", untold)


@mutant("guidance mixes probabilities", lambda: conditions.check_guidance_is_the_formula(listening(), 0.5))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sampling_transforms, "apply_guidance", lambda c, u, g: torch.lerp(u.exp(), c.exp(), g).log())


@mutant("guidance is not renormalised", lambda: conditions.check_guidance_is_the_formula(listening(), 2.5))
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sampling_transforms, "apply_guidance", lambda c, u, g: torch.lerp(u, c, g))


@mutant("every batch is told what the first one is", lambda: conditions.check_batches(listening()))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = ConditionInputs.__getitem__

    def item(self: ConditionInputs, index: Any) -> ConditionInputs:
        return kept(self, slice(0, index.stop - index.start) if isinstance(index, slice) else index)

    patch.setattr(ConditionInputs, "__getitem__", item)
