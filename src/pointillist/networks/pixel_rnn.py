"""What the two PixelRNNs have in common: first layer, residual stack, skip connections, head.

Van den Oord, Kalchbrenner, Kavukcuoglu: Pixel Recurrent Neural Networks, ICML 2016 (arXiv 1601.06759), section 3,
figure 5 and table 1. The recurrent layers are in `row_lstm.py` and `diagonal_bilstm.py`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from pointillist.networks.backbone import Backbone, BackboneConfig, BackboneDims
from pointillist.nn import CausalLayer, Condition, MaskedConv2d, PointwiseConv2d, channel_groups
from pointillist.nn.dropout import Dropout
from pointillist.nn.passes import Pass


class PixelRNNConfig(BackboneConfig):
    """Settings of a PixelRNN.

    Attributes:
        channels: h, the features of a state; the residual stream has 2h.
        layers: number of recurrent layers.
        first_kernel: odd size of the mask A kernel.
        head_channels: features of each of the two layers before the output.
        residual: whether a layer's input is added to its output (figure 5).
        skip: whether every layer also feeds the head.
        dropout: probability, on the state that leaves a layer.
    """

    channels: int = Field(64, ge=1, le=8192)
    layers: int = Field(6, ge=1, le=512)
    first_kernel: int = Field(7, ge=3, le=63)  # the strict layer needs a neighbour
    head_channels: int = Field(64, ge=1, le=8192)
    residual: bool = True
    skip: bool = True
    dropout: float = Field(0.0, ge=0.0, lt=1.0)


def gate_groups(config: PixelRNNConfig, ports: BackboneDims) -> Int[Tensor, " g"]:
    """The group of each of 4h gates: each quarter has the groups of the state that it makes."""
    return torch.cat([channel_groups(config.channels, ports.groups)] * 4)


class RecurrentBlock(CausalLayer):
    """A recurrent layer from 2h features to a state of h."""

    def forward(
        self, x: Float[Tensor, "b d h w"], canvas: Tensor, ctx: Pass, condition: Condition
    ) -> Float[Tensor, "b e h w"]:
        """The state at each site; `canvas` is what the model reads."""
        raise NotImplementedError


class PixelRNN(Backbone):
    """Mask A layer, recurrent layers in residual blocks, two 1x1 layers, output."""

    def __init__(self, config: PixelRNNConfig, ports: BackboneDims, blocks: Sequence[RecurrentBlock]) -> None:
        super().__init__()
        narrow = channel_groups(config.channels, ports.groups)
        wide = channel_groups(2 * config.channels, ports.groups)
        head = channel_groups(config.head_channels, ports.groups)
        self.residual = config.residual
        self.first = MaskedConv2d(
            ports.canvas,
            2 * config.channels,
            config.first_kernel,
            in_groups=channel_groups(ports.canvas, ports.groups),
            out_groups=wide,
            strict=True,
        )
        self.blocks = nn.ModuleList(blocks)
        self.expands = nn.ModuleList(PointwiseConv2d(narrow, wide) for _ in blocks)
        self.skips = nn.ModuleList(PointwiseConv2d(narrow, head, bias=False) for _ in blocks) if config.skip else None
        self.dropout = Dropout(config.dropout)
        self.last = PointwiseConv2d(wide, head)
        self.head = PointwiseConv2d(head, head)
        self.output = PointwiseConv2d(head, channel_groups(ports.params, ports.groups))

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Parameters of each site; see `Backbone.forward`."""
        h = self.first(x, ctx)
        total: Tensor | None = None
        for index, block in enumerate(self.blocks):
            state = self.dropout(block(h, x, ctx, condition))
            out = self.expands[index](state)
            h = h + out if self.residual else out
            if self.skips is not None:
                skip = self.skips[index](state)
                total = skip if total is None else total + skip
        y = self.last(F.relu(h))
        if total is not None:
            y = y + total
        params: Tensor = self.output(F.relu(self.head(F.relu(y))))
        return params
