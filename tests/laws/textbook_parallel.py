"""The parallel multiscale PixelCNN as in a textbook: grid after grid, each pixel from those that are there already."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pointillist.model.pixel_model import PixelModel
from pointillist.networks import BackboneDims, ParallelMultiscaleConfig

from .textbook_multiscale import upsampled
from .textbook_taps import conditioned, convolve, mix, rules


def parallel_multiscale(
    model: PixelModel, x: Tensor, vector: Tensor | None, positions: Tensor | None, base: Any
) -> Tensor:
    """Reed et al. 2017: columns are doubled, then rows, `scales` times; `base` computes a Gated PixelCNN."""
    config, net, dims = model.config.backbone, model.backbone, model.dims
    assert isinstance(config, ParallelMultiscaleConfig)
    rows = columns = 2**config.scales

    def every(t: Tensor | None, rows: int, columns: int) -> Tensor | None:
        return None if t is None else t[:, :, ::rows, ::columns]

    out = x.new_full((len(x), dims.params, *x.shape[2:]), torch.nan)
    whole = (x, vector, positions)
    out[:, :, ::rows, ::columns] = base(net.base, config.base, dims, *(every(t, rows, columns) for t in whole))
    for group in net.groups:
        before = (rows, columns)
        rows, columns = (rows, columns // 2) if columns == rows else (rows // 2, columns)
        own, spread_vector, spread_positions = (every(t, rows, columns) for t in whole)
        assert own is not None
        factor = (before[0] // rows, before[1] // columns)
        earlier = [every(t, *before) for t in whole]
        spread = upsampled(group.upsampler, earlier, config.dilations, factor, *own.shape[2:])
        features = spread if spread_positions is None else torch.cat([spread_positions, spread], 1)
        found = _group(group.network, config, dims, own, spread_vector, features)
        for i in range(own.shape[2]):
            for j in range(own.shape[3]):
                if i % factor[0] or j % factor[1]:  # a new pixel
                    out[:, :, i * rows, j * columns] = found[:, :, i, j]
    return out


def _group(
    net: Any, config: ParallelMultiscaleConfig, dims: BackboneDims, x: Tensor, vector: Tensor | None, features: Tensor
) -> Tensor:
    """Compute earlier pixels within the kernel, earlier channels, the map, and two 1x1 layers."""
    head, half = config.head_channels, config.context // 2
    if net.stem is None:
        z = x.new_zeros(len(x), head, *x.shape[2:])
    else:
        taps = [(dy + half, dx + half, dy, dx) for dy in range(-half, 1) for dx in range(-half, half + 1)]
        earlier = [tap for tap in taps if tap[2:] <= (0, 0)]
        z = convolve(x, net.stem, earlier, rules(dims.groups, head, x.shape[1])[0])
    z = conditioned(z, net.condition, vector, features)
    z = mix(z.clamp(min=0), net.head.weight[:, :, 0, 0], net.head.bias, rules(dims.groups, head, head)[1])
    rule = rules(dims.groups, dims.params, head)[1]
    return mix(z.clamp(min=0), net.output.weight[:, :, 0, 0], net.output.bias, rule)


def count(config: ParallelMultiscaleConfig, dims: BackboneDims, cond: int) -> int:
    """Count the parameters of the networks of the groups."""
    m, head, k = config.map_channels, config.head_channels, config.context
    body = 9 * m * dims.canvas + m + m * cond + len(config.dilations) * (9 * m * m + m) + 3 * m * m + m
    reads = k > 1 or dims.groups > 1
    stem = head * dims.canvas * (k // 2 + 1) * k + head if reads else 0
    pixel = stem + head * (cond + m) + head * head + head + dims.params * head + dims.params
    return 2 * config.scales * (body + pixel)
