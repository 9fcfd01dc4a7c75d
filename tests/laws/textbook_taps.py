"""Parts of the textbook networks: taps one by one, rules for groups written out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor


def at(x: Tensor, dy: int, dx: int) -> Tensor:
    """The value `dy` rows down and `dx` columns right of each site; zero outside the image."""
    out = torch.zeros_like(x)
    height, width = x.shape[2:]
    for row in range(height):
        for column in range(width):
            if 0 <= row + dy < height and 0 <= column + dx < width:
                out[:, :, row, column] = x[:, :, row + dy, column + dx]
    return out


def group(index: int, count: int, groups: int) -> int:
    """Contiguous groups, as even as possible."""
    return index * groups // count


def mix(x: Tensor, weight: Tensor, bias: Tensor | None, rule: Callable[[int, int], bool] | None = None) -> Tensor:
    """A 1x1 layer, one output at a time; `rule(output, input)` says which weights exist."""
    out = []
    for o in range(weight.shape[0]):
        used = [i for i in range(weight.shape[1]) if rule is None or rule(o, i)]
        total = sum((weight[o, i] * x[:, i] for i in used), torch.zeros_like(x[:, 0]))
        out.append(total if bias is None else total + bias[o])
    return torch.stack(out, 1)


def convolve(
    x: Tensor, layer: Any, taps: Iterable[tuple[int, int, int, int]], own: Callable[[int, int], bool]
) -> Tensor:
    """Sum over taps (row and column of the kernel, and the site they look at); the own site obeys `own`."""
    total = layer.bias[:, None, None].expand(len(x), -1, *x.shape[2:])
    for ky, kx, dy, dx in taps:
        rule = own if dy == dx == 0 else None
        total = total + mix(at(x, dy, dx), layer.weight[:, :, ky, kx], None, rule)
    return total


def rules(groups: int, outputs: int, inputs: int, halves: int = 1) -> tuple[Any, Any]:
    """Mask A and mask B between feature counts; a gate has two halves of features, each with its own groups."""

    def out(o: int) -> int:
        return group(o % (outputs // halves), outputs // halves, groups)

    return (lambda o, i: group(i, inputs, groups) < out(o), lambda o, i: group(i, inputs, groups) <= out(o))


def conditioned(x: Tensor, layer: Any, vector: Tensor | None, positions: Tensor | None) -> Tensor:
    """Plus V h, plus V * s."""
    if vector is not None:
        x = x + mix(vector, layer.vector.weight[:, :, 0, 0], None)
    if positions is not None:
        x = x + mix(positions, layer.map.weight[:, :, 0, 0], None)
    return x
