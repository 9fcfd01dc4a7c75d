"""PixelCNN.

Van den Oord, Kalchbrenner, Kavukcuoglu: Pixel Recurrent Neural Networks, ICML 2016 (arXiv 1601.06759), section 3.4.

Adds to what came before: masked convolutions in place of a recurrence, so that all sites train in parallel; residual
blocks (figure 5, left); a softmax over levels; channels painted in turn, by masks on the features (section 3.1).

Its context has a **blind spot**: a stack of masked k x k kernels never sees a wedge to the upper right of the site.
This is part of the model, documented and tested; `gated-pixelcnn` removes it.

Not implemented: multi-scale (`multiscale.py`, a model of its own).
Differs from the paper: skip connections to the head can be switched off; conditions (the paper has none) enter as a
bias, and through a 1x1 convolution for maps, before the masked convolution of every block; optional dropout.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from pointillist.networks.backbone import Backbone, BackboneConfig, BackboneDims
from pointillist.nn import CausalLayer, Condition, ConditionBias, MaskedConv2d, PointwiseConv2d, channel_groups
from pointillist.nn.dropout import Dropout
from pointillist.nn.passes import Pass


class PixelCNNConfig(BackboneConfig):
    """Settings of PixelCNN; the paper has 15 layers of 128 (CIFAR-10).

    Attributes:
        channels: h; the residual stream has 2h features.
        layers: number of residual blocks.
        first_kernel, kernel: odd kernel sizes of the mask A layer and of the blocks.
        head_channels: features of each of the two layers before the output.
        skip: whether every block also feeds the head.
        dropout: probability, inside each block.
    """

    channels: int = Field(64, ge=1, le=8192)
    layers: int = Field(12, ge=1, le=512)
    first_kernel: int = Field(7, ge=3, le=63)  # the strict layer needs a neighbour
    kernel: int = Field(3, ge=1, le=63)
    head_channels: int = Field(64, ge=1, le=8192)
    skip: bool = True
    dropout: float = Field(0.0, ge=0.0, lt=1.0)


class ResidualBlock(CausalLayer):
    """2h -> h -> masked k x k -> 2h, added to its input (figure 5)."""

    def __init__(self, config: PixelCNNConfig, ports: BackboneDims) -> None:
        super().__init__()
        wide = channel_groups(2 * config.channels, ports.groups)
        narrow = channel_groups(config.channels, ports.groups)
        self.reduce = PointwiseConv2d(wide, narrow)
        self.masked = MaskedConv2d(
            config.channels, config.channels, config.kernel, in_groups=narrow, out_groups=narrow, strict=False
        )
        self.expand = PointwiseConv2d(narrow, wide)
        self.condition = ConditionBias(ports.heard, narrow)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Float[Tensor, "b d h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b d h w"]:
        """One block."""
        h = self.condition(self.reduce(F.relu(x)), ctx, condition)
        h = self.dropout(F.relu(self.masked(F.relu(h), ctx)))
        out: Tensor = x + self.expand(h)
        return out


class PixelCNN(Backbone):
    """Mask A layer, residual mask B blocks, two 1x1 layers, output."""

    Config = PixelCNNConfig

    def __init__(self, config: PixelCNNConfig, ports: BackboneDims) -> None:
        super().__init__()
        wide = channel_groups(2 * config.channels, ports.groups)
        head = channel_groups(config.head_channels, ports.groups)
        self.first = MaskedConv2d(
            ports.canvas,
            2 * config.channels,
            config.first_kernel,
            in_groups=channel_groups(ports.canvas, ports.groups),
            out_groups=wide,
            strict=True,
        )
        self.blocks = nn.ModuleList(ResidualBlock(config, ports) for _ in range(config.layers))
        self.skips = (
            nn.ModuleList(PointwiseConv2d(wide, head, bias=False) for _ in self.blocks) if config.skip else None
        )
        self.last = PointwiseConv2d(wide, head)
        self.head = PointwiseConv2d(head, head)
        self.output = PointwiseConv2d(head, channel_groups(ports.params, ports.groups))

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Parameters of each site; see `Backbone.forward`."""
        h = self.first(x, ctx)
        total: Tensor | None = None
        for index, block in enumerate(self.blocks):
            h = block(h, ctx, condition)
            if self.skips is not None:
                skip = self.skips[index](F.relu(h))
                total = skip if total is None else total + skip
        h = self.last(F.relu(h))
        if total is not None:
            h = h + total
        out: Tensor = self.output(F.relu(self.head(torch.relu(h))))
        return out
