"""PixelSNAIL as in a textbook: taps one by one, attention one site and one head at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pointillist.model.pixel_model import PixelModel
from pointillist.networks import BackboneDims, PixelSNAILConfig

from .textbook_taps import conditioned, convolve, group, mix, rules

Groups = list[int]


def elu(x: Tensor) -> Tensor:
    """x where it is positive, else exp(x) - 1."""
    return torch.where(x > 0, x, x.clamp(max=0).exp() - 1)


def one(x: Tensor, layer: Any, outputs: Groups, inputs: Groups) -> Tensor:
    """A 1x1 layer that keeps the groups."""
    return mix(x, layer.weight[:, :, 0, 0], layer.bias, lambda o, i: inputs[i] <= outputs[o])


def gated(
    x: Tensor,
    block: Any,
    groups: Groups,
    condition_features: tuple[Any, Any],
    half: int | None = None,
    side: Any = None,
) -> Tensor:
    """x + a sigmoid(b); convolutions over the corner of a kernel, or 1x1."""

    def layer(x: Tensor, weights: Any, outputs: Groups) -> Tensor:
        if half is None:
            return one(x, weights, outputs, groups)
        taps = [(dy + half, dx + half, dy, dx) for dy in range(-half, 1) for dx in range(-half, 1)]
        return convolve(x, weights, taps, lambda o, i: groups[i] <= outputs[o])

    h = layer(elu(x), block.first, groups)
    if side is not None:
        h = h + one(elu(side[0]), block.side, groups, side[1])
    h = conditioned(layer(elu(h), block.second, groups + groups), block.condition, *condition_features)
    values, gates = h[:, : len(groups)], h[:, len(groups) :]
    return x + values / (1 + torch.exp(-gates))


def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
    """For each site and head: a softmax over the sites before it, by its definition; the first site has none."""
    batch, width = query.shape[0], query.shape[3]
    q, k, v = (t.reshape(batch, heads, t.shape[1] // heads, -1) for t in (query, key, value))
    out = torch.zeros_like(v)
    for site in range(1, v.shape[3]):
        for head in range(heads):
            scores = [(q[:, head, :, site] * k[:, head, :, j]).sum(1) / q.shape[2] ** 0.5 for j in range(site)]
            scored = torch.stack(scores)
            weights = (scored - scored.amax(0)).exp()  # large scores, from large conditions, do not overflow
            for j in range(site):
                out[:, head, :, site] += (weights[j] / weights.sum(0))[:, None] * v[:, head, :, j]
    return out.reshape(batch, -1, v.shape[3] // width, width)


def pixelsnail(model: PixelModel, x: Tensor, vector: Tensor | None, positions: Tensor | None) -> Tensor:
    """Chen et al. 2018, section 2 and figure 3."""
    config, net, groups = model.config.backbone, model.backbone, model.dims.groups
    assert isinstance(config, PixelSNAILConfig)
    condition_features = (vector, positions)
    d, params, heads = config.channels, model.dims.params, config.heads * groups
    features = [group(i, d, groups) for i in range(d)]
    height, width = x.shape[2:]
    rows = torch.tensor([[(2 * y + 1) / height - 1] * width for y in range(height)], dtype=x.dtype)
    columns = torch.tensor([[(2 * c + 1) / width - 1 for c in range(width)]] * height, dtype=x.dtype)
    place = torch.stack([rows, columns]).expand(len(x), -1, -1, -1)

    half, corner = config.first_kernel // 2, config.kernel // 2
    above = [(dy + half, dx + half, dy, dx) for dy in range(-half, 0) for dx in range(-half, half + 1)]
    before = [(0, dx + half, 0, dx) for dx in [*range(-half, 0), *([0] if groups > 1 else [])]]
    h = convolve(x, net.above, above, lambda o, i: True)
    h = h + convolve(x, net.before, before, rules(groups, d, x.shape[1])[0])
    for block in net.blocks:
        for residual in block.residuals:
            h = gated(h, residual, features, condition_features, corner)
        whole = [0] * (x.shape[1] + d + 2)
        content = gated(torch.cat([x, h, place], 1), block.content, whole, condition_features)
        cut = heads * config.key_channels
        kept = one(content, block.keys_values, [0] * (cut + heads * config.value_channels), whole)
        asking = [*features, 0, 0]
        question = gated(torch.cat([h, place], 1), block.question, asking, condition_features)
        query_groups = [i // (config.heads * config.key_channels) for i in range(cut)]
        query = one(question, block.query, query_groups, asking)
        found = attend(query, kept[:, :cut], kept[:, cut:], heads)
        answered = [i // (config.heads * config.value_channels) for i in range(found.shape[1])]
        h = gated(h, block.answer, features, condition_features, side=(found, answered))
    return one(elu(h), net.output, [group(i, params, groups) for i in range(params)], features)


def pixelsnail_parameters(net: PixelSNAILConfig, ports: BackboneDims) -> int:
    """By formula, from settings alone."""
    d, condition = net.channels, ports.condition.vector + ports.condition.map
    keys, values = (n * net.heads * ports.groups for n in (net.key_channels, net.value_channels))

    def residual(width: int, taps: int = 1, side: int = 0) -> int:
        mixed = side * width + width if side else 0
        return width * width * taps + width + mixed + 2 * width * width * taps + 2 * width + 2 * width * condition

    whole, own = ports.canvas + d + 2, 1 if ports.groups > 1 else 0
    half = net.first_kernel // 2
    first = d * ports.canvas * (half * net.first_kernel + half + own) + 2 * d
    block = net.layers * residual(d, (net.kernel // 2 + 1) ** 2)
    block += residual(whole) + (whole + 1) * (keys + values)
    block += residual(d + 2) + (d + 3) * keys + residual(d, side=values)
    return first + net.blocks * block + (d + 1) * ports.params
