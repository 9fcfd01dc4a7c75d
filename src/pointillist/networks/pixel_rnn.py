"""The common part of both PixelRNNs: first layer, residual stack, skip connections, head.

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

from pointillist.networks.backbone import BackboneConfig, BackboneDims, ResidualHead, masked_stem
from pointillist.nn import CausalLayer, Condition, Dropout, MaskedConv2d, PointwiseConv2d, channel_groups
from pointillist.nn.passes import Pass


class PixelRNNConfig(BackboneConfig):
    """Settings of a PixelRNN.

    Attributes:
        channels: h, the features of a state; the residual stream has 2h.
        layers: number of recurrent layers.
        first_kernel: size of the mask A kernel, odd.
        head_channels: features of each of the two layers before the output.
        residual: whether the input of a layer is added to its output (figure 5).
        skip: whether every layer also feeds the head.
        dropout: probability, on the hidden state of a layer.
    """

    channels: int = Field(64, ge=1, le=8192)
    layers: int = Field(6, ge=1, le=512)
    first_kernel: int = Field(7, ge=3, le=63)  # a strict layer needs a neighbour
    head_channels: int = Field(64, ge=1, le=8192)
    residual: bool = True
    skip: bool = True
    dropout: float = Field(0.0, ge=0.0, lt=1.0)


def gate_groups(config: PixelRNNConfig, dims: BackboneDims) -> Int[Tensor, " g"]:
    """Assign each of the 4h gates to a group: each quarter has the groups of the state."""
    return torch.cat([channel_groups(config.channels, dims.groups)] * 4)


class RecurrentBlock(CausalLayer):
    """A recurrent layer from 2h features to a hidden state of h features."""

    def forward(
        self, x: Float[Tensor, "b d h w"], canvas: Tensor, ctx: Pass, condition: Condition
    ) -> Float[Tensor, "b e h w"]:
        """Compute the hidden state of each pixel; `canvas` is the input of the network."""
        raise NotImplementedError


class PixelRNN(ResidualHead):
    """A mask A convolution, recurrent layers in residual blocks, and 1x1 layers to the output."""

    def __init__(self, config: PixelRNNConfig, dims: BackboneDims, blocks: Sequence[RecurrentBlock]) -> None:
        super().__init__()
        narrow = channel_groups(config.channels, dims.groups)
        wide = channel_groups(2 * config.channels, dims.groups)
        head = channel_groups(config.head_channels, dims.groups)
        self.residual: bool = config.residual
        self.first: MaskedConv2d = masked_stem(2 * config.channels, config.first_kernel, dims)
        self.blocks: nn.ModuleList = nn.ModuleList(blocks)
        self.expands: nn.ModuleList = nn.ModuleList(PointwiseConv2d(narrow, wide) for _ in blocks)
        self.skips: nn.ModuleList | None = (
            nn.ModuleList(PointwiseConv2d(narrow, head, bias=False) for _ in blocks) if config.skip else None
        )
        self.dropout: Dropout = Dropout(config.dropout)
        self.last: PointwiseConv2d = PointwiseConv2d(wide, head)
        self.add_head(config.head_channels, dims)

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Compute the parameters of each pixel; see `Backbone.forward`."""
        h = self.first(x, ctx)  # (b, 2d, h, w)
        total: Tensor | None = None  # sum of the skip outputs, (b, s, h, w)
        for index, block in enumerate(self.blocks):
            state = self.dropout(block(h, x, ctx, condition))  # (b, d, h, w)
            out = self.expands[index](state)  # (b, 2d, h, w)
            h = h + out if self.residual else out
            if self.skips is not None:
                skip = self.skips[index](state)
                total = skip if total is None else total + skip
        y = self.last(F.relu(h))
        if total is not None:
            y = y + total
        return self.project(y, x, ctx)
