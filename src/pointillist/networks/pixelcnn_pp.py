"""PixelCNN++.

Salimans, Karpathy, Chen, Kingma: PixelCNN++, ICLR 2017 (arXiv 1701.05517).

Adds to Gated PixelCNN: a mixture of discretised logistics in place of a softmax, conditioned on whole pixels, with the
channels of a pixel coupled by the mixture (sections 2.1, 2.2; `likelihoods.py`); down- and up-sampling by convolutions
of stride 2 in place of ever more layers (2.3); shortcuts from each layer on the way down to its counterpart on the way
up (2.4); dropout (2.5). As in the released code: two streams, one over the rows above (2x3 kernels, shifted down) and
one that also covers the row so far (2x2 kernels, shifted down and right) and reads the first one through a 1x1 layer;
gated residual layers with concatenated ELUs; weight normalisation, initialised from a first batch.

Sizes of the paper (CIFAR-10): 6 blocks (32, 16, 8, 8, 16, 32) of 5 layers, 160 filters in the released code, 10
mixtures, dropout 0.5; the defaults below.

Its context is every earlier pixel within reach; unlike PixelCNN, there is no wedge that depth cannot fill. But the
coarse grids read an odd row only once the next one begins. Within this row, and to the far right of the row above it,
pixels are reached through the finest layers alone. With the paper's sizes those 23 columns away or more are not
reached: 1,440 of the 523,776 pairs of pixels of a 32x32 image (tested).

Not implemented: an auto-encoder or continuous likelihood (the ablations of section 3.4).
Differs from the paper: no constant channel of ones is joined to the image, so there are 11 x 160 weights fewer; a row
or column is made strict by slicing the kernel, not by shifting results, so a bias is never shifted; a side that is not
divisible by 4 is rounded up on each coarse grid, which has every second row and column from 0 on; with a likelihood
that does not couple the channels, the features of the second stream respect the order of the sub-pixels, and its first
layer reads the earlier ones of the pixel itself; label vectors and maps enter as a bias in every layer of both streams,
after its second convolution, and so does cross-attention to tokens on all grids but the finest; the first batch is
passed without dropout, and outputs that hardly vary on it are not scaled up.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from pointillist.images.array_types import Float, Int
from pointillist.networks.backbone import Backbone, BackboneConfig, BackboneDims
from pointillist.nn import (
    Condition,
    ConditionBias,
    Dropout,
    NormalisedConv2d,
    NormalisedConvTranspose2d,
    NormalisedPointwiseConv2d,
    channel_causal_mask,
    channel_groups,
    concat_elu,
)
from pointillist.nn.base import site_tap_mask
from pointillist.nn.passes import Pass

Pair = tuple[Tensor, Tensor]
"""Features of both streams: of the rows above, and of all pixels before."""


class PixelCNNPPConfig(BackboneConfig):
    """Settings of PixelCNN++; the defaults are the paper's (CIFAR-10).

    ```python
    network = PixelCNNPP(PixelCNNPPConfig(channels=32, layers=2), BackboneDims(groups=1, canvas=1, params=16))
    ```

    Attributes:
        channels: features of each stream.
        layers: gated layers in each block; there is one block down and one block up at each resolution.
        resolutions: number of grids, each half as high and wide as the one before.
        dropout: probability, inside each gated layer.
        residual_scale: standard deviation of the second convolution of each gated layer over the first batch.
    """

    channels: int = Field(160, ge=1, le=8192)
    layers: int = Field(5, ge=1, le=512)
    resolutions: int = Field(3, ge=1, le=8)
    dropout: float = Field(0.5, ge=0.0, lt=1.0)
    residual_scale: float = Field(0.1, gt=0.0, le=10.0)


class Stream:
    """Stream of features; the network has two.

    Args:
        right: columns to the right of a pixel that its kernels read: 1 (rows above) or 0 (all pixels before).
        features: sub-pixel of each feature, see `channel_groups`.
    """

    def __init__(self, right: int, features: Int[Tensor, " d"]) -> None:
        self.right = right
        self.features = features
        self.activated: Tensor = torch.cat(
            [features, features]
        )  # concat_elu doubles them, and so do the halves of a gate

    def convolution(
        self, inputs: Int[Tensor, " i"], outputs: Int[Tensor, " o"], *, stride: int = 1, target: float = 1.0
    ) -> NormalisedConv2d:
        """Build the 2x3 or 2x2 convolution of this stream, over the row of the pixel and the one above."""
        site = channel_causal_mask(outputs, inputs, strict=False)
        mask = site_tap_mask(site, (2, 2 + self.right), 1, 1)
        return NormalisedConv2d(
            len(inputs), len(outputs), up=1, left=1, right=self.right, stride=stride, mask=mask, target=target
        )


class GatedResidualLayer(nn.Module):
    """x + a sigmoid(b), with a and b from two convolutions of x, and a 1x1 layer over a shortcut in between.

    Args:
        stream: the stream of the layer.
        shortcut: sub-pixel of each feature of the shortcut; None if there is no shortcut.
        config, dims: of the network.
        scale: the grid has every `scale`-th row and column of the image.
    """

    def __init__(
        self,
        stream: Stream,
        shortcut: Int[Tensor, " s"] | None,
        config: PixelCNNPPConfig,
        dims: BackboneDims,
        scale: int,
    ) -> None:
        super().__init__()
        self.first: NormalisedConv2d = stream.convolution(stream.activated, stream.features)
        self.second: NormalisedConv2d = stream.convolution(
            stream.activated, stream.activated, target=config.residual_scale
        )
        self.link: NormalisedPointwiseConv2d | None = (
            None if shortcut is None else NormalisedPointwiseConv2d(torch.cat([shortcut, shortcut]), stream.features)
        )
        attends = scale > 1 or config.resolutions == 1
        condition = dims.condition if attends else dims.condition.without_tokens
        self.condition: ConditionBias = ConditionBias(condition, stream.activated, scale=scale)
        self.dropout: Dropout = Dropout(config.dropout)

    def forward(self, x: Tensor, shortcut: Tensor | None, ctx: Pass, condition: Condition) -> Tensor:
        """Compute the next features `[b d h w]` of the stream."""
        h = self.first(concat_elu(x), ctx)  # (b, d, h, w)
        if self.link is not None:
            assert shortcut is not None
            h = h + self.link(concat_elu(shortcut))
        h = self.second(self.dropout(concat_elu(h)), ctx)  # (b, 2d, h, w)
        values, gates = self.condition(h, ctx, condition).chunk(2, 1)
        out: Tensor = x + values * torch.sigmoid(gates.clone())  # see `nn.activation`
        return out


class GatedResidualPair(nn.Module):
    """A gated layer of each stream; the second stream reads the first one.

    On the way up (`mirrors`) both also read their counterparts on the way down.
    """

    def __init__(
        self, above: Stream, before: Stream, config: PixelCNNPPConfig, dims: BackboneDims, *, scale: int, mirrors: bool
    ) -> None:
        super().__init__()
        shortcut = torch.cat([above.features, before.features]) if mirrors else above.features
        self.above: GatedResidualLayer = GatedResidualLayer(
            above, above.features if mirrors else None, config, dims, scale
        )
        self.before: GatedResidualLayer = GatedResidualLayer(before, shortcut, config, dims, scale)

    def forward(self, pair: Pair, mirror: Pair | None, ctx: Pass, condition: Condition) -> Pair:
        """Compute the next features of both streams."""
        above = self.above(pair[0], None if mirror is None else mirror[0], ctx, condition)
        shortcut = above if mirror is None else torch.cat([above, mirror[1]], 1)
        return above, self.before(pair[1], shortcut, ctx, condition)


class DownsampleBlock(nn.Module):
    """A convolution of stride 2 in each stream; a coarse pixel has the position and context of its top left pixel."""

    def __init__(self, above: Stream, before: Stream) -> None:
        super().__init__()
        self.above: NormalisedConv2d = above.convolution(above.features, above.features, stride=2)
        self.before: NormalisedConv2d = before.convolution(before.features, before.features, stride=2)

    def forward(self, pair: Pair, ctx: Pass) -> Pair:
        """Downsample both streams to every second row and column."""
        return self.above(pair[0], ctx), self.before(pair[1], ctx)


class UpsampleBlock(nn.Module):
    """A transposed convolution of stride 2 in each stream."""

    def __init__(self, above: Stream, before: Stream) -> None:
        super().__init__()
        self.above: NormalisedConvTranspose2d = NormalisedConvTranspose2d(
            above.features, above.features, right=above.right
        )
        self.before: NormalisedConvTranspose2d = NormalisedConvTranspose2d(
            before.features, before.features, right=before.right
        )

    def forward(self, pair: Pair, like: Pair, ctx: Pass) -> Pair:
        """Upsample both streams to the grid of `like`."""
        return self.above(pair[0], ctx, like[0]), self.before(pair[1], ctx, like[1])


class InputBlock(nn.Module):
    """The strict layers that read the canvas: two rows above; one row above and the pixels to the left."""

    def __init__(self, above: Stream, before: Stream, dims: BackboneDims) -> None:
        super().__init__()
        inputs = channel_groups(dims.canvas, dims.groups)
        d = len(before.features)
        self.rows: NormalisedConv2d = NormalisedConv2d(dims.canvas, d, up=2, down=-1, left=1, right=1)
        self.row: NormalisedConv2d = NormalisedConv2d(dims.canvas, d, up=1, down=-1, left=1, right=1)
        # at its own pixel a feature reads the sub-pixels before its own; if there is only one, the tap is sliced away
        site = channel_causal_mask(before.features, inputs, strict=True) if dims.groups > 1 else None
        mask = site_tap_mask(site, (2, 2), 1, 1)
        self.left: NormalisedConv2d = NormalisedConv2d(
            dims.canvas, d, up=1, left=1, right=-1 if mask is None else 0, mask=mask
        )
        for layer in (self.rows, self.row, self.left):
            layer.add_local_gain(dims.local_gain)

    def forward(self, x: Tensor, ctx: Pass) -> Pair:
        """Compute the first features of both streams."""
        return self.rows(x, ctx), self.row(x, ctx) + self.left(x, ctx)


class PixelCNNPP(Backbone):
    """A block of gated pairs at each grid on the way down, another one on the way up, and a 1x1 layer to the output.

    ```python
    pt.build("pixelcnn-pp", shape=(1, 28, 28), levels=16, preset="small")
    ```
    """

    Config: ClassVar[type[PixelCNNPPConfig]] = PixelCNNPPConfig

    def __init__(self, config: PixelCNNPPConfig, dims: BackboneDims) -> None:
        super().__init__()
        d, grids = config.channels, range(config.resolutions)
        features = channel_groups(d, dims.groups)
        above, before = Stream(1, torch.zeros_like(features)), Stream(0, features)

        def block(grid: int, count: int, *, mirrors: bool) -> nn.ModuleList:
            return nn.ModuleList(
                GatedResidualPair(above, before, config, dims, scale=2**grid, mirrors=mirrors) for _ in range(count)
            )

        self.first: InputBlock = InputBlock(above, before, dims)
        self.down: nn.ModuleList = nn.ModuleList(block(grid, config.layers, mirrors=False) for grid in grids)
        self.coarser: nn.ModuleList = nn.ModuleList(DownsampleBlock(above, before) for _ in grids[1:])
        # the finer blocks on the way up also mirror the input of their counterparts on the way down
        self.up: nn.ModuleList = nn.ModuleList(
            block(grid, config.layers + (grid < grids[-1]), mirrors=True) for grid in reversed(grids)
        )
        self.finer: nn.ModuleList = nn.ModuleList(UpsampleBlock(above, before) for _ in grids[1:])
        self.output: NormalisedPointwiseConv2d = NormalisedPointwiseConv2d(
            features, channel_groups(dims.params, dims.groups)
        )
        self.add_local_gain(dims)

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Compute the parameters of each pixel; see `Backbone.forward`."""
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
        return self.place(self.output(F.elu(pair[1])), x, ctx)


def _blocks(modules: nn.ModuleList) -> Iterator[nn.ModuleList]:
    return (block for block in modules if isinstance(block, nn.ModuleList))
