"""A mixture of logistics in integers, in torch; see `engine/integer/mixture.py`, whose functions these are."""

from __future__ import annotations

import torch
from torch import Tensor

from pointillist.engine.integer.mixture import BITS, FARTHEST, MIN_LOG_SCALE
from pointillist.engine.integer.torch.head import TorchHead


def interpolate(table: Tensor, x: Tensor) -> Tensor:
    """Read a table of odd length at arguments in steps of 2^-16, 0 in its middle, by linear interpolation."""
    middle = len(table) // 2
    index = ((x >> 8) + middle).clamp(0, len(table) - 2)
    inside = (x - ((index - middle) << 8)).clamp(0, 256)
    low, high = table[index], table[index + 1]
    return low + (((high - low) * inside) >> 8)


def component_weights(head: TorchHead, params: Tensor, pixel: Tensor, channel: int) -> Tensor:
    """Return the weights of the components `[n, m]` of a channel, given the levels before it; up to 2^25."""
    logits, exp = params[:, : head.mixtures], head.tables["exp"]
    below = logits.amax(1, keepdim=True) - logits
    weights = exp[below.clamp(max=len(exp) - 1)]
    for before in range(channel):
        mean, inverse = mean_and_inverse(head, params, pixel, before)
        level = pixel[:, before : before + 1]
        upper = torch.where(level == head.levels - 1, 1 << BITS, edge(head, mean, inverse, level))
        lower = torch.where(level == 0, 0, edge(head, mean, inverse, level - 1))
        weights = weights * (upper - lower).clamp(min=1)
        bits = bit_length(weights.amax(1, keepdim=True))
        weights = weights >> (bits - BITS - 1).clamp(min=0)
    return weights


def mean_and_inverse(head: TorchHead, params: Tensor, pixel: Tensor, channel: int) -> tuple[Tensor, Tensor]:
    """Return the position of the mean and the inverse scale of each component `[n, m]` of a channel."""
    m, c = head.mixtures, head.channels
    mean = params[:, m * (1 + channel) : m * (2 + channel)]
    log_scale = params[:, m * (1 + c + channel) : m * (2 + c + channel)]
    position = (mean + (1 << 16)) * (head.levels - 1)
    first = m * (1 + 2 * c + channel * (channel - 1) // 2)
    for before in range(channel):
        coupling = params[:, first + m * before : first + m * (before + 1)]
        level = pixel[:, before : before + 1]
        position = position + interpolate(head.tables["tanh"], coupling) * (2 * level - (head.levels - 1))
    table = head.tables["inverse"]
    return position, table[(log_scale - MIN_LOG_SCALE * 256).clamp(0, len(table) - 1)]


def edge(head: TorchHead, mean: Tensor, inverse: Tensor, level: Tensor) -> Tensor:
    """Return 2^24 times the CDF of each component at the edge above a level."""
    distance = ((level << 17) + (1 << 16) - mean).clamp(-FARTHEST, FARTHEST)
    return interpolate(head.tables["sigmoid"], (distance * inverse) >> (17 + BITS - 16))


def mixture_weights(head: TorchHead, params: Tensor, pixel: Tensor, channel: int) -> Tensor:
    """Return the weights of the levels `[n, k]` of a channel, from parameters `[n, p]` and levels `[n, c]`."""
    weights = component_weights(head, params, pixel, channel)
    mean, inverse = mean_and_inverse(head, params, pixel, channel)
    levels = torch.arange(head.levels - 1, device=params.device)
    below = edge(head, mean[..., None], inverse[..., None], levels)  # [n, m, k - 1]
    inner = (weights[..., None] * below).sum(1) >> BITS
    total = weights.sum(1, keepdim=True)
    return torch.cat([torch.zeros_like(total), inner, total], 1).diff(dim=1)


def bit_length(x: Tensor) -> Tensor:
    """Return the number of bits of positive integers."""
    result, rest = torch.zeros_like(x), x
    for step in (32, 16, 8, 4, 2, 1):
        large = rest >= (1 << step)
        result = result + torch.where(large, step, 0)
        rest = torch.where(large, rest >> step, rest)
    return result + 1
