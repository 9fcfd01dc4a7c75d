"""Mutants of a model that samples groups of independent pixels."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from torch import Tensor

from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import parallel_multiscale
from pointillist.sampling import loop

from . import context, samplers, textbook
from .causal import check_no_leak
from .likelihood import check_normalised
from .mutants import mutant
from .strategies import make_model, randomise_weights

NAME = "parallel-multiscale"


def groups(size: tuple[int, int] = (4, 5), channels: int = 1, *, position: bool = False) -> PixelModel:
    """Build a model of three levels with random weights, whose maps do not reach the whole image."""
    settings = {"scales": 1, "dilations": (), "layers": 1}
    return randomise_weights(make_model(NAME, ImageSpec.infer((channels, *size), 3), settings, position=position))


def no_leak() -> None:
    check_no_leak(groups(), 4, 5)


def normalised() -> None:
    check_normalised(groups((2, 3)), 2, 3)


def sampled_by_full_forwards() -> None:
    samplers.check_sampled_by_full_forwards(groups((3, 4), 3), 3, 4)


def scored_as_sampled() -> None:
    samplers.check_scored_as_sampled(groups((3, 4), 3), 3, 4, "torch")


@mutant("the map of a group is computed from its own grid, which holds its pixels", no_leak)
@mutant("the map of a group is computed from its own grid (sum over all images)", normalised)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = parallel_multiscale.run_stages

    def peeking(own: Any, x: Tensor, ctx: Any, condition: Any) -> Tensor:
        later = torch.cat([x[..., 1:], x[..., -1:]], -1)

        def told(stage: Any, before: Any) -> Any:
            return lambda coarse, condition: stage.condition(before.grid(x + later), condition)

        shown = [replace(stage, condition=told(stage, before)) for before, stage in pairwise(own)]
        return kept((own[0], *shown), x, ctx, condition)

    patch.setattr(parallel_multiscale, "run_stages", peeking)


@mutant(
    "a pixel reads the pixel before it, which its group does not know", lambda: context.check_context(groups(), 4, 5)
)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = parallel_multiscale.GroupNetwork.forward

    def chained(self: Any, x: Tensor, ctx: Any, condition: Any) -> Tensor:
        before = torch.nn.functional.pad(x, (1, -1)).mean(1, keepdim=True)
        return kept(self, x, ctx, replace(condition, map=condition.map + before))

    patch.setattr(parallel_multiscale.GroupNetwork, "forward", chained)


@mutant("a group reads the base image only, not the groups between", lambda: context.check_context(groups(), 4, 5))
def _(patch: pytest.MonkeyPatch) -> None:
    kept = parallel_multiscale.Upsampler.forward

    def coarser(self: Any, coarse: Tensor, *how: Any) -> Tensor:
        return kept(self, coarse[..., ::2].repeat_interleave(2, -1)[..., : coarse.shape[-1]], *how)

    patch.setattr(parallel_multiscale.Upsampler, "forward", coarser)


@mutant("a grid gets the corner of a map, not its sites", lambda: textbook.check_textbook(groups(position=True), 4, 5))
def _(patch: pytest.MonkeyPatch) -> None:
    def corner(condition: Any, step: tuple[int, int]) -> Any:
        height, width = (-(-n // s) for n, s in zip(condition.map.shape[2:], step, strict=True))
        return replace(condition, map=condition.map[:, :, :height, :width])

    patch.setattr(parallel_multiscale, "_on_grid", corner)


@mutant("all channels of a group are drawn at once: green does not know red", sampled_by_full_forwards)
@mutant("all channels of a group are drawn at once: and their score says so", scored_as_sampled)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = loop._params
    patch.setattr(loop, "_params", lambda model, stage, condition, levels: kept(model, stage, condition, levels * 0))


@mutant("a group pass draws known pixels again", sampled_by_full_forwards)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = loop.sample_group

    def forgetful(model: Any, stage: Any, condition: Any, sampler: Any, state: Any) -> None:
        kept(model, stage, condition, sampler, replace(state, known=torch.zeros_like(state.known)))

    patch.setattr("pointillist.sampling.loop.sample_group", forgetful)


@mutant("uniforms of a group are taken in the order of the image, not by pixel", sampled_by_full_forwards)
def _(patch: pytest.MonkeyPatch) -> None:
    kept = loop._draw

    def shifted(model: Any, sampler: Any, params: Any, levels: Any, channel: int, uniforms: Tensor) -> Tensor:
        return kept(model, sampler, params, levels, channel, uniforms.flip(-1))

    patch.setattr(loop, "_draw", shifted)
