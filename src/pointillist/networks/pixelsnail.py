"""PixelSNAIL.

Chen, Mishra, Rohaninejad, Abbeel: PixelSNAIL: An Improved Autoregressive Generative Model, ICML 2018
(arXiv 1712.09763).

Adds to PixelCNN++: causal attention after every few convolutions, so that a site can look up any earlier one at full
resolution, whatever its distance; gated residual blocks without down-sampling; positions as two background channels of
the attention. A key and a value are computed after the draw of their site, so they hold the pixel itself, and the
attention is strict: a site sees those before it, and the first one sees none.

Built as in the authors' released code, where the paper is silent, in the variant that their commands for CIFAR-10 and
ImageNet use: one stream, keys of 16, no down-sampling.

Not implemented: weight normalisation with data-dependent initialisation (the last layer of a residual branch starts at
a tenth of its size instead); the released variants with two streams or down-sampled attention.
Differs from the paper: the attention is normalised exactly, and gives zeros at the first site (the released code adds
1e-6 to the denominator); there is no channel of ones beside the image; the upper tap of the first layer's 2x1 kernel,
which its 1x3 kernel has too, is left out; positions run from -1 to 1; there may be several heads. Where the channels
are painted in turn (the paper's mixture couples them), features, queries and the heads that answer them are grouped,
keys and values are not, because they are of earlier sites.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from pointillist.networks.backbone import Backbone, BackboneConfig, BackboneDims
from pointillist.nn import (
    CausalLayer,
    Condition,
    ConditionBias,
    CornerConv2d,
    HorizontalConv2d,
    PointwiseConv2d,
    VerticalConv2d,
    channel_groups,
)
from pointillist.nn.dropout import Dropout
from pointillist.nn.passes import Pass


class PixelSNAILConfig(BackboneConfig):
    """Settings of PixelSNAIL; the authors have 12 blocks of 4 layers of 256, one head, keys of 16, values of 128.

    Attributes:
        channels: features of the residual stream.
        blocks: how often convolutions are followed by attention.
        layers: gated residual layers before each attention.
        first_kernel, kernel: odd kernel sizes of the strict first layer and of the residual layers; of the latter only
            the upper left corner is used, so that 3 is the paper's 2x2.
        heads: heads of each sub-pixel that is painted in turn.
        key_channels, value_channels: features of a key and of a value of each head.
        dropout: probability, inside each residual branch.
    """

    channels: int = Field(64, ge=1, le=8192)
    blocks: int = Field(3, ge=1, le=128)
    layers: int = Field(3, ge=1, le=512)
    first_kernel: int = Field(3, ge=3, le=63)  # the strict layer needs a neighbour
    kernel: int = Field(3, ge=1, le=63)
    heads: int = Field(1, ge=1, le=256)
    key_channels: int = Field(16, ge=1, le=8192)
    value_channels: int = Field(64, ge=1, le=8192)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)


def positions(height: int, width: int, like: Tensor) -> Float[Tensor, "1 2 h w"]:
    """Row and column of the centre of each site, in (-1, 1), whatever the size."""
    row, column = ((torch.arange(n, dtype=like.dtype, device=like.device) * 2 + 1) / n - 1 for n in (height, width))
    return torch.stack([row[:, None].expand(height, width), column[None].expand(height, width)])[None]


class GatedResidual(CausalLayer):
    """x + a sigmoid(b), where a and b come from two layers of `kernel` (or 1x1) and ELUs before each.

    Args:
        groups: of the features that go in and come out.
        kernel: size of the causal convolutions; None for 1x1 layers.
        side: groups of a second input, which is mixed in between the two layers; None for none.
    """

    def __init__(
        self,
        ports: BackboneDims,
        groups: Int[Tensor, " d"],
        dropout: float,
        *,
        kernel: int | None = None,
        side: Int[Tensor, " s"] | None = None,
    ) -> None:
        super().__init__()
        gated = torch.cat([groups, groups])  # each half of a gate has the groups of its result
        self.first = _layer(kernel, groups, groups)
        self.side = None if side is None else PointwiseConv2d(side, groups)
        self.second = _layer(kernel, groups, gated)
        with torch.no_grad():
            self.second.weight.mul_(0.1)
        self.condition = ConditionBias(ports.heard, gated)
        self.dropout = Dropout(dropout)

    def forward(
        self, x: Float[Tensor, "b d h w"], ctx: Pass, condition: Condition, side: Tensor | None = None
    ) -> Float[Tensor, "b d h w"]:
        """One block."""
        h = _apply(self.first, F.elu(x), ctx)
        if self.side is not None:
            assert side is not None
            h = h + self.side(F.elu(side))
        h = _apply(self.second, self.dropout(F.elu(h)), ctx)
        values, gates = self.condition(h, ctx, condition).chunk(2, 1)
        out: Tensor = x + values * torch.sigmoid(gates)
        return out


class AttentionBlock(CausalLayer):
    """Gated residual convolutions, then attention to what they, and the pixels, were at earlier sites."""

    def __init__(self, config: PixelSNAILConfig, ports: BackboneDims) -> None:
        super().__init__()
        features = channel_groups(config.channels, ports.groups)
        self.heads = config.heads * ports.groups
        self.sizes = [self.heads * config.key_channels, self.heads * config.value_channels]
        asking = torch.cat([features, torch.zeros(2, dtype=features.dtype, device="cpu")])  # all may know the position
        asked, answered = (
            torch.arange(ports.groups, device="cpu").repeat_interleave(size // ports.groups) for size in self.sizes
        )
        whole = channel_groups(ports.canvas + config.channels + 2, 1)  # of an earlier site everything is known
        self.residuals = nn.ModuleList(
            GatedResidual(ports, features, config.dropout, kernel=config.kernel) for _ in range(config.layers)
        )
        self.content = GatedResidual(ports, whole, config.dropout)
        self.keys_values = PointwiseConv2d(whole, channel_groups(sum(self.sizes), 1))
        self.question = GatedResidual(ports, asking, config.dropout)
        self.query = PointwiseConv2d(asking, asked)
        self.answer = GatedResidual(ports, features, config.dropout, side=answered)

    def forward(self, x: Tensor, h: Tensor, background: Tensor, ctx: Pass, condition: Condition) -> Tensor:
        """The next features of each site."""
        for residual in self.residuals:
            h = residual(h, ctx, condition)

        def drawn(x: Tensor, h: Tensor, background: Tensor) -> tuple[Tensor, Tensor]:
            content = self.content(torch.cat([x, h, background], 1), ctx, condition)
            keys, values = self.keys_values(content).split(self.sizes, 1)
            return keys, values

        query = self.query(self.question(torch.cat([h, background], 1), ctx, condition))
        found = ctx.attend(self.key("attend"), query, drawn, (x, h, background), self.heads)
        out: Tensor = self.answer(h, ctx, condition, found)
        return out


class PixelSNAIL(Backbone):
    """A strict first layer, blocks of convolutions and attention, output."""

    Config = PixelSNAILConfig

    def __init__(self, config: PixelSNAILConfig, ports: BackboneDims) -> None:
        super().__init__()
        canvas = channel_groups(ports.canvas, ports.groups)
        features = channel_groups(config.channels, ports.groups)
        self.above = VerticalConv2d(ports.canvas, config.channels, config.first_kernel, strict=True)
        self.before = HorizontalConv2d(
            ports.canvas, config.channels, config.first_kernel, in_groups=canvas, out_groups=features, strict=True
        )
        self.blocks = nn.ModuleList(AttentionBlock(config, ports) for _ in range(config.blocks))
        self.output = PointwiseConv2d(features, channel_groups(ports.params, ports.groups))

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Parameters of each site; see `Backbone.forward`."""
        place = positions(x.shape[2], x.shape[3], self.output.weight)
        background = ctx.external("background", place.expand(x.shape[0], -1, -1, -1))
        h = self.above(x, ctx) + self.before(x, ctx)
        for block in self.blocks:
            h = block(x, h, background, ctx, condition)
        out: Tensor = self.output(F.elu(h))
        return out


def _layer(
    kernel: int | None, in_groups: Int[Tensor, " i"], out_groups: Int[Tensor, " o"]
) -> CornerConv2d | PointwiseConv2d:
    if kernel is None:
        return PointwiseConv2d(in_groups, out_groups)
    return CornerConv2d(kernel, in_groups=in_groups, out_groups=out_groups)


def _apply(layer: CornerConv2d | PointwiseConv2d, x: Tensor, ctx: Pass) -> Tensor:
    out: Tensor = layer(x, ctx) if isinstance(layer, CornerConv2d) else layer(x)
    return out
