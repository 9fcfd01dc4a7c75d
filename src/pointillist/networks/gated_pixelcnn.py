"""Gated PixelCNN.

Van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu: Conditional Image Generation with PixelCNN
Decoders, NeurIPS 2016 (arXiv 1606.05328).

Adds to PixelCNN: a vertical stack that sees every row above and a horizontal stack that sees the row so far, so there
is no blind spot (section 2.2, figure 2); gates tanh(W_f * x) sigmoid(W_g * x) in place of rectifiers (eq. 2);
conditions as a bias in every gate, from a vector (eq. 3, 4) or a map (eq. 5).

Not implemented: the PixelCNN auto-encoder (section 2.4).
Differs from the paper: kernels are sliced, never masked, except among the sub-pixels of the site itself; every layer
feeds the head (skip connections, as in the authors' WaveNet); dilations, dropout and a residual in the vertical stack
are options. Only the first layer of each stack is strict: later vertical layers keep their centre row, or a 45-degree
cone of earlier pixels would be lost (a common mistake).
"""

from __future__ import annotations

from typing import Annotated

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from pointillist.networks.backbone import Backbone, BackboneConfig, BackboneDims
from pointillist.nn import (
    CausalLayer,
    Condition,
    ConditionBias,
    HorizontalConv2d,
    PointwiseConv2d,
    VerticalConv2d,
    channel_groups,
    gate,
)
from pointillist.nn.dropout import Dropout
from pointillist.nn.passes import Pass


class GatedPixelCNNConfig(BackboneConfig):
    """Settings of Gated PixelCNN; the paper has 20 layers of 384 with 5x5 kernels (ImageNet).

    Attributes:
        channels: features of each stack.
        layers: number of gated layers.
        first_kernel, kernel: odd kernel sizes of the first and of the later layers.
        dilations: distance between the taps of layers 2, 3, ..., repeated as often as needed.
        head_channels: features of the layer before the output.
        vertical_residual: whether the vertical stack adds its input, as the horizontal one does.
        dropout: probability, on the gated features of the horizontal stack.
    """

    channels: int = Field(64, ge=1, le=8192)
    layers: int = Field(12, ge=1, le=512)
    first_kernel: int = Field(7, ge=3, le=63)  # the strict layer needs a neighbour
    kernel: int = Field(3, ge=1, le=63)
    dilations: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field((1,), min_length=1, max_length=512)
    head_channels: int = Field(64, ge=1, le=8192)
    vertical_residual: bool = False
    dropout: float = Field(0.0, ge=0.0, lt=1.0)


class GatedLayer(CausalLayer):
    """One layer of both stacks (figure 2)."""

    def __init__(
        self, config: GatedPixelCNNConfig, ports: BackboneDims, *, first: bool, last: bool, dilation: int
    ) -> None:
        super().__init__()
        d = config.channels
        features = channel_groups(d, ports.groups)
        gated = torch.cat([features, features])  # each half of a gate has the groups of its result
        in_groups = channel_groups(ports.canvas, ports.groups) if first else features
        kernel = config.first_kernel if first else config.kernel
        self.vertical = VerticalConv2d(len(in_groups), 2 * d, kernel, strict=first, dilation=dilation)
        self.horizontal = HorizontalConv2d(
            len(in_groups), 2 * d, kernel, in_groups=in_groups, out_groups=gated, strict=first, dilation=dilation
        )
        self.link = nn.Conv2d(2 * d, 2 * d, 1)  # rows above are known whole: no mask
        self.condition_vertical = ConditionBias(ports.heard.without_tokens, torch.zeros_like(gated))
        self.condition_horizontal = ConditionBias(ports.heard, gated)
        head = channel_groups(config.head_channels, ports.groups)
        # nobody reads the residual of the last layer
        self.sizes = [0 if last else d, config.head_channels]
        self.out = PointwiseConv2d(features, torch.cat([features[: self.sizes[0]], head]))
        self.dropout = Dropout(config.dropout)
        # not in the first layer, whose input is the raw image: it would leak the site itself
        self.horizontal_residual = not first and not last
        self.vertical_residual = config.vertical_residual and not first

    def forward(
        self, vertical: Tensor, horizontal: Tensor, ctx: Pass, condition: Condition
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The next features of both stacks and the skip output; the link is taken before the gate."""
        rows = self.condition_vertical(self.vertical(vertical, ctx), ctx, condition)
        row = self.horizontal(horizontal, ctx) + self.link(rows)
        row = self.condition_horizontal(row, ctx, condition)
        above = gate(rows)
        out = self.out(self.dropout(gate(row)))
        residual, skip = out.split(self.sizes, 1) if self.sizes[0] else (horizontal, out)
        if self.horizontal_residual:
            residual = horizontal + residual
        return (vertical + above if self.vertical_residual else above), residual, skip


class GatedPixelCNN(Backbone):
    """Two stacks of gated layers and a head over the sum of their skip outputs."""

    Config = GatedPixelCNNConfig

    def __init__(self, config: GatedPixelCNNConfig, ports: BackboneDims) -> None:
        super().__init__()
        end = config.layers - 1
        dilations = [1] + [config.dilations[i % len(config.dilations)] for i in range(end)]
        self.layers = nn.ModuleList(
            GatedLayer(config, ports, first=i == 0, last=i == end, dilation=d) for i, d in enumerate(dilations)
        )
        head = channel_groups(config.head_channels, ports.groups)
        self.head = PointwiseConv2d(head, head)
        self.output = PointwiseConv2d(head, channel_groups(ports.params, ports.groups))

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Parameters of each site; see `Backbone.forward`."""
        vertical, horizontal, total = self.layers[0](x, x, ctx, condition)
        for layer in self.layers[1:]:
            vertical, horizontal, skip = layer(vertical, horizontal, ctx, condition)
            total = total + skip
        out: Tensor = self.output(F.relu(self.head(F.relu(total))))
        return out
