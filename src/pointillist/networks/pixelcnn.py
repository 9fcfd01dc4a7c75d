"""PixelCNN.

Van den Oord, Kalchbrenner, Kavukcuoglu: Pixel Recurrent Neural Networks, ICML 2016 (arXiv 1601.06759), section 3.4.

Adds to what came before: masked convolutions in place of a recurrence, so that all pixels train in parallel; residual
blocks (figure 5, left); a softmax over levels; channels that are sampled in turn, by masks on the features (section
3.1).

Its context has a **blind spot**: a stack of masked k x k kernels never reads a wedge to the upper right of the pixel.
This is part of the model, documented and tested; `gated-pixelcnn` removes it.

Not implemented: multi-scale (`multiscale_pixelrnn.py`, a separate model).
Differs from the paper: skip connections to the head can be switched off; conditions (the paper has none) enter as a
bias, and through a 1x1 convolution for maps, before the masked convolution of every block, or after the first layer
of a network without blocks; optional dropout.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from pointillist.images.array_types import Float
from pointillist.networks.backbone import BackboneDims, ResidualHead, StackConfig, masked_stem
from pointillist.nn import CausalLayer, Condition, ConditionBias, Dropout, MaskedConv2d, PointwiseConv2d, channel_groups
from pointillist.nn.passes import Pass


class PixelCNNConfig(StackConfig):
    """Settings of PixelCNN; the paper has 15 layers of 128 (CIFAR-10).

    ```python
    network = PixelCNN(PixelCNNConfig(channels=32, layers=4), BackboneDims(groups=1, canvas=1, params=16))
    ```

    Attributes:
        channels: h; the residual stream has 2h features.
        layers: number of residual blocks; without any, the network is 1x1 layers over the window of the first one.
        first_kernel, kernel: kernel sizes of the mask A layer and of the blocks, odd.
        head_channels: features of each of the two layers before the output.
        skip: whether every block also feeds the head.
        dropout: probability, inside each block.
    """

    layers: int = Field(12, ge=0, le=512)
    kernel: int = Field(3, ge=1, le=63)
    skip: bool = True


class ResidualBlock(CausalLayer):
    """2h -> h -> masked k x k -> 2h, added to its input (figure 5)."""

    def __init__(self, config: PixelCNNConfig, dims: BackboneDims) -> None:
        super().__init__()
        wide = channel_groups(2 * config.channels, dims.groups)
        narrow = channel_groups(config.channels, dims.groups)
        self.reduce: PointwiseConv2d = PointwiseConv2d(wide, narrow)
        self.masked: MaskedConv2d = MaskedConv2d(config.kernel, in_groups=narrow, out_groups=narrow, strict=False)
        self.expand: PointwiseConv2d = PointwiseConv2d(narrow, wide)
        self.condition: ConditionBias = ConditionBias(dims.condition, narrow)
        self.dropout: Dropout = Dropout(config.dropout)

    def forward(self, x: Float[Tensor, "b d h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b d h w"]:
        """Compute the next features of the residual stream."""
        h = self.condition(self.reduce(F.relu(x)), ctx, condition)  # (b, d / 2, h, w)
        h = self.dropout(F.relu(self.masked(F.relu(h), ctx)))  # (b, d / 2, h, w)
        out: Tensor = x + self.expand(h)  # (b, d, h, w)
        return out


class PixelCNN(ResidualHead):
    """A mask A convolution, residual mask B blocks, and 1x1 layers to the output.

    ```python
    pt.build("pixelcnn", shape=(1, 28, 28), levels=16, preset="small")
    ```
    """

    Config: ClassVar[type[PixelCNNConfig]] = PixelCNNConfig

    def __init__(self, config: PixelCNNConfig, dims: BackboneDims) -> None:
        super().__init__()
        wide = channel_groups(2 * config.channels, dims.groups)
        head = channel_groups(config.head_channels, dims.groups)
        self.first: MaskedConv2d = masked_stem(2 * config.channels, config.first_kernel, dims)
        self.condition: ConditionBias | None = None if config.layers else ConditionBias(dims.condition, wide)
        self.blocks: nn.ModuleList = nn.ModuleList(ResidualBlock(config, dims) for _ in range(config.layers))
        skips = (PointwiseConv2d(wide, head, bias=False) for _ in self.blocks if config.skip)
        self.skips: nn.ModuleList = nn.ModuleList(skips)
        self.last: PointwiseConv2d = PointwiseConv2d(wide, head)
        self.add_head(config.head_channels, dims)

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Compute the parameters of each pixel; see `Backbone.forward`."""
        h = self.first(x, ctx)  # (b, 2d, h, w)
        if self.condition is not None:
            h = self.condition(h, ctx, condition)
        total: Tensor | None = None  # sum of the skip outputs, (b, s, h, w)
        for index, block in enumerate(self.blocks):
            h = block(h, ctx, condition)
            if len(self.skips):
                skip = self.skips[index](F.relu(h))
                total = skip if total is None else total + skip
        h = self.last(F.relu(h))
        if total is not None:
            h = h + total
        return self.project(h, x, ctx)
