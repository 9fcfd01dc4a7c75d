"""The law of causality: a sub-pixel's parameters depend on the sub-pixels before it, and on nothing else.

Dependence is read off exact float64 gradients, which are zero or not (P19: small float32 differences prove nothing).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from pointillist.engine.naive import NaiveEngine
from pointillist.ordering import Order
from pointillist.pixel_model import PixelModel

from .strategies import dirty, random_labels, random_levels

# the kernels behind a convolution round the last bit by where its memory lies (seen: 1.1e-16, once in 300 models)
ROUNDING = 1e-13


def difference(a: Tensor, b: Tensor) -> float:
    """The largest difference, relative to the largest value where that is above 1."""
    return float((a - b).abs().max() / a.abs().max().clamp(min=1))


def places(model: PixelModel, height: int, width: int) -> list[tuple[int, int, int]]:
    """Every (row, column, sub-pixel), in the order in which they are painted. Coupled channels are one sub-pixel.

    As for all laws, the order is the model's usual one.
    """
    walk = walked(model.order(), height, width)
    return [(y, x, g) for y, x in walk for g in range(model.ports.groups)]


def walked(order: Order, height: int, width: int) -> list[tuple[int, int]]:
    """The sites of an image in an order, written out from its name alone."""
    rows = list(range(height))[:: -1 if order.name.endswith(("-bl", "-br")) else 1]
    columns = list(range(width))[:: -1 if order.name.endswith(("-tr", "-br")) else 1]
    across = "-columns" in order.name
    lines, line = (columns, rows) if across else (rows, columns)
    snake = order.name.startswith("s-curve")
    sites = [(a, b) for n, a in enumerate(lines) for b in (line[::-1] if snake and n % 2 else line)]
    return [(b, a) if across else (a, b) for a, b in sites]


def jacobian(model: PixelModel, height: int, width: int) -> Float[Tensor, "s s"]:
    """Entry (i, j): size of the gradient of the parameters of sub-pixel i with respect to the canvas of sub-pixel j.

    One forward and one backward: image i of a batch asks about sub-pixel i.
    """
    order = places(model, height, width)
    count, groups = len(order), model.ports.groups
    condition = model.condition(random_labels(model, count), count)
    canvas = torch.randn(count, model.ports.canvas, height, width, dtype=torch.float64, requires_grad=True)
    params = model.outputs(canvas, condition).unflatten(1, (groups, -1))
    row, column, group = torch.tensor(order).T
    asked = params[torch.arange(count), group, :, row, column]  # [s, p / groups]
    (gradient,) = torch.autograd.grad((asked * torch.randn_like(asked)).sum(), canvas)
    assert bool(gradient.isfinite().all()), "a gradient is not finite"
    return gradient.unflatten(1, (groups, -1)).abs().amax(2)[:, group, row, column]


def dependencies(model: PixelModel, height: int, width: int, points: int = 32) -> Bool[Tensor, "s s"]:
    """Which sub-pixel can depend on which: a union over random weights, as a rectifier may be off for some of them."""
    found = jacobian(dirty(model), height, width) != 0
    for _ in range(points - 1):
        found |= jacobian(dirty(model), height, width) != 0
    return found


def check_no_leak(model: PixelModel, height: int, width: int) -> None:
    """No sub-pixel depends on itself or on a later one: every such gradient is exactly zero."""
    leaks = torch.triu(jacobian(model, height, width)).nonzero().tolist()
    order = places(model, height, width)
    shown = [f"{order[i]} on {order[j]}" for i, j in leaks[:4]]
    assert not leaks, f"{len(leaks)} leaks in {height}x{width}: parameters of {shown}"


def check_batch(model: PixelModel, height: int, width: int) -> None:
    """Images of a batch do not mix."""
    canvas = torch.randn(3, model.ports.canvas, height, width, dtype=torch.float64, requires_grad=True)
    params = model.outputs(canvas, model.condition(random_labels(model, 3), 3))
    (gradient,) = torch.autograd.grad((params[1] * torch.randn_like(params[1])).sum(), canvas)
    assert not gradient[[0, 2]].any(), "an image of a batch depends on another one"


def check_poison(model: PixelModel, height: int, width: int) -> None:
    """Changing a sub-pixel and all later ones, by millions, does not change the parameters up to it."""
    count, groups = 2, model.ports.groups
    condition = model.condition(random_labels(model, count), count)
    order = places(model, height, width)
    canvas = torch.randn(count, model.ports.canvas, height, width, dtype=torch.float64)

    row, column, group = torch.tensor(order).T

    def params(x: Tensor) -> Tensor:
        torch.manual_seed(1)  # the same dropout
        out: Tensor = model.outputs(x, condition).unflatten(1, (groups, -1))
        return out.permute(1, 3, 4, 0, 2)[group, row, column]  # [s, b, p / groups]

    with torch.no_grad():
        before = params(canvas)
        assert difference(before, params(canvas)) < ROUNDING, "the same forward twice gives other values"
        for first in {0, len(order) // 2, len(order) - 1}:
            spoilt = canvas.unflatten(1, (groups, -1)).clone()  # [b, groups, e, h, w]
            late = group[first:], row[first:], column[first:]
            numbers = torch.randn(len(late[0]), count, spoilt.shape[2], dtype=torch.float64) * 1e6
            spoilt.permute(1, 3, 4, 0, 2)[late] = numbers
            change = difference(before[: first + 1], params(spoilt.flatten(1, 2))[: first + 1])
            assert change < ROUNDING, f"other values from {order[first]} on change parameters before by {change:.1e}"


def check_filling(model: PixelModel, height: int, width: int) -> None:
    """What the naive engine's canvas holds at unknown pixels does not change what it says."""
    count, groups = 2, model.ports.groups
    condition = model.condition(random_labels(model, count), count)
    share = model.ports.params // groups
    shape = (count, model.ports.canvas, height, width)
    order = model.order()
    told = model.in_order(condition, order)
    empty, filled = (
        NaiveEngine(lambda x, ctx: model.backbone(x, ctx, told), order.turn(canvas), groups, order)
        for canvas in (torch.zeros(shape, dtype=torch.float64), torch.randn(shape, dtype=torch.float64) * 100)
    )
    values = model.canvas(random_levels(model, count, height, width)).detach().unflatten(1, (groups, -1)).numpy()
    for row, column, group in places(model, height, width):
        ours = slice(group * share, (group + 1) * share)
        said = (torch.from_numpy(engine.params()[:, ours]) for engine in (empty, filled))
        assert difference(*said) < ROUNDING, "the filling of unknown pixels matters"
        for engine in (empty, filled):
            engine.observe(values[:, group, :, row, column])
    assert empty.done


def check_causal(model: PixelModel, height: int, width: int) -> None:
    """All of the above, in the mode and with the weights that the model has."""
    check_no_leak(model, height, width)
    check_batch(model, height, width)
    check_poison(model, height, width)
    if not model.training:
        check_filling(model, min(height, 3), min(width, 3)) if not model.fixed_size else check_filling(
            model, height, width
        )
