"""PixelCNN++.

Salimans, Karpathy, Chen, Kingma: PixelCNN++, ICLR 2017 (arXiv 1701.05517).

Adds to Gated PixelCNN: a mixture of discretised logistics in place of a softmax, conditioned on whole pixels, with the
channels of a pixel tied by the mixture (section 2.1, 2.2; `likelihoods.py`); down- and up-sampling by convolutions of
stride 2 in place of ever more layers (2.3); shortcuts from each layer on the way down to its mirror image on the way up
(2.4); dropout (2.5). As in the released code: two streams, one of the rows above (2x3 kernels, shifted down) and one of
the row so far too (2x2 kernels, shifted down and right), which hears the first through a 1x1 layer; gated residual
layers with concatenated ELUs; weight normalisation, initialised from a first batch.

Sizes of the paper (CIFAR-10): 6 blocks (32, 16, 8, 8, 16, 32) of 5 layers, 160 filters in the released code, 10
mixtures, dropout 0.5; the defaults below.

Its context is every earlier site within reach: there is no wedge that depth cannot fill, as in PixelCNN. But the coarse
grids hear of an odd row only when the next one begins, so within it, and to the far right of the row above it, sites
are reached through the finest layers alone. With the paper's sizes those 23 columns away or more are not seen: 1,440
of the 523,776 pairs of sites of a 32x32 image (tested).

Not implemented: an auto-encoder or continuous likelihood (the ablations of section 3.4).
Differs from the paper: no constant channel of ones is joined to the image, so there are 11 x 160 weights less; a row
or column is strict by a sliced kernel, not by shifting results, so a bias is never shifted; a side that does not divide
by 4 is rounded up on each coarse grid, whose sites are every second row and column from 0 on; with a likelihood that
does not tie the channels, the features of the second stream keep the order of the sub-pixels, and its first layer reads
those of its own site before them; label vectors and maps enter as a bias in every layer of both streams, after its
second convolution; the first batch is seen without dropout, and outputs that hardly vary on it are not scaled up.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor, nn

from pointillist.networks.backbone import Backbone, BackboneConfig, BackboneDims
from pointillist.nn import (
    Condition,
    ConditionBias,
    NormalisedConv2d,
    NormalisedConvTranspose2d,
    NormalisedPointwiseConv2d,
    channel_causal_mask,
    channel_groups,
)
from pointillist.nn.dropout import Dropout
from pointillist.nn.passes import Pass

Pair = tuple[Tensor, Tensor]
"""Features of both streams: of the rows above, and of all before the site."""


class PixelCNNPPConfig(BackboneConfig):
    """Settings of PixelCNN++; the defaults are the paper's (CIFAR-10).

    Attributes:
        channels: features of each stream.
        layers: gated layers of each block; there is a block down and a block up at each resolution.
        resolutions: how many grids there are, each half as high and wide as the one before.
        dropout: probability, inside each gated layer.
        residual_scale: deviation of what the second convolution of each gated layer makes of the first batch.
    """

    channels: int = Field(160, ge=1, le=8192)
    layers: int = Field(5, ge=1, le=512)
    resolutions: int = Field(3, ge=1, le=8)
    dropout: float = Field(0.5, ge=0.0, lt=1.0)
    residual_scale: float = Field(0.1, gt=0.0, le=10.0)


def concat_elu(x: Float[Tensor, "b d h w"]) -> Float[Tensor, "b 2*d h w"]:
    """elu of x and of -x."""
    return F.elu(torch.cat([x, -x], 1))


class Stream:
    """What tells the two streams apart: how far right their kernels see, and which sub-pixels their features know."""

    def __init__(self, right: int, features: Int[Tensor, " d"]) -> None:
        self.right = right
        self.features = features
        self.activated = torch.cat([features, features])  # concat_elu doubles them, and so do the halves of a gate

    def convolution(
        self, inputs: Int[Tensor, " i"], outputs: Int[Tensor, " o"], *, stride: int = 1, target: float = 1.0
    ) -> NormalisedConv2d:
        """The 2x3 or 2x2 convolution of this stream, over its own row and the one above."""
        site = channel_causal_mask(outputs, inputs, strict=False)
        mask = None
        if site is not None:
            mask = torch.ones(len(outputs), len(inputs), 2, 2 + self.right)
            mask[:, :, 1, 1] = site
        return NormalisedConv2d(
            len(inputs), len(outputs), up=1, left=1, right=self.right, stride=stride, mask=mask, target=target
        )


class GatedLayer(nn.Module):
    """x + a sigmoid(b), with a and b from two convolutions of x and a 1x1 layer over what comes by a shortcut.

    Args:
        shortcut: the sub-pixels known to the features that come by the shortcut; None where there is none.
        scale: the grid: every `scale`-th row and column of the image.
    """

    def __init__(
        self,
        stream: Stream,
        shortcut: Int[Tensor, " s"] | None,
        config: PixelCNNPPConfig,
        ports: BackboneDims,
        scale: int,
    ) -> None:
        super().__init__()
        self.first = stream.convolution(stream.activated, stream.features)
        self.second = stream.convolution(stream.activated, stream.activated, target=config.residual_scale)
        self.link = (
            None if shortcut is None else NormalisedPointwiseConv2d(torch.cat([shortcut, shortcut]), stream.features)
        )
        self.condition = ConditionBias(ports.heard, stream.activated, scale=scale)
        self.dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, shortcut: Tensor | None, ctx: Pass, condition: Condition) -> Tensor:
        """One layer."""
        h = self.first(concat_elu(x), ctx)
        if self.link is not None:
            assert shortcut is not None
            h = h + self.link(concat_elu(shortcut))
        h = self.second(self.dropout(concat_elu(h)), ctx)
        values, gates = self.condition(h, ctx, condition).chunk(2, 1)
        out: Tensor = x + values * torch.sigmoid(gates)
        return out


class GatedResidualPair(nn.Module):
    """A gated layer of each stream; the second one hears the first.

    On the way up (`mirrors`) both also hear their mirror images on the way down.
    """

    def __init__(
        self, above: Stream, before: Stream, config: PixelCNNPPConfig, ports: BackboneDims, *, scale: int, mirrors: bool
    ) -> None:
        super().__init__()
        heard = torch.cat([above.features, before.features]) if mirrors else above.features
        self.above = GatedLayer(above, above.features if mirrors else None, config, ports, scale)
        self.before = GatedLayer(before, heard, config, ports, scale)

    def forward(self, pair: Pair, mirror: Pair | None, ctx: Pass, condition: Condition) -> Pair:
        """The next features of both streams."""
        above = self.above(pair[0], None if mirror is None else mirror[0], ctx, condition)
        heard = above if mirror is None else torch.cat([above, mirror[1]], 1)
        return above, self.before(pair[1], heard, ctx, condition)


class DownsampleBlock(nn.Module):
    """A convolution of stride 2 in each stream: a coarse site is where its finest site is, and knows no more."""

    def __init__(self, above: Stream, before: Stream) -> None:
        super().__init__()
        self.above = above.convolution(above.features, above.features, stride=2)
        self.before = before.convolution(before.features, before.features, stride=2)

    def forward(self, pair: Pair, ctx: Pass) -> Pair:
        """Both streams at every second row and column."""
        return self.above(pair[0], ctx), self.before(pair[1], ctx)


class UpsampleBlock(nn.Module):
    """A transposed convolution of stride 2 in each stream."""

    def __init__(self, above: Stream, before: Stream) -> None:
        super().__init__()
        self.above = NormalisedConvTranspose2d(above.features, above.features, right=above.right)
        self.before = NormalisedConvTranspose2d(before.features, before.features, right=before.right)

    def forward(self, pair: Pair, like: Pair, ctx: Pass) -> Pair:
        """Both streams on the grid of `like`."""
        return self.above(pair[0], ctx, like[0]), self.before(pair[1], ctx, like[1])


class InputBlock(nn.Module):
    """The strict layers that read the image: two rows above; one row above, and what is left of the site."""

    def __init__(self, above: Stream, before: Stream, ports: BackboneDims) -> None:
        super().__init__()
        inputs = channel_groups(ports.canvas, ports.groups)
        d = len(before.features)
        self.rows = NormalisedConv2d(ports.canvas, d, up=2, down=-1, left=1, right=1)
        self.row = NormalisedConv2d(ports.canvas, d, up=1, down=-1, left=1, right=1)
        # of its own site a feature sees the sub-pixels before its own; where there is but one, the tap is sliced away
        site = channel_causal_mask(before.features, inputs, strict=True) if ports.groups > 1 else None
        mask = None
        if site is not None:
            mask = torch.ones(d, ports.canvas, 2, 2)
            mask[:, :, 1, 1] = site
        self.left = NormalisedConv2d(ports.canvas, d, up=1, left=1, right=-1 if mask is None else 0, mask=mask)

    def forward(self, x: Tensor, ctx: Pass) -> Pair:
        """The first features of both streams."""
        return self.rows(x, ctx), self.row(x, ctx) + self.left(x, ctx)


class PixelCNNPP(Backbone):
    """A block of pairs at each grid on the way down, as many on the way up, and a 1x1 layer to the output."""

    Config = PixelCNNPPConfig

    def __init__(self, config: PixelCNNPPConfig, ports: BackboneDims) -> None:
        super().__init__()
        d, grids = config.channels, range(config.resolutions)
        features = channel_groups(d, ports.groups)
        above, before = Stream(1, torch.zeros_like(features)), Stream(0, features)

        def block(grid: int, count: int, *, mirrors: bool) -> nn.ModuleList:
            return nn.ModuleList(
                GatedResidualPair(above, before, config, ports, scale=2**grid, mirrors=mirrors) for _ in range(count)
            )

        self.first = InputBlock(above, before, ports)
        self.down = nn.ModuleList(block(grid, config.layers, mirrors=False) for grid in grids)
        self.coarser = nn.ModuleList(DownsampleBlock(above, before) for _ in grids[1:])
        # the finer blocks on the way up also mirror what the block on the way down begins with
        self.up = nn.ModuleList(
            block(grid, config.layers + (grid < grids[-1]), mirrors=True) for grid in reversed(grids)
        )
        self.finer = nn.ModuleList(UpsampleBlock(above, before) for _ in grids[1:])
        self.output = NormalisedPointwiseConv2d(features, channel_groups(ports.params, ports.groups))

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Parameters of each site; see `Backbone.forward`."""
        pair = self.first(x, ctx)
        mirrors = [pair]
        for grid, block in enumerate(_blocks(self.down)):
            if grid:
                pair = self.coarser[grid - 1](pair, ctx)
                mirrors.append(pair)
            for layer in block:
                pair = layer(pair, None, ctx, condition)
                mirrors.append(pair)
        pair = mirrors.pop()
        for index, block in enumerate(_blocks(self.up)):
            if index:
                pair = self.finer[index - 1](pair, mirrors[-1], ctx)
            for layer in block:
                pair = layer(pair, mirrors.pop(), ctx, condition)
        out: Tensor = self.output(F.elu(pair[1]))
        return out


def _blocks(modules: nn.ModuleList) -> Iterator[nn.ModuleList]:
    return (block for block in modules if isinstance(block, nn.ModuleList))
