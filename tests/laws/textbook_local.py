"""The locally masked PixelCNN by its definition: a mask for each site and tap, and never a word of turned canvases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from pointillist.model.pixel_model import PixelModel
from pointillist.networks import BackboneDims, LocallyMaskedPixelCNNConfig

from .textbook_taps import at, conditioned, mix, rules


def masked_convolution(
    x: Tensor, layer: Any, places: Tensor, dilation: int, own: Callable[[int, int], bool] | None
) -> Tensor:
    """Each site uses the taps at earlier places; of its own site what `own` allows.

    A kernel of its own tells the first layer which taps those are.
    """
    half = layer.weight.shape[2] // 2
    total = layer.bias[:, None, None].expand(len(x), -1, *x.shape[2:])
    inside = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype)
    ranks = places[None, None].to(x.dtype) + 1
    for i in range(2 * half + 1):
        for j in range(2 * half + 1):
            step = ((i - half) * dilation, (j - half) * dilation)
            centre = step == (0, 0)
            before = inside if centre else at(inside, *step) * (at(ranks, *step) < ranks)
            seen = mix(at(x, *step) * before, layer.weight[:, :, i, j], None, own if centre else None)
            total = total + seen
            if layer.known is not None:
                total = total + mix(before, layer.known[:, :, i, j], None)
    return total


def locally_masked_pixelcnn(model: PixelModel, x: Tensor, vector: Tensor | None, positions: Tensor | None) -> Tensor:
    """In the orientation of the image, from the places of its sites in the order."""
    config, net, groups, order = model.config.backbone, model.backbone, model.dims.groups, model.order()
    assert isinstance(config, LocallyMaskedPixelCNNConfig)
    x, vector, positions = (None if t is None else order.from_raster(t) for t in (x, vector, positions))  # type: ignore[assignment]
    places = torch.from_numpy(order.rank(*x.shape[2:]))
    d, head, params = config.channels, config.head_channels, model.dims.params
    total: Tensor = torch.zeros(())
    for index, layer in enumerate(net.layers):
        first, last = index == 0, index == config.layers - 1
        step = 1 if first else config.dilations[(index - 1) % len(config.dilations)]
        mask_a, mask_b = rules(groups, 2 * d, x.shape[1], halves=2)
        z = masked_convolution(x, layer.convolution, places, step, mask_a if first else mask_b)
        z = conditioned(z, layer.condition, vector, positions)
        z = torch.tanh(z[:, :d]) / (1 + torch.exp(-z[:, d:]))
        weight, bias = layer.out.weight[:, :, 0, 0], layer.out.bias
        kept = 0 if last else d
        total = total + mix(z, weight[kept:], bias[kept:], rules(groups, head, d)[1])
        if not last:
            y = mix(z, weight[:kept], bias[:kept], rules(groups, d, d)[1])
            x = y if first else x + y  # never from the raw image
    z = mix(total.clamp(min=0), net.head.weight[:, :, 0, 0], net.head.bias, rules(groups, head, head)[1])
    z = mix(z.clamp(min=0), net.output.weight[:, :, 0, 0], net.output.bias, rules(groups, params, head)[1])
    return order.to_raster(z)


def local_parameters(net: LocallyMaskedPixelCNNConfig, ports: BackboneDims) -> int:
    """By formula, from settings alone, but for the two layers of the head."""
    d, condition = net.channels, 2 * net.channels * (ports.condition.vector + ports.condition.map)
    first = 2 * d * ((ports.canvas + 1) * net.first_kernel**2 + 1)
    later = 2 * d * (d * net.kernel**2 + 1)
    out = net.layers * (d + 1) * net.head_channels + (net.layers - 1) * (d + 1) * d
    return first + (net.layers - 1) * later + net.layers * condition + out
