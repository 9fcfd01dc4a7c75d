"""Causality: a sub-pixel's parameters depend on the sub-pixels before it, and on nothing else.

Dependence is read off exact float64 gradients, which are zero or not (P19: small float32 differences prove nothing).
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pointillist.model.pixel_model import PixelModel

from .strategies import random_inputs, random_levels, randomise_weights
from .teacher_forcing import naive_engine_filled_by, teacher_forced

# the kernels behind a convolution round the last bit by the alignment of its memory (seen: 1.1e-16, once in 300 models)
ROUNDING = 1e-13


def difference(a: Tensor, b: Tensor) -> float:
    """Compute the largest difference, relative to the largest value where that is above 1."""
    return float((a - b).abs().max() / a.abs().max().clamp(min=1))


def sub_pixels(model: PixelModel, height: int, width: int) -> list[tuple[int, int, int]]:
    """List every (row, column, sub-pixel) in generation order. Coupled channels are one sub-pixel."""
    sites = np.argsort(model.generation_rank(height, width), axis=None)
    return [(int(s) // width, int(s) % width, g) for s in sites for g in range(model.dims.groups)]


def in_order(model: PixelModel, t: Float[Tensor, "b _ h w"]) -> Float[Tensor, "s b e"]:
    """List the values of a canvas or of parameters by sub-pixel, in generation order."""
    row, column, group = torch.tensor(sub_pixels(model, *t.shape[2:])).T
    return t.unflatten(1, (model.dims.groups, -1))[:, group, :, row, column]


def out_of_order(model: PixelModel, t: Float[Tensor, "s b e"], height: int, width: int) -> Float[Tensor, "b _ h w"]:
    """Invert `in_order`."""
    row, column, group = torch.tensor(sub_pixels(model, height, width)).T
    canvas = t.new_empty(t.shape[1], model.dims.groups, t.shape[2], height, width)
    canvas[:, group, :, row, column] = t
    return canvas.flatten(1, 2)


def jacobian(model: PixelModel, height: int, width: int) -> Float[Tensor, "s s"]:
    """Compute the size of the gradient of the parameters of sub-pixel i by the canvas of sub-pixel j, at (i, j).

    One forward and one backward: image i of the batch is used for sub-pixel i.
    """
    order = sub_pixels(model, height, width)
    count, groups = len(order), model.dims.groups
    condition = model.encode(random_inputs(model, count, height, width), count)
    canvas = torch.randn(count, model.dims.canvas, height, width, dtype=torch.float64, requires_grad=True)
    params = model.outputs(canvas, condition).unflatten(1, (groups, -1))
    row, column, group = torch.tensor(order).T
    selected = params[torch.arange(count), group, :, row, column]  # [s, p / groups]
    (gradient,) = torch.autograd.grad((selected * torch.randn_like(selected)).sum(), canvas)
    assert bool(gradient.isfinite().all()), "a gradient is not finite"
    return in_order(model, gradient).abs().amax(2).T


def dependencies(model: PixelModel, height: int, width: int, points: int = 32) -> Bool[Tensor, "s s"]:
    """Measure which sub-pixel can depend on which: a union over random weights, as a rectifier may be off for some."""
    found = jacobian(randomise_weights(model), height, width) != 0
    for _ in range(points - 1):
        found |= jacobian(randomise_weights(model), height, width) != 0
    return found


def check_no_leak(model: PixelModel, height: int, width: int) -> None:
    """Check that no sub-pixel depends on itself or on a later one: every such gradient is exactly zero."""
    leaks = torch.triu(jacobian(model, height, width)).nonzero().tolist()
    order = sub_pixels(model, height, width)
    shown = [f"{order[i]} on {order[j]}" for i, j in leaks[:4]]
    assert not leaks, f"{len(leaks)} leaks in {height}x{width}: parameters of {shown}"


def check_batch(model: PixelModel, height: int, width: int) -> None:
    """Check that images of a batch do not mix."""
    canvas = torch.randn(3, model.dims.canvas, height, width, dtype=torch.float64, requires_grad=True)
    params = model.outputs(canvas, model.encode(random_inputs(model, 3, height, width), 3))
    (gradient,) = torch.autograd.grad((params[1] * torch.randn_like(params[1])).sum(), canvas)
    assert not gradient[[0, 2]].any(), "an image of a batch depends on another one"


def check_later_values_do_not_matter(model: PixelModel, height: int, width: int) -> None:
    """Check that changing a sub-pixel and all later ones, by millions, does not change the parameters up to it."""
    count = 2
    condition = model.encode(random_inputs(model, count, height, width), count)
    order = sub_pixels(model, height, width)
    canvas = torch.randn(count, model.dims.canvas, height, width, dtype=torch.float64)

    def params(x: Tensor) -> Tensor:
        torch.manual_seed(1)  # the same dropout
        return in_order(model, model.outputs(x, condition))  # [s, b, p / groups]

    with torch.no_grad():
        before = params(canvas)
        assert difference(before, params(canvas)) < ROUNDING, "the same forward twice gives other values"
        for first in {0, len(order) // 2, len(order) - 1}:
            perturbed = in_order(model, canvas)
            perturbed[first:] = torch.randn_like(perturbed[first:]) * 1e6
            again = params(out_of_order(model, perturbed, height, width))
            change = difference(before[: first + 1], again[: first + 1])
            assert change < ROUNDING, f"other values from {order[first]} on change parameters before by {change:.1e}"


def check_filling(model: PixelModel, height: int, width: int) -> None:
    """Check that values of the naive engine's canvas at unknown pixels do not change its parameters."""
    x = random_levels(model, 2, height, width)
    condition = model.encode(random_inputs(model, 2, height, width), 2)
    empty = teacher_forced(model, condition, x, naive_engine_filled_by(torch.zeros_like))
    filled = teacher_forced(model, condition, x, naive_engine_filled_by(lambda canvas: torch.randn_like(canvas) * 100))
    for (site, params), (_, again) in zip(empty, filled, strict=True):
        change = difference(torch.from_numpy(params), torch.from_numpy(again))
        assert change < ROUNDING, f"the filling of unknown pixels matters at {site}"


def check_causal(model: PixelModel, height: int, width: int) -> None:
    """Check all of the above, in the mode and with the weights that the model has."""
    check_no_leak(model, height, width)
    check_batch(model, height, width)
    check_later_values_do_not_matter(model, height, width)
    if not model.training:
        check_filling(model, min(height, 3), min(width, 3)) if not model.fixed_size else check_filling(
            model, height, width
        )
