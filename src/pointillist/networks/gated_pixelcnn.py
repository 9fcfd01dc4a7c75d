"""Gated PixelCNN.

Van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves, Kavukcuoglu: Conditional Image Generation with PixelCNN
Decoders, NeurIPS 2016 (arXiv 1606.05328).

Adds to PixelCNN: a vertical stack over all rows above and a horizontal stack over the row so far, which remove the
blind spot (section 2.2, figure 2); gates tanh(W_f * x) sigmoid(W_g * x) in place of rectifiers (eq. 2); conditions as a
bias in every gate, from a vector (eq. 3, 4) or a map (eq. 5).

Not implemented: the PixelCNN auto-encoder (section 2.4).
Differs from the paper: kernels are sliced, not masked, except among the sub-pixels of the pixel itself; every layer
feeds the head (skip connections, as in the authors' WaveNet); dilations, dropout and a residual in the vertical stack
are options. Only the first layer of each stack is strict: later
vertical layers keep their centre row, because without it a 45-degree cone of earlier pixels would be lost (a common
mistake).
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from pointillist.images.array_types import Float
from pointillist.networks.backbone import BackboneDims, DilatedConfig, ResidualHead, ResidualSkip, dilated_layers
from pointillist.nn import (
    CausalLayer,
    Condition,
    ConditionBias,
    Dropout,
    HorizontalConv2d,
    VerticalConv2d,
    channel_groups,
    gate,
)
from pointillist.nn.passes import Pass


class GatedPixelCNNConfig(DilatedConfig):
    """Settings of Gated PixelCNN; the paper has 20 layers of 384 with 5x5 kernels (ImageNet).

    ```python
    network = GatedPixelCNN(GatedPixelCNNConfig(channels=32, layers=4), BackboneDims(groups=1, canvas=1, params=16))
    ```

    Attributes:
        channels: features of each stack.
        layers: number of gated layers.
        first_kernel, kernel: kernel sizes of the first and of the later layers, odd.
        dilations: distance between the taps of layers 2, 3, ..., in pixels; repeated as often as needed.
        head_channels: features of the layer before the output.
        vertical_residual: whether the vertical stack adds its input, as the horizontal one does.
        dropout: probability, after the gates of the horizontal stack.
    """

    vertical_residual: bool = False


class GatedLayer(CausalLayer):
    """A layer of both stacks (figure 2)."""

    def __init__(
        self, config: GatedPixelCNNConfig, dims: BackboneDims, *, first: bool, last: bool, dilation: int
    ) -> None:
        super().__init__()
        d = config.channels
        features = channel_groups(d, dims.groups)
        gated = torch.cat([features, features])  # both halves of a gate have the groups of its result
        in_groups = channel_groups(dims.canvas, dims.groups) if first else features
        kernel = config.first_kernel if first else config.kernel
        self.vertical: VerticalConv2d = VerticalConv2d(len(in_groups), 2 * d, kernel, strict=first, dilation=dilation)
        self.horizontal: HorizontalConv2d = HorizontalConv2d(
            kernel, in_groups=in_groups, out_groups=gated, strict=first, dilation=dilation
        )
        if first:
            self.vertical.add_local_gain(dims.local_gain)
            self.horizontal.add_local_gain(dims.local_gain)
        self.link: nn.Conv2d = nn.Conv2d(2 * d, 2 * d, 1)  # the rows above are complete: no mask
        self.condition_vertical: ConditionBias = ConditionBias(dims.condition.without_tokens, torch.zeros_like(gated))
        self.condition_horizontal: ConditionBias = ConditionBias(dims.condition, gated)
        head = channel_groups(config.head_channels, dims.groups)
        self.out: ResidualSkip = ResidualSkip(features, head, residual=not first, last=last)
        self.dropout: Dropout = Dropout(config.dropout)
        self.vertical_residual: bool = config.vertical_residual and not first

    def forward(
        self, vertical: Tensor, horizontal: Tensor, ctx: Pass, condition: Condition
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the next features of both stacks and the skip output; the link is taken before the gate.

        Args:
            vertical, horizontal: features of both stacks, `[b d h w]`; the canvas in the first layer.
            ctx, condition: see `Backbone.forward`.
        """
        v = self.condition_vertical(self.vertical(vertical, ctx), ctx, condition)  # (b, 2d, h, w)
        h = self.horizontal(horizontal, ctx) + self.link(v)  # (b, 2d, h, w)
        h = self.condition_horizontal(h, ctx, condition)
        gated = gate(v)  # (b, d, h, w)
        horizontal, skip = self.out.split(self.dropout(gate(h)), horizontal)  # (b, d, h, w), (b, s, h, w)
        return (vertical + gated if self.vertical_residual else gated), horizontal, skip


class GatedPixelCNN(ResidualHead):
    """Two stacks of gated layers and a head over the sum of their skip outputs.

    ```python
    pt.build("gated-pixelcnn", shape=(1, 28, 28), levels=16, preset="small")
    ```
    """

    Config: ClassVar[type[GatedPixelCNNConfig]] = GatedPixelCNNConfig

    def __init__(self, config: GatedPixelCNNConfig, dims: BackboneDims) -> None:
        super().__init__()
        self.layers: nn.ModuleList = dilated_layers(GatedLayer, config, dims)
        self.add_head(config.head_channels, dims)

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Compute the parameters of each pixel; see `Backbone.forward`."""
        vertical, horizontal, total = self.layers[0](x, x, ctx, condition)
        for layer in self.layers[1:]:
            vertical, horizontal, skip = layer(vertical, horizontal, ctx, condition)
            total = total + skip
        return self.project(total, x, ctx)
