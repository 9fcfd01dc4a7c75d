"""The base class of networks, their dimensions and settings, their stages, and the parts that several networks share.

An image is sampled in stages: a single one for most networks, several for a network that samples a coarse image first.
A stage visits a grid of the image row by row, or all of it at once where its new pixels are independent of each other.
Its grid contains the grid of the stage before, whose pixels are known by then. The network reads them like any earlier
pixel, but does not predict them. A pixel therefore belongs to the first stage whose grid contains it, and is sampled
once and scored once. The generation order is all pixels of the first grid, then the new pixels of the second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from typing import Annotated, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import ConfigDict, Field
from torch import Tensor, nn

from pointillist.files.settings_tree import StrictNumbers
from pointillist.images.array_types import Float, Int
from pointillist.images.ordering import stage_rank
from pointillist.nn import (
    Condition,
    ConditionBias,
    ConditionDims,
    LocalGain,
    LocalGainHead,
    MaskedConv2d,
    PointwiseConv2d,
    channel_groups,
)
from pointillist.nn.functional.convolution import DilatedConv2d
from pointillist.nn.passes import FullPass, Pass, channels_last, is_channels_last

Network = Callable[[Tensor, Pass, Condition], Tensor]
StageCondition = Callable[[Tensor | None, Condition], Condition]
"""Builds the condition of a stage from the canvas of the grid before and the condition of the image."""


def same_condition(coarse: Tensor | None, condition: Condition) -> Condition:
    """Return the condition of the image unchanged: the condition of a single stage."""
    return condition


@dataclass(frozen=True)
class Stage:
    """A raster scan over a grid of the image, or one pass over it.

    ```python
    model.stages(28, 28)[0].step  # (1, 1), for a model of one stage
    ```

    Attributes:
        network: from the canvas of the grid, a pass and a condition to the parameters of the grid; causal in raster
            order.
        step: distance between the rows, and between the columns, of the grid in the image; both begin at 0. They divide
            the distances of the stage before.
        condition: builds the condition of the network from the canvas of the grid of the stage before (None for the
            first stage), all of whose pixels are known, and the condition of the image, whose map has the size of the
            image. Nothing else reaches the network, so nothing else can leak.
        upsampler: the network of the canvas of the grid before, whose map `condition` puts after the map of the
            condition, restricted to the grid; None for the first stage.
        independent: the network reads no pixel of the grid but the earlier sub-pixels of the pixel itself. The new
            pixels are then independent of each other given the condition: one pass samples a sub-pixel of all of them.
    """

    network: Network
    step: tuple[int, int] = (1, 1)
    condition: StageCondition = same_condition
    upsampler: Upsampler | None = None
    independent: bool = False

    def grid(self, t: Tensor) -> Tensor:
        """Return the pixels of the grid of a tensor over the pixels `... h w` of the image, as a view."""
        rows, columns = self.step
        return t[..., ::rows, ::columns]

    def grid_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the rows and columns of the grid in an image of this size."""
        return -(-height // self.step[0]), -(-width // self.step[1])


def run_stages(
    stages: Sequence[Stage], x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition
) -> Float[Tensor, "b p h w"]:
    """Compute the parameters of all pixels of complete images, each pixel by the stage that it belongs to.

    ```python
    run_stages(model.stages(28, 28), model.canvas(levels), FullPass(), condition)
    ```

    Args:
        stages: the stages, coarsest grid first; the last one has steps of 1.
        x: the canvas of the whole image.
        ctx: how the networks are run.
        condition: the condition of the image.
    """
    coarse: Tensor | None = None
    result: Tensor | None = None
    step = (1, 1)
    last = isinstance(ctx, FullPass) and ctx.channels_last
    if last and condition.map is not None:
        condition = replace(condition, map=channels_last(condition.map))
    for stage in stages:
        canvas = channels_last(stage.grid(x)) if last else stage.grid(x)  # a strided grid has gaps
        params = stage.network(canvas, ctx, stage.condition(coarse, condition))
        if result is not None:
            rows, columns = step[0] // stage.step[0], step[1] // stage.step[1]
            params = params.clone()
            params[..., ::rows, ::columns] = result
        coarse, result, step = canvas, params, stage.step
    assert result is not None
    return result


def sampling_order(stages: Sequence[Stage], height: int, width: int) -> Int[np.ndarray, "h w"]:
    """Rank of each pixel in the order in which the stages sample an image, from 0.

    ```python
    sampling_order(model.stages(2, 2), 2, 2)  # [[0, 1], [2, 3]]
    ```
    """
    return stage_rank((stage.step for stage in stages), height, width)


@dataclass(frozen=True, kw_only=True)
class BackboneDims:
    """Input and output dimensions of a network.

    ```python
    BackboneDims(groups=3, canvas=3, params=3 * 256)  # RGB, categorical
    ```

    Attributes:
        groups: sub-pixels that are sampled in turn at each pixel: the number of image channels, or 1 if the likelihood
            couples the channels and the network predicts them together.
        canvas: input features of each pixel, over all groups.
        params: outputs for each pixel, over all groups.
        condition: features of the condition.
        local_gain: images whose levels enter relative to a prediction, and whose parameters lie around it; else None.
    """

    groups: int
    canvas: int
    params: int
    condition: ConditionDims = field(default_factory=ConditionDims)
    local_gain: LocalGain | None = None


Dilations = Annotated[tuple[Annotated[int, Field(ge=1, le=1024)], ...], Field(max_length=512)]
"""Dilation of each layer of a stack, in turn."""


class BackboneConfig(StrictNumbers):
    """Settings of a network; a frozen, keyword-only record whose defaults describe a network of medium size.

    ```python
    PixelCNNConfig(channels=32, layers=4).model_dump()
    ```
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid")


class StackConfig(BackboneConfig):
    """Settings of a stack of layers over a strict first one, with a head.

    Attributes:
        channels: features of a layer.
        layers: number of layers.
        first_kernel: size of the kernel of the strict first layer, odd.
        head_channels: features of the layers before the output.
        dropout: probability, inside each layer.
    """

    channels: int = Field(64, ge=1, le=8192)
    layers: int = Field(12, ge=1, le=512)
    first_kernel: int = Field(7, ge=3, le=63)  # a strict layer needs a neighbour
    head_channels: int = Field(64, ge=1, le=8192)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)


class DilatedConfig(StackConfig):
    """Settings of a stack of gated layers with dilated kernels.

    Attributes:
        kernel: kernel size of the layers after the first, odd.
        dilations: distance between the taps of layers 2, 3, ..., in pixels; repeated as often as needed.
    """

    kernel: int = Field(3, ge=1, le=63)
    dilations: Dilations = Field((1,), min_length=1)


class Backbone(nn.Module):
    """A causal network from a canvas to parameters, written once for training and for every sampling engine.

    Example:
        ```python
        network = PixelCNN(PixelCNNConfig(), BackboneDims(groups=1, canvas=1, params=256))
        network(torch.randn(2, 1, 28, 28), FullPass(), Condition()).shape  # (2, 256, 28, 28)
        ```
    """

    Config: ClassVar[type[BackboneConfig]]
    takes_local_gain: ClassVar[bool] = True
    """False if its pixels are not generated in one raster scan, so that neighbours need not be earlier pixels."""
    masks_locally: ClassVar[bool] = False
    """True if it reads other pixels only through `ctx.neighbours`, and so can follow an S-curve, not just a raster."""
    local_head: LocalGainHead | None

    def add_local_gain(self, dims: BackboneDims) -> None:
        """Create the last step of a network with local gain; without one, `place` changes nothing."""
        self.local_head = None if dims.local_gain is None else LocalGainHead(dims.local_gain, dims.params)

    def place(self, out: Float[Tensor, "b p h w"], x: Float[Tensor, "b i h w"], ctx: Pass) -> Float[Tensor, "b p h w"]:
        """Place outputs around the prediction from the canvas `x`; without a local gain, return them."""
        return out if self.local_head is None else self.local_head(out, x, ctx)

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Compute the parameters of the distribution of each pixel from the pixels before it.

        Args:
            x: the canvas, `i = dims.canvas` features of each pixel.
            ctx: how the network is run; the only access to other pixels.
            condition: the encoded condition.

        Returns:
            `p = dims.params` numbers for each pixel.
        """
        raise NotImplementedError

    def stages(self, height: int, width: int) -> tuple[Stage, ...]:
        """Return the stages in which an image of this size is sampled; by default a single one with this network.

        With several stages, `forward` is `run_stages` of them, and engines record each one separately.
        """
        return (Stage(self),)


def dilated_layers(layer: Callable[..., nn.Module], config: DilatedConfig, dims: BackboneDims) -> nn.ModuleList:
    """Build the layers of a stack: of dilation 1 the first one, then of `dilations`, repeated as often as needed.

    Args:
        layer: class of a layer, which takes `config`, `dims`, `first`, `last` and `dilation`.
        config: settings of the stack.
        dims: dimensions of the network.
    """
    dilations, end = [1, *islice(cycle(config.dilations), config.layers - 1)], config.layers - 1
    return nn.ModuleList(
        layer(config, dims, first=i == 0, last=i == end, dilation=dilation) for i, dilation in enumerate(dilations)
    )


def masked_stem(channels: int, kernel_size: int, dims: BackboneDims) -> MaskedConv2d:
    """Build the mask A convolution that reads the canvas (van den Oord et al. 2016a, table 1)."""
    canvas, features = channel_groups(dims.canvas, dims.groups), channel_groups(channels, dims.groups)
    stem = MaskedConv2d(kernel_size, in_groups=canvas, out_groups=features, strict=True)
    return stem.add_local_gain(dims.local_gain)


class ResidualSkip(PointwiseConv2d):
    """A 1x1 convolution from the features of a layer to its residual and to its skip output, in one product.

    Args:
        features: sub-pixel of each feature, see `channel_groups`.
        head: sub-pixel of each feature of the skip output.
        residual: whether the input of the layer is added; not in the first layer, whose input is the raw image, which
            would leak the pixel itself.
        last: whether this is the last layer, whose residual nobody reads.
    """

    def __init__(self, features: Int[Tensor, " d"], head: Int[Tensor, " s"], *, residual: bool, last: bool) -> None:
        sizes = [0 if last else len(features), len(head)]
        super().__init__(features, torch.cat([features[: sizes[0]], head]))
        self.sizes = sizes
        self.residual: bool = residual and not last

    def split(self, h: Float[Tensor, "b d h w"], x: Float[Tensor, "b i h w"]) -> tuple[Tensor, Tensor]:
        """Compute the next features from `h` and the layer's input `x`, and the skip output."""
        out = self(h)  # (b, d + s, h, w)
        residual, skip = out.split(self.sizes, 1) if self.sizes[0] else (x, out)
        return x + residual if self.residual else residual, skip


class ResidualHead(Backbone):
    """A backbone that ends with two 1x1 convolutions, each after a ReLU (van den Oord et al. 2016a, table 1)."""

    head: PointwiseConv2d
    output: PointwiseConv2d

    def add_head(self, head_channels: int, dims: BackboneDims) -> None:
        """Create the last two layers; to be called last, so that weights are drawn in the order of the forward."""
        head = channel_groups(head_channels, dims.groups)
        self.head = PointwiseConv2d(head, head)
        self.output = PointwiseConv2d(head, channel_groups(dims.params, dims.groups))
        self.add_local_gain(dims)

    def project(self, h: Float[Tensor, "b d h w"], x: Float[Tensor, "b i h w"], ctx: Pass) -> Float[Tensor, "b p h w"]:
        """Compute the parameters of each pixel from the sum of the skip outputs; `x` is the canvas."""
        return self.place(self.output(F.relu(self.head(F.relu(h)))), x, ctx)


class Upsampler(nn.Module):
    """Residual convolutions over a coarse image and one transposed convolution to a finer grid; nothing is masked.

    The transposed convolution has `2 factor - 1` centred taps on each axis. A pixel of the fine grid reads the coarse
    pixels less than `factor` rows and columns away, at most two on each axis, as linear interpolation does. A pixel on
    the coarse grid reads itself.

    ```python
    Upsampler(1, 16, (2, 2), (1, 2))(torch.randn(2, 1, 4, 4), 7, 8).shape  # (2, 16, 7, 8)
    ```

    Args:
        in_channels: features of the coarse canvas.
        channels: features of the network and of its map.
        factor: ratio of the rows, and of the columns, of the two grids.
        dilations: dilations of the residual 3x3 convolutions.
        condition: features of the condition, which is added to the features of the coarse image.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        factor: tuple[int, int],
        dilations: tuple[int, ...],
        condition: ConditionDims = ConditionDims(),  # noqa: B008  (frozen)
    ) -> None:
        super().__init__()
        self.first: nn.Conv2d = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.condition: ConditionBias = ConditionBias(condition, channel_groups(channels, 1))
        self.blocks: nn.ModuleList = nn.ModuleList(
            DilatedConv2d(channels, channels, 3, padding=d, dilation=d) for d in dilations
        )
        rows, columns = factor
        edge = (rows - 1, columns - 1)
        taps = (2 * rows - 1, 2 * columns - 1)
        self.spread: nn.ConvTranspose2d = nn.ConvTranspose2d(
            channels, channels, taps, stride=factor, padding=edge, output_padding=edge
        )

    def forward(
        self, coarse: Float[Tensor, "b i h2 w2"], height: int, width: int, condition: Condition | None = None
    ) -> Float[Tensor, "b m h w"]:
        """Compute the map, cropped to `height x width`.

        Args:
            coarse: canvas of the coarse image.
            condition: condition on the coarse grid; None for a network without one.
        """
        x = self.first(coarse)  # (b, m, h2, w2)
        if condition is not None:
            x = self.condition(x, FullPass(channels_last=is_channels_last(coarse)), condition)
        for block in self.blocks:
            x = x + block(F.relu(x))
        spread: Tensor = self.spread(F.relu(x))  # (b, m, rows * h2, columns * w2)
        return spread[:, :, :height, :width]
