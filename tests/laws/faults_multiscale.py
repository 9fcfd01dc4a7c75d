"""Faults of a model that paints a small image first, and the rest told of it."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from typing import Any

import pytest
import torch
from torch import Tensor

from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import multiscale_pixelrnn, stages
from pointillist.nn import Condition
from pointillist.nn.passes import FullPass
from pointillist.sampling import loop

from . import context, samplers, textbook
from .causal import check_no_leak
from .faults import Law, fault
from .likelihood import check_normalised
from .strategies import dirty, make_model

NAME = "multiscale-pixelrnn"


def pair(size: tuple[int, int] = (4, 5), factor: int = 2, along: str = "diagonals", **how: Any) -> PixelModel:
    """A dirty model of grey images with three levels, whose map does not reach all of the small image."""
    settings = {"factor": factor, "dilations": (), "layers": 1, "small_layers": 1, "along": along, "row_kernel": 1}
    return dirty(make_model(NAME, ImageSpec.infer((1, *size), 3), settings, **how))


def no_leak() -> None:
    check_no_leak(pair(), 4, 5)


def normalised() -> None:
    check_normalised(pair((2, 3)), 2, 3)


def paper(size: tuple[int, int] = (4, 5), factor: int = 2, **how: Any) -> Law:
    return lambda: textbook.check_textbook(pair(size, factor, **how), *size)


def scored_as_painted(engine: str = "numpy") -> Law:
    return lambda: samplers.check_scored_as_painted(pair(), 4, 5, engine)


compiled = scored_as_painted("cpu") if find_spec("numba") else None


def _next(t: Tensor) -> Tensor:
    """What stands right of each site; the last column twice."""
    return torch.cat([t[..., 1:], t[..., -1:]], -1)


@fault("the small image is an average, not a sample: it holds pixels that are painted later", no_leak)
@fault("the small image is an average, not a sample: nobody knows it when it is painted", scored_as_painted())
def _(patch: pytest.MonkeyPatch) -> None:
    kept = stages.Stage.grid

    def averaged(self: Any, t: Tensor) -> Tensor:
        return kept(self, (t + _next(t)) / 2 if self.step > 1 and t.is_floating_point() else t)

    patch.setattr(stages.Stage, "grid", averaged)


@fault("the map is computed from the whole image", no_leak)
@fault("the map is computed from the whole image (sum over all images)", normalised)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = stages.run_stages

    def peeking(own: Any, x: Tensor, ctx: Any, condition: Condition) -> Tensor:
        first, last = own
        told = lambda coarse, condition: last.condition(first.grid(x + _next(x)), condition)  # noqa: E731
        return kept((first, replace(last, condition=told)), x, ctx, condition)

    patch.setattr(multiscale_pixelrnn, "run_stages", peeking)


@fault("copied pixels are counted twice: by the large network too", normalised)
@fault("copied pixels are counted twice: but painted once", scored_as_painted())
def _(patch: pytest.MonkeyPatch) -> None:
    kept = PixelModel.log_prob_map

    def twice(self: PixelModel, x: Tensor, *how: Any, **further: Any) -> Tensor:
        nats = kept(self, x, *how, **further)
        last = self.stages(*x.shape[2:])[-1]
        coarse = self.stages(*x.shape[2:])[0].grid(self.canvas(x))
        params = last.network(self.canvas(x), FullPass(), last.condition(coarse, self.condition(None, len(x))))
        nats[:, :, ::2, ::2] += self.likelihood.log_prob(params, x)[:, :, ::2, ::2]
        return nats

    patch.setattr(PixelModel, "log_prob_map", twice)


@fault("copied pixels are scored by the large network, which was told them", normalised)
@fault("copied pixels are scored by the large network, which was told them (leak)", no_leak)
def _(patch: pytest.MonkeyPatch) -> None:
    def last_only(own: Any, x: Tensor, ctx: Any, condition: Condition) -> Tensor:
        first, last = own
        params: Tensor = last.network(x, ctx, last.condition(first.grid(x), condition))
        return params

    patch.setattr(multiscale_pixelrnn, "run_stages", last_only)


@fault("copied pixels are drawn again in the large pass", scored_as_painted())
def _(patch: pytest.MonkeyPatch) -> None:
    kept = loop._walk

    def forgetful(model: Any, engine: Any, choose: Any, known: Any, *how: Any) -> None:
        kept(model, engine, choose, replace(known, mask=torch.zeros_like(known.mask)), *how)

    patch.setattr(loop, "_walk", forgetful)


@fault("copied pixels are kept, but the engine is told zeros", scored_as_painted())
def _(patch: pytest.MonkeyPatch) -> None:
    kept = loop._keep
    patch.setattr(
        loop, "_keep", lambda model, engine, values, pixel: kept(model, engine, values, torch.zeros_like(pixel))
    )


if compiled is not None:

    @fault("copied pixels are drawn again in the large pass (compiled)", compiled)
    def _(patch: pytest.MonkeyPatch) -> None:
        kept = loop.sample_stage

        def forgetful(model: Any, stage: Any, told: Any, draws: Any, levels: Any, known: Any, *how: Any) -> None:
            kept(model, stage, told, draws, levels, torch.zeros_like(known), *how)

        patch.setattr(loop, "sample_stage", forgetful)

    @fault("copied pixels are kept, but the compiled engine is told zeros", compiled)
    def _(patch: pytest.MonkeyPatch) -> None:
        kept = loop.sample_stage

        def told_zeros(model: Any, stage: Any, told: Any, draws: Any, levels: Tensor, known: Tensor, *how: Any) -> None:
            before, mask = levels.clone(), known.clone()
            levels[:, :, known] = 0
            kept(model, stage, told, draws, levels, known, *how)
            levels[:, :, mask] = before[:, :, mask]

        patch.setattr(loop, "sample_stage", told_zeros)


@fault("the map is laid against the end of sides that the factor does not divide", paper((4, 5), 3))
@fault("the map is laid against the end, as sets", lambda: context.check_context(pair((2, 9), 2, "rows"), 2, 9))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = multiscale_pixelrnn.Upsampler.forward

    def at_the_end(self: Any, small: Tensor, height: int, width: int) -> Tensor:
        whole = kept(self, small, 99, 99)
        return whole[:, :, whole.shape[2] - height :, whole.shape[3] - width :]

    patch.setattr(multiscale_pixelrnn.Upsampler, "forward", at_the_end)


@fault("the small grid begins at the last row that fits, not at row 0", paper((4, 5), 3))
def _(patch: pytest.MonkeyPatch) -> None:
    def from_the_end(self: Any, t: Tensor) -> Tensor:
        return t.flip(-1, -2)[..., :: self.step, :: self.step].flip(-1, -2)

    patch.setattr(stages.Stage, "grid", from_the_end)


@fault("the small image is told the corner of a map, not its sites", paper(position=True))
def _(patch: pytest.MonkeyPatch) -> None:
    def corner(self: Any, coarse: Tensor | None, condition: Condition) -> Condition:
        told = condition.map
        assert told is not None
        height, width = (-(-n // self.factor) for n in told.shape[2:])
        return replace(condition, map=told[:, :, :height, :width])

    patch.setattr(multiscale_pixelrnn.MultiscalePixelRNN, "_small_condition", corner)


@fault("the large image is not told of the small one", lambda: context.check_context(pair(), 4, 5))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = multiscale_pixelrnn.Upsampler.forward
    patch.setattr(multiscale_pixelrnn.Upsampler, "forward", lambda self, *how: kept(self, *how) * 0)
