"""The multi-scale PixelRNN as in a textbook: the small image cut out, spread pixel by pixel, and put back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from pointillist.model.pixel_model import PixelModel
from pointillist.networks import MultiscalePixelRNNConfig

from . import textbook_rnn
from .textbook_taps import conditioned, convolve, mix


def multiscale(model: PixelModel, x: Tensor, vector: Tensor | None, positions: Tensor | None) -> Tensor:
    """Van den Oord et al. 2016a, section 3.5."""
    config, net, ports = model.config.backbone, model.backbone, model.dims
    assert isinstance(config, MultiscalePixelRNNConfig)
    s = config.factor

    def small_of(t: Tensor | None) -> Tensor | None:
        rows = None if t is None else torch.stack([t[:, :, y] for y in range(0, t.shape[2], s)], 2)
        return None if rows is None else torch.stack([rows[..., i] for i in range(0, rows.shape[3], s)], 3)

    small = small_of(x)
    assert small is not None
    spread = upsampled(net.upsampler, [small, None, None], config.dilations, (s, s), *x.shape[2:])
    position_map = spread if positions is None else torch.cat([positions, spread], 1)
    out = textbook_rnn.network(net.large, config.large, ports, x, vector, position_map)
    first = textbook_rnn.network(net.small, config.small, ports, small, small_of(vector), small_of(positions))
    for row in range(0, x.shape[2], s):
        for column in range(0, x.shape[3], s):
            out[:, :, row, column] = first[:, :, row // s, column // s]
    return out


def upsampled(
    net: Any, small: Sequence[Tensor | None], dilations: Sequence[int], factor: tuple[int, int], height: int, width: int
) -> Tensor:
    """Each small pixel adds its tap to every large one less than `factor` rows and columns away.

    `small` holds the canvas, and the vector and the map of the condition, of the small image.
    """
    canvas, vector, positions = small
    assert canvas is not None

    def three(x: Tensor, layer: Any, step: int) -> Tensor:
        taps = [(dy + 1, dx + 1, dy * step, dx * step) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
        return convolve(x, layer, taps, lambda o, i: True)

    y = conditioned(three(canvas, net.first, 1), net.condition, vector, positions)
    for layer, step in zip(net.blocks, dilations, strict=True):
        y = y + three(y.clamp(min=0), layer, step)
    y, (down, right), weight = y.clamp(min=0), factor, net.spread.weight  # [in, out, ky, kx]
    out = net.spread.bias[:, None, None].repeat(len(y), 1, height, width).view(len(y), -1, height, width)
    for row in range(height):
        for column in range(width):
            for i in range(y.shape[2]):
                for j in range(y.shape[3]):
                    dy, dx = row - down * i, column - right * j
                    if abs(dy) < down and abs(dx) < right:
                        tap = weight[:, :, dy + down - 1, dx + right - 1].T
                        out[:, :, row, column] += mix(y[:, :, i : i + 1, j : j + 1], tap, None)[:, :, 0, 0]
    return out


def count(config: MultiscalePixelRNNConfig, canvas: int, cond: int, out: int) -> int:
    """Parameters of both networks and of what lies between them."""
    m, head = config.map_channels, config.head_channels
    total = 9 * m * canvas + m + len(config.dilations) * (9 * m * m + m) + m * m * (2 * config.factor - 1) ** 2 + m
    total += textbook_rnn.count(config.small, canvas, cond) + textbook_rnn.count(config.large, canvas, cond + m)
    return total + 2 * (head * head + head + out * head + out)
