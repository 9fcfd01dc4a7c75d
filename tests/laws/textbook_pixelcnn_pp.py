"""PixelCNN++ once more: what it computes, tap by tap; what it sees, by recursion over taps; how many weights it has."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from pointillist.model.pixel_model import PixelModel
from pointillist.networks import PixelCNNPPConfig

from .causal import sub_pixels
from .textbook_taps import conditioned, group, mix

Tap = tuple[int, int, int, int]  # row and column of the kernel, and the site they look at
Rule = Callable[[int, int], bool]

ABOVE = [(dy + 1, dx + 1, dy, dx) for dy in (-1, 0) for dx in (-1, 0, 1)]
BEFORE = [(dy + 1, dx + 1, dy, dx) for dy in (-1, 0) for dx in (-1, 0)]


def half(size: int) -> int:
    """Sites of the grid of every second one of `size`."""
    return len(range(0, size, 2))


# ---- what it computes ----


def normalised(layer: Any, own: tuple[int, int], rule: Rule | None) -> Tensor:
    """g v / |v|, one output at a time; weights that do not exist are not part of v."""
    out = []
    for o in range(layer.weight.shape[0]):
        v = layer.weight[o].clone()
        if rule is not None:
            for i in range(v.shape[0]):
                if not rule(o, i):
                    v[(i, *own)] = 0
        out.append(layer.gain[o] * v / (v.pow(2).sum() + 1e-12).sqrt())
    return torch.stack(out)


def convolve(x: Tensor, layer: Any, taps: Iterable[Tap], own: tuple[int, int], rule: Rule | None, step: int) -> Tensor:
    """Sum over taps around every `step`-th site."""
    weight = normalised(layer, own, rule)
    height, width = x.shape[2:]
    out = torch.zeros(len(x), len(weight), len(range(0, height, step)), len(range(0, width, step)), dtype=x.dtype)
    for ky, kx, dy, dx in taps:
        for row in range(0, height, step):
            for column in range(0, width, step):
                if 0 <= row + dy < height and 0 <= column + dx < width:
                    out[:, :, row // step, column // step] += x[:, :, row + dy, column + dx] @ weight[:, :, ky, kx].T
    return out + layer.bias[:, None, None]


def transposed(x: Tensor, layer: Any, like: Tensor, rule: Rule | None) -> Tensor:
    """Each coarse site adds its kernel to the sites it reaches: those under it, and (2x3) the column before them."""
    right = layer.weight.shape[3] - 2
    weight = normalised(layer, (0, right), rule)
    height, width = like.shape[2:]
    out = layer.bias[:, None, None].expand(len(x), -1, height, width).clone()
    for i in range(x.shape[2]):
        for j in range(x.shape[3]):
            for dy in range(2):
                for dx in range(2 + right):
                    row, column = 2 * i + dy, 2 * j + dx - right
                    if 0 <= row < height and 0 <= column < width:
                        out[:, :, row, column] += x[:, :, i, j] @ weight[:, :, dy, dx].T
    return out


def elus(x: Tensor) -> Tensor:
    """elu(x) and elu(-x)."""
    both = torch.cat([x, -x], 1)
    return torch.where(both > 0, both, torch.exp(both) - 1)


def pixelcnn_pp(model: PixelModel, x: Tensor, vector: Tensor | None, positions: Tensor | None) -> Tensor:
    """Salimans et al. 2017, section 2, and the released code."""
    config, net, groups = model.config.backbone, model.backbone, model.dims.groups
    assert isinstance(config, PixelCNNPPConfig)
    d, params = config.channels, model.dims.params
    of_feature = [group(i, d, groups) for i in range(d)]

    def upto(outputs: list[int], inputs: list[int]) -> Rule | None:
        return lambda o, i: inputs[i] <= outputs[o]

    def gated(
        x: Tensor, layer: Any, other_stream: Tensor | None, known: list[int], taps: list[Tap], scale: int
    ) -> Tensor:
        rules = (
            (None, None) if taps is ABOVE else (upto(of_feature, of_feature * 2), upto(of_feature * 2, of_feature * 2))
        )
        h = convolve(elus(x), layer.first, taps, (1, 1), rules[0], 1)
        if other_stream is not None:
            rule = None if taps is ABOVE else upto(of_feature, known * 2)
            weight = normalised(layer.link, (0, 0), rule)[:, :, 0, 0]
            h = h + mix(elus(other_stream), weight, layer.link.bias)
        h = convolve(elus(h), layer.second, taps, (1, 1), rules[1], 1)
        features = None if vector is None else vector[:, :, ::scale, ::scale]
        where = None if positions is None else positions[:, :, ::scale, ::scale]
        h = conditioned(h, layer.condition, features, where)
        return x + h[:, :d] / (1 + torch.exp(-h[:, d:]))

    first, own = net.first, [0] * d
    of_canvas = [group(i, x.shape[1], groups) for i in range(x.shape[1])]
    above = convolve(x, first.rows, [(y + 2, c + 1, y, c) for y in (-2, -1) for c in (-1, 0, 1)], (9, 9), None, 1)
    before = convolve(x, first.row, [(0, c + 1, -1, c) for c in (-1, 0, 1)], (9, 9), None, 1)
    strict: Rule | None = None if groups == 1 else lambda o, i: of_canvas[i] < of_feature[o]
    taps = [(0, 0, -1, -1), (1, 0, 0, -1)] if groups == 1 else BEFORE
    before = before + convolve(x, first.left, taps, (1, 1), strict, 1)
    rule = upto(of_feature, of_feature)
    kept = [(above, before)]
    for grid in range(config.resolutions):
        if grid:
            above = convolve(above, net.coarser[grid - 1].above, ABOVE, (1, 1), None, 2)
            before = convolve(before, net.coarser[grid - 1].before, BEFORE, (1, 1), rule, 2)
            kept.append((above, before))
        for pair in net.down[grid]:
            above = gated(above, pair.above, None, own, ABOVE, 2**grid)
            before = gated(before, pair.before, above, own, BEFORE, 2**grid)
            kept.append((above, before))
    above, before = kept.pop()
    for grid in reversed(range(config.resolutions)):
        index = config.resolutions - 1 - grid
        if index:
            above = transposed(above, net.finer[index - 1].above, kept[-1][0], None)
            before = transposed(before, net.finer[index - 1].before, kept[-1][1], rule)
        for pair in net.up[index]:
            mirror = kept.pop()
            above = gated(above, pair.above, mirror[0], own, ABOVE, 2**grid)
            before = gated(before, pair.before, torch.cat([above, mirror[1]], 1), own + of_feature, BEFORE, 2**grid)
    assert not kept
    z = torch.where(before > 0, before, torch.exp(before) - 1)
    weight = normalised(net.output, (0, 0), upto([group(o, params, groups) for o in range(params)], of_feature))
    return mix(z, weight[:, :, 0, 0], net.output.bias)


# ---- what it sees ----


def sees(model: PixelModel, height: int, width: int) -> np.ndarray:
    """Sets of sub-pixels, `[row, column, group, sub-pixel]` on each grid, through the taps of every layer."""
    config, groups = model.config.backbone, model.dims.groups
    assert isinstance(config, PixelCNNPPConfig)
    count = len(sub_pixels(model, height, width))
    canvas = np.eye(count, dtype=bool).reshape(height, width, groups, count)

    def look(x: np.ndarray, taps: Iterable[Tap], *, step: int = 1, strict: bool = False) -> np.ndarray:
        """Allow all groups of other sites, and those up to (or strictly before) the feature's of its own."""
        rows, columns = range(0, x.shape[0], step), range(0, x.shape[1], step)
        out = np.zeros((len(rows), len(columns), *x.shape[2:]), bool)
        for i, row in enumerate(rows):
            for j, column in enumerate(columns):
                for _, _, dy, dx in taps:
                    if not (0 <= row + dy < x.shape[0] and 0 <= column + dx < x.shape[1]):
                        continue
                    there = x[row + dy, column + dx]
                    if (dy, dx) != (0, 0):
                        out[i, j] |= there.any(0)
                    for k in range(groups) if (dy, dx) == (0, 0) else ():
                        out[i, j, k] |= there[: k if strict else k + 1].any(0)
        return out

    def layer(x: np.ndarray, other_stream: np.ndarray | None, taps: list[Tap]) -> np.ndarray:
        once = look(x, taps) | (False if other_stream is None else look(other_stream, [(0, 0, 0, 0)]))
        return x | look(once, taps)

    def finer(x: np.ndarray, like: np.ndarray, right: int) -> np.ndarray:
        out = np.zeros_like(like)
        for row in range(like.shape[0]):
            for column in range(like.shape[1]):
                i, j = row // 2, column // 2
                own = row % 2 == column % 2 == 0
                for k in range(groups):
                    out[row, column, k] = x[i, j, : k + 1].any(0) if own else x[i, j].any(0)
                if right and column % 2 and j + 1 < x.shape[1]:
                    out[row, column] |= x[i, j + 1].any(0)
        return out

    above = look(canvas, [(0, 0, dy, dx) for dy in (-2, -1) for dx in (-1, 0, 1)])
    before = look(canvas, [(0, 0, -1, -1), (0, 0, -1, 0), (0, 0, -1, 1), (0, 0, 0, -1), (0, 0, 0, 0)], strict=True)
    kept = [(above, before)]
    for grid in range(config.resolutions):
        if grid:
            above, before = look(above, ABOVE, step=2), look(before, BEFORE, step=2)
            kept.append((above, before))
        for _ in range(config.layers):
            above = layer(above, None, ABOVE)
            before = layer(before, above, BEFORE)
            kept.append((above, before))
    above, before = kept.pop()
    for grid in reversed(range(config.resolutions)):
        last = grid == config.resolutions - 1
        if not last:
            above, before = finer(above, kept[-1][0], 1), finer(before, kept[-1][1], 0)
        for _ in range(config.layers + (0 if last else 1)):
            mirror = kept.pop()
            above = layer(above, mirror[0], ABOVE)
            before = layer(before, above | mirror[1], BEFORE)
    return before.reshape(count, count)


# ---- how many weights it has ----


def count_weights(model: PixelModel) -> int:
    """By formula; every output of a convolution has a length and a bias beside its direction."""
    config, ports = model.config.backbone, model.dims
    assert isinstance(config, PixelCNNPPConfig)
    d, taps, cond = config.channels, 6 + 4, 2 * (ports.condition.vector + ports.condition.map)

    def gated(count: int, shortcuts: int) -> int:
        """Pairs: convolutions 2d -> d and 2d -> 2d, 1x1 layers 2d a shortcut, and the condition, in both streams."""
        links = 2 if shortcuts == 3 else 1  # on the way down only one stream reads the other
        return count * (
            taps * (2 * d * d + 4 * d * d) + 2 * 6 * d + shortcuts * 2 * d * d + links * 2 * d + 2 * d * cond
        )

    down, up = config.resolutions * config.layers, config.resolutions * (config.layers + 1) - 1
    first = (6 + 3 + (2 if ports.groups == 1 else 4)) * ports.canvas * d + 3 * 2 * d
    grids = 2 * (config.resolutions - 1) * (taps * d * d + 4 * d)
    return gated(down, 1) + gated(up, 3) + first + grids + ports.params * (d + 2)
