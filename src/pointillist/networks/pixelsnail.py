"""PixelSNAIL.

Chen, Mishra, Rohaninejad, Abbeel: PixelSNAIL: An Improved Autoregressive Generative Model, ICML 2018
(arXiv 1712.09763).

Adds to PixelCNN++: causal attention after every few convolutions, so that a pixel can attend to any earlier one at full
resolution, at any distance; gated residual blocks without down-sampling; positions as two background channels of the
attention. The key and value of a pixel are computed after it is sampled, so they contain the pixel itself, and the
attention is strict: a pixel attends to those before it, and the first one to none.

Where the paper is silent we follow the authors' released code, in the variant of their commands for CIFAR-10 and
ImageNet: one stream, keys of 16, no down-sampling.

Not implemented: weight normalisation with data-dependent initialisation (the last layer of a residual branch starts at
a tenth of its usual size instead); the released variants with two streams or down-sampled attention.
Differs from the paper: the attention is normalised exactly and is zero at the first pixel (the released code adds 1e-6
to the denominator); there is no channel of ones next to the image; the upper tap of the first layer's 2x1 kernel, which
its 1x3 kernel has too, is left out; positions run from -1 to 1; there may be several heads. If the channels are sampled
in turn (the paper's mixture couples them), features, queries and attention heads are grouped by sub-pixel; keys and
values are not, because they belong to earlier pixels.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from pointillist.images.array_types import Float, Int
from pointillist.networks.backbone import Backbone, BackboneConfig, BackboneDims
from pointillist.nn import (
    CausalLayer,
    Condition,
    ConditionBias,
    CornerConv2d,
    Dropout,
    HorizontalConv2d,
    PointwiseConv2d,
    VerticalConv2d,
    channel_groups,
)
from pointillist.nn.passes import Pass


class PixelSNAILConfig(BackboneConfig):
    """Settings of PixelSNAIL; the authors have 12 blocks of 4 layers of 256, one head, keys of 16, values of 128.

    ```python
    network = PixelSNAIL(PixelSNAILConfig(channels=32, blocks=2), BackboneDims(groups=1, canvas=1, params=16))
    ```

    Attributes:
        channels: features of the residual stream.
        blocks: number of blocks of convolutions and attention.
        layers: gated residual layers before each attention.
        first_kernel, kernel: kernel sizes of the strict first layer and of the residual layers, odd; of the latter only
            the upper left corner is used, so that 3 is the paper's 2x2.
        heads: attention heads for each sub-pixel that is sampled in turn.
        key_channels, value_channels: features of a key and of a value of each head.
        dropout: probability, inside each residual branch.
    """

    channels: int = Field(64, ge=1, le=8192)
    blocks: int = Field(3, ge=1, le=128)
    layers: int = Field(3, ge=1, le=512)
    first_kernel: int = Field(3, ge=3, le=63)  # a strict layer needs a neighbour
    kernel: int = Field(3, ge=1, le=63)
    heads: int = Field(1, ge=1, le=256)
    key_channels: int = Field(16, ge=1, le=8192)
    value_channels: int = Field(64, ge=1, le=8192)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)


def positions(height: int, width: int, like: Tensor) -> Float[Tensor, "1 2 h w"]:
    """Row and column of the centre of each pixel, scaled to (-1, 1) for any image size."""
    row, column = ((torch.arange(n, dtype=like.dtype, device=like.device) * 2 + 1) / n - 1 for n in (height, width))
    return torch.stack([row[:, None].expand(height, width), column[None].expand(height, width)])[None]


class GatedResidual(CausalLayer):
    """x + a sigmoid(b), where a and b come from two convolutions with an ELU before each.

    Args:
        dims: dimensions of the network.
        groups: sub-pixel of each input and output feature.
        dropout: probability, between the convolutions.
        kernel: size of the causal convolutions; None for 1x1 layers.
        side: sub-pixel of each feature of a second input, which is added between the two layers; None for none.
    """

    def __init__(
        self,
        dims: BackboneDims,
        groups: Int[Tensor, " d"],
        dropout: float,
        *,
        kernel: int | None = None,
        side: Int[Tensor, " s"] | None = None,
    ) -> None:
        super().__init__()
        gated = torch.cat([groups, groups])  # both halves of a gate have the groups of its result
        self.first: CornerConv2d | PointwiseConv2d = _layer(kernel, groups, groups)
        self.side: PointwiseConv2d | None = None if side is None else PointwiseConv2d(side, groups)
        self.second: CornerConv2d | PointwiseConv2d = _layer(kernel, groups, gated)
        with torch.no_grad():
            self.second.weight.mul_(0.1)
        self.condition: ConditionBias = ConditionBias(dims.condition, gated)
        self.dropout: Dropout = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "b d h w"], ctx: Pass, condition: Condition, side: Tensor | None = None
    ) -> Float[Tensor, "b d h w"]:
        """Compute the next features."""
        h = self.first(F.elu(x), ctx)  # (b, d, h, w)
        if self.side is not None:
            assert side is not None
            h = h + self.side(F.elu(side))
        h = self.second(self.dropout(F.elu(h)), ctx)  # (b, 2d, h, w)
        values, gates = self.condition(h, ctx, condition).chunk(2, 1)
        out: Tensor = x + values * torch.sigmoid(gates.clone())  # see `nn.activation`
        return out


class AttentionBlock(CausalLayer):
    """Gated residual convolutions, then attention to their features, and to the canvas, at earlier pixels."""

    def __init__(self, config: PixelSNAILConfig, dims: BackboneDims) -> None:
        super().__init__()
        features = channel_groups(config.channels, dims.groups)
        self.heads: int = config.heads * dims.groups
        self.sizes: list[int] = [self.heads * config.key_channels, self.heads * config.value_channels]
        # every feature may depend on the position
        positioned = torch.cat([features, torch.zeros(2, dtype=features.dtype, device="cpu")])
        keys, values = (
            torch.arange(dims.groups, device="cpu").repeat_interleave(size // dims.groups) for size in self.sizes
        )
        whole = channel_groups(dims.canvas + config.channels + 2, 1)  # an earlier pixel is known completely
        self.residuals: nn.ModuleList = nn.ModuleList(
            GatedResidual(dims, features, config.dropout, kernel=config.kernel) for _ in range(config.layers)
        )
        self.content: GatedResidual = GatedResidual(dims, whole, config.dropout)
        self.keys_values: PointwiseConv2d = PointwiseConv2d(whole, channel_groups(sum(self.sizes), 1))
        self.question: GatedResidual = GatedResidual(dims, positioned, config.dropout)
        self.query: PointwiseConv2d = PointwiseConv2d(positioned, keys)
        self.answer: GatedResidual = GatedResidual(dims, features, config.dropout, side=values)

    def forward(self, x: Tensor, h: Tensor, background: Tensor, ctx: Pass, condition: Condition) -> Tensor:
        """Compute the next features of each pixel.

        Args:
            x: the canvas, `[b i h w]`.
            h: features, `[b d h w]`.
            background: positions, `[b 2 h w]`.
            ctx, condition: see `Backbone.forward`.
        """
        for residual in self.residuals:
            h = residual(h, ctx, condition)

        def keys_values(x: Tensor, h: Tensor, background: Tensor) -> tuple[Tensor, Tensor]:
            content = self.content(torch.cat([x, h, background], 1), ctx, condition)
            keys, values = self.keys_values(content).split(self.sizes, 1)
            return keys, values

        query = self.query(self.question(torch.cat([h, background], 1), ctx, condition))
        attended = ctx.attend(self.key("attend"), query, keys_values, (x, h, background), self.heads)  # (b, v, h, w)
        out: Tensor = self.answer(h, ctx, condition, attended)
        return out


class PixelSNAIL(Backbone):
    """A strict first layer, blocks of convolutions and attention, and a 1x1 layer to the output.

    ```python
    pt.build("pixelsnail", shape=(1, 28, 28), levels=16, preset="small")
    ```
    """

    Config: ClassVar[type[PixelSNAILConfig]] = PixelSNAILConfig

    def __init__(self, config: PixelSNAILConfig, dims: BackboneDims) -> None:
        super().__init__()
        canvas = channel_groups(dims.canvas, dims.groups)
        features = channel_groups(config.channels, dims.groups)
        self.above: VerticalConv2d = VerticalConv2d(dims.canvas, config.channels, config.first_kernel, strict=True)
        self.before: HorizontalConv2d = HorizontalConv2d(
            config.first_kernel, in_groups=canvas, out_groups=features, strict=True
        )
        self.above.add_local_gain(dims.local_gain)
        self.before.add_local_gain(dims.local_gain)
        self.blocks: nn.ModuleList = nn.ModuleList(AttentionBlock(config, dims) for _ in range(config.blocks))
        self.output: PointwiseConv2d = PointwiseConv2d(features, channel_groups(dims.params, dims.groups))
        self.add_local_gain(dims)

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Compute the parameters of each pixel; see `Backbone.forward`."""
        grid = positions(x.shape[2], x.shape[3], self.output.weight)
        background = ctx.external("background", grid.expand(x.shape[0], -1, -1, -1))  # (b, 2, h, w)
        h = self.above(x, ctx) + self.before(x, ctx)  # (b, d, h, w)
        for block in self.blocks:
            h = block(x, h, background, ctx, condition)
        return self.place(self.output(F.elu(h)), x, ctx)


def _layer(
    kernel: int | None, in_groups: Int[Tensor, " i"], out_groups: Int[Tensor, " o"]
) -> CornerConv2d | PointwiseConv2d:
    if kernel is None:
        return PointwiseConv2d(in_groups, out_groups)
    return CornerConv2d(kernel, in_groups=in_groups, out_groups=out_groups)
