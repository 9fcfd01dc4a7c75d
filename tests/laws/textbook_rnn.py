"""The two PixelRNNs as in a textbook: site by site, each reading its neighbours from a dictionary."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pointillist.model.pixel_model import PixelModel
from pointillist.networks import BackboneDims, DiagonalBiLSTMConfig, RowLSTMConfig
from pointillist.networks.pixel_rnn import PixelRNNConfig

from .recurrent import site_by_site
from .textbook_taps import conditioned, convolve, mix, rules


def row_state(block: Any, x: Tensor, canvas: Tensor, features: tuple[Any, Any], config: Any, groups: int) -> Tensor:
    """Van den Oord et al. 2016a, section 3.1."""
    d, half = config.channels, config.kernel // 2
    own = rules(groups, 4 * d, 2 * d, halves=4)[1]
    gates = convolve(x, block.input, [(0, dx + half, 0, dx) for dx in range(-half, 1)], own)
    gates = conditioned(gates, block.condition, *features)
    matrices = {(-1, dx): block.state.weight[dx + half] for dx in range(-half, half + 1)}
    return site_by_site(gates, matrices, block.state.hidden, block.state.memory, carry=(-1, 0))


def diagonal_state(
    block: Any, x: Tensor, canvas: Tensor, features: tuple[Any, Any], config: Any, groups: int
) -> Tensor:
    """Van den Oord et al. 2016a, section 3.2, without a skewed map: the neighbours are above and beside."""
    own = rules(groups, 4 * config.channels, 2 * config.channels, halves=4)[1]
    total: Tensor = torch.zeros(())
    for name, side in (("left", -1), ("right", 1)):
        layer, state = getattr(block, f"{name}_input"), getattr(block, name)
        gates = mix(x, layer.weight[:, :, 0, 0], layer.bias, own if name == "left" else None)
        gates = conditioned(gates, getattr(block, f"{name}_condition"), *features)
        if name == "right" and block.pixel is not None:
            gates = gates + mix(canvas, block.pixel.weight[:, :, 0, 0], None)
        matrices = {(-1, 0): state.weight[0], (0, side): state.weight[1]}
        found = site_by_site(gates, matrices, state.hidden, state.memory, carry=(0, side))
        if name == "right":
            found = torch.cat([torch.zeros_like(found[:, :, :1]), found[:, :, :-1]], 2)
        total = total + found
    return total


def pixel_rnn(model: PixelModel, x: Tensor, vector: Tensor | None, positions: Tensor | None) -> Tensor:
    """Compute a Row LSTM or a Diagonal BiLSTM by itself."""
    config = model.config.backbone
    assert isinstance(config, PixelRNNConfig)
    return network(model.backbone, config, model.dims, x, vector, positions)


def network(
    net: Any, config: PixelRNNConfig, ports: BackboneDims, x: Tensor, vector: Tensor | None, positions: Tensor | None
) -> Tensor:
    """Figure 5, right: mask A, recurrent layers with residual and skip connections, head."""
    groups, params = ports.groups, ports.params
    d, head = config.channels, config.head_channels
    half = config.first_kernel // 2
    recurrent = row_state if isinstance(config, RowLSTMConfig) else diagonal_state

    def one(x: Tensor, layer: Any, outputs: int, inputs: int) -> Tensor:
        return mix(x, layer.weight[:, :, 0, 0], layer.bias, rules(groups, outputs, inputs)[1])

    window = [
        (dy + half, dx + half, dy, dx) for dy in range(-half, 1) for dx in range(-half, half + 1) if dy < 0 or dx <= 0
    ]
    y = convolve(x, net.first, window, rules(groups, 2 * d, x.shape[1])[0])
    skips: Tensor = torch.zeros(())
    for index, block in enumerate(net.blocks):
        state = recurrent(block, y, x, (vector, positions), config, groups)
        y = (y if config.residual else 0) + one(state, net.expands[index], 2 * d, d)
        if config.skip:
            skips = skips + one(state, net.skips[index], head, d)
    z = one(y.clamp(min=0), net.last, head, 2 * d) + skips
    z = one(z.clamp(min=0), net.head, head, head)
    return one(z.clamp(min=0), net.output, params, head)


def count(net: PixelRNNConfig, canvas: int, cond: int) -> int:
    """Parameters of the first layer, the recurrent layers, and all that leads to the head."""
    d, k1, head = net.channels, net.first_kernel, net.head_channels
    total = 2 * d * canvas * (k1 // 2 + 1) * k1 + 2 * d + 2 * d * head + head
    out = 2 * d * d + 2 * d + (d * head if net.skip else 0)
    if isinstance(net, RowLSTMConfig):
        block = 4 * d * (2 * d * (net.kernel // 2 + 1) + 1 + cond) + net.kernel * 4 * d * d + 2 * d
    else:
        assert isinstance(net, DiagonalBiLSTMConfig)
        block = 2 * (4 * d * (2 * d + 1 + cond) + 2 * 4 * d * d + 2 * d)
        total += canvas * 4 * d if net.border else 0
    return total + net.layers * (block + out)
