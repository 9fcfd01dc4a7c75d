"""Mutants of a model that samples a small image first, and the rest conditioned on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import backbone, multiscale_pixelrnn
from pointillist.nn import Condition
from pointillist.nn.passes import FullPass
from pointillist.sampling import loop

from . import context, samplers, textbook
from .causal import check_no_leak
from .likelihood import check_normalised
from .mutants import Property, mutant
from .strategies import make_model, randomise_weights

NAME = "multiscale-pixelrnn"


def pair(size: tuple[int, int] = (4, 5), factor: int = 2, along: str = "diagonals", **how: Any) -> PixelModel:
    """A randomise_weights model of grey images with three levels, whose map does not reach all of the small image."""
    settings = {"factor": factor, "dilations": (), "layers": 1, "small_layers": 1, "along": along, "row_kernel": 1}
    return randomise_weights(make_model(NAME, ImageSpec.infer((1, *size), 3), settings, **how))


def no_leak() -> None:
    check_no_leak(pair(), 4, 5)


def normalised() -> None:
    check_normalised(pair((2, 3)), 2, 3)


def paper(size: tuple[int, int] = (4, 5), factor: int = 2, **how: Any) -> Property:
    return lambda: textbook.check_textbook(pair(size, factor, **how), *size)


def scored_as_sampled(engine: str = "numpy") -> Property:
    return lambda: samplers.check_scored_as_sampled(pair(), 4, 5, engine)


def _next(t: Tensor) -> Tensor:
    """Shift by one column to the left; the last column stands twice."""
    return torch.cat([t[..., 1:], t[..., -1:]], -1)


@mutant("the small image is an average, not a sample: it holds pixels that are sampled later", no_leak)
@mutant("the small image is an average, not a sample: nobody knows it when it is sampled", scored_as_sampled())
def _(patch: pytest.MonkeyPatch) -> None:
    kept = backbone.Stage.grid

    def averaged(self: Any, t: Tensor) -> Tensor:
        return kept(self, (t + _next(t)) / 2 if self.step > (1, 1) and t.is_floating_point() else t)

    patch.setattr(backbone.Stage, "grid", averaged)


@mutant("the map is computed from the whole image", no_leak)
@mutant("the map is computed from the whole image (sum over all images)", normalised)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = backbone.run_stages

    def peeking(own: Any, x: Tensor, ctx: Any, condition: Condition) -> Tensor:
        first, last = own
        told = lambda coarse, condition: last.condition(first.grid(x + _next(x)), condition)  # noqa: E731
        return kept((first, replace(last, condition=told)), x, ctx, condition)

    patch.setattr(multiscale_pixelrnn, "run_stages", peeking)


@mutant("copied pixels are counted twice: by the large network too", normalised)
@mutant("copied pixels are counted twice: but sampled once", scored_as_sampled())
def _(patch: pytest.MonkeyPatch) -> None:
    kept = PixelModel.log_prob_map

    def twice(self: PixelModel, x: Tensor, *how: Any, **further: Any) -> Tensor:
        x = self.check(x)
        nats = kept(self, x, *how, **further)
        last = self.stages(*x.shape[2:])[-1]
        coarse = self.stages(*x.shape[2:])[0].grid(self.canvas(x))
        params = last.network(self.canvas(x), FullPass(), last.condition(coarse, self.encode(None, len(x))))
        nats[:, :, ::2, ::2] += self.likelihood.log_prob(params, x)[:, :, ::2, ::2]
        return nats

    patch.setattr(PixelModel, "log_prob_map", twice)


@mutant("copied pixels are scored by the large network, which is conditioned on them", normalised)
@mutant("copied pixels are scored by the large network, which is conditioned on them (leak)", no_leak)
def _(patch: pytest.MonkeyPatch) -> None:
    def last_only(own: Any, x: Tensor, ctx: Any, condition: Condition) -> Tensor:
        first, last = own
        params: Tensor = last.network(x, ctx, last.condition(first.grid(x), condition))
        return params

    patch.setattr(multiscale_pixelrnn, "run_stages", last_only)


@mutant("copied pixels are drawn again in the large pass", scored_as_sampled())
def _(patch: pytest.MonkeyPatch) -> None:
    kept = loop._step_stage

    def forgetful(model: Any, stepper: Any, choose: Any, state: Any, step: tuple[int, int]) -> None:
        kept(model, stepper, choose, replace(state, known=torch.zeros_like(state.known)), step)

    patch.setattr(loop, "_step_stage", forgetful)


@mutant("copied pixels are kept, but the engine gets zeros", scored_as_sampled())
def _(patch: pytest.MonkeyPatch) -> None:
    kept = loop._step_stage

    def observe_zeros(model: Any, stepper: Any, choose: Any, state: Any, step: tuple[int, int]) -> None:
        before, mask = state.levels.clone(), state.known.clone()
        state.levels[:, :, mask] = 0
        kept(model, stepper, choose, state, step)
        state.levels[:, :, mask] = before[:, :, mask]

    patch.setattr(loop, "_step_stage", observe_zeros)


@mutant("the map is laid against the end of sides that the factor does not divide", paper((4, 5), 3))
@mutant("the map is laid against the end, as sets", lambda: context.check_context(pair((2, 9), 2, "rows"), 2, 9))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = multiscale_pixelrnn.Upsampler.forward

    def at_the_end(self: Any, small: Tensor, height: int, width: int) -> Tensor:
        whole = kept(self, small, 99, 99)
        return whole[:, :, whole.shape[2] - height :, whole.shape[3] - width :]

    patch.setattr(multiscale_pixelrnn.Upsampler, "forward", at_the_end)


@mutant("the small grid begins at the last row that fits, not at row 0", paper((4, 5), 3))
def _(patch: pytest.MonkeyPatch) -> None:
    def from_the_end(self: Any, t: Tensor) -> Tensor:
        return t.flip(-1, -2)[..., :: self.step[0], :: self.step[1]].flip(-1, -2)

    patch.setattr(backbone.Stage, "grid", from_the_end)


@mutant("the small image gets the corner of a map, not its sites", paper(position=True))
def _(patch: pytest.MonkeyPatch) -> None:
    def corner(self: Any, coarse: Tensor | None, condition: Condition) -> Condition:
        features = condition.map
        assert features is not None
        height, width = (-(-n // self.factor) for n in features.shape[2:])
        return replace(condition, map=features[:, :, :height, :width])

    patch.setattr(multiscale_pixelrnn.MultiscalePixelRNN, "_small_condition", corner)


@mutant("the large image is not conditioned on the small one", lambda: context.check_context(pair(), 4, 5))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = multiscale_pixelrnn.Upsampler.forward
    patch.setattr(multiscale_pixelrnn.Upsampler, "forward", lambda self, *how: kept(self, *how) * 0)
