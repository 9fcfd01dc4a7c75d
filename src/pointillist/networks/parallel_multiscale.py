"""Parallel Multiscale PixelCNN.

Reed, van den Oord, Kalchbrenner, Gomez Colmenarejo, Wang, Chen, Belov, de Freitas: Parallel Multiscale Autoregressive
Density Estimation, ICML 2017 (arXiv 1703.03664).

Adds to the multi-scale PixelRNN: groups of pixels are sampled at once. A small base image, every `2 ** scales`-th row
and column, is sampled pixel by pixel. Each scale doubles the columns of the grid, and then its rows. The new pixels of
either doubling are a group. They are independent of each other given all pixels before them, which an unmasked network
reads. So a group takes one pass for each sub-pixel, and an image of N pixels takes O(log N) passes.

The likelihood is exact: log p(x) = log p(base) + the sum over the groups of log p(group | all earlier pixels). The
chain rule over the channels of a pixel stays: green depends on red, but not on the neighbours in its group.

Its context: in the base image every earlier pixel within reach of the Gated PixelCNN. In a group every pixel of the
earlier groups within reach of its network, before or after the pixel in the image, and no other pixel of the group.
With `context` above 1 a pixel also reads the pixels of its grid above it and to its left within a kernel. Its groups
are then sampled pixel by pixel.

Not implemented: groups that are predicted in patches, pixel by pixel within each; scales trained one by one.
Differs from the paper, of which we have read the abstract only: the base image is modelled by a Gated PixelCNN; the
network of a group has residual 3x3 convolutions, dilated so that few of them reach far, one transposed convolution and
1x1 convolutions; all networks are trained together, and share no weights.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field, field_validator
from torch import Tensor, nn

from pointillist.images.array_types import Float
from pointillist.networks.backbone import (
    Backbone,
    BackboneDims,
    Dilations,
    ResidualHead,
    StackConfig,
    Stage,
    Upsampler,
    masked_stem,
    run_stages,
)
from pointillist.networks.gated_pixelcnn import GatedPixelCNN, GatedPixelCNNConfig
from pointillist.nn import Condition, ConditionBias, Dropout, MaskedConv2d, channel_groups
from pointillist.nn.passes import Pass


class ParallelMultiscaleConfig(StackConfig):
    """Settings of a parallel multiscale PixelCNN.

    ```python
    config = ParallelMultiscaleConfig(scales=2, map_channels=16)
    network = ParallelMultiscale(config, BackboneDims(groups=1, canvas=1, params=16))
    ```

    Attributes:
        scales: doublings of the base image, which has every `2 ** scales`-th row and column.
        channels, layers, first_kernel: see `GatedPixelCNNConfig`, for the network of the base image.
        map_channels: features of the convolutions of a group over the earlier pixels, and of their map.
        dilations: dilations of its residual 3x3 convolutions; it reaches their sum plus 1 pixels of the grid before.
        head_channels: features of the layers before the output, in all networks.
        context: kernel size, odd, of a masked convolution over the grid of a group; 1 for independent pixels.
        dropout: probability, before the layers at the end of a group and after the gates of the base network.
    """

    scales: int = Field(3, ge=1, le=12)
    layers: int = Field(6, ge=1, le=512)
    map_channels: int = Field(64, ge=1, le=8192)
    dilations: Dilations = (1, 2, 4, 1, 2, 4)
    context: int = Field(1, ge=1, le=63)

    @field_validator("context")
    @classmethod
    def _check_context(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"must be odd: a masked kernel needs a centre; try {value + 1}")
        return value

    @property
    def base(self) -> GatedPixelCNNConfig:
        """Settings of the network for the base image."""
        return GatedPixelCNNConfig(**{name: getattr(self, name) for name in StackConfig.model_fields})


class GroupNetwork(ResidualHead):
    """The network of a group, given the map of the earlier pixels: the channels of a pixel in turn, and 1x1 layers."""

    def __init__(self, config: ParallelMultiscaleConfig, dims: BackboneDims) -> None:
        super().__init__()
        self.channels: int = config.head_channels
        features = channel_groups(self.channels, dims.groups)
        reads = config.context > 1 or dims.groups > 1  # else there is no earlier sub-pixel to read
        self.stem: MaskedConv2d | None = masked_stem(self.channels, config.context, dims) if reads else None
        self.condition: ConditionBias = ConditionBias(dims.condition, features)
        self.dropout: Dropout = Dropout(config.dropout)
        self.add_head(config.head_channels, dims)

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Compute the parameters of each pixel; see `Backbone.forward`."""
        features = self.head.weight.new_zeros(1, self.channels, 1, 1) if self.stem is None else self.stem(x, ctx)
        h = self.dropout(self.condition(features, ctx, condition))  # (b, d, h, w)
        return self.project(h, x, ctx)


class Group(nn.Module):
    """The two networks of a group: over the earlier pixels, and over the pixels of the group.

    Args:
        before: rows and columns between the pixels of the grid before.
        step: the same for the grid of the group.
    """

    before: tuple[int, int]
    step: tuple[int, int]

    def __init__(
        self, config: ParallelMultiscaleConfig, dims: BackboneDims, before: tuple[int, int], step: tuple[int, int]
    ) -> None:
        super().__init__()
        self.before, self.step = before, step
        self.independent: bool = config.context == 1
        factor = before[0] // step[0], before[1] // step[1]
        self.upsampler: Upsampler = Upsampler(
            dims.canvas, config.map_channels, factor, config.dilations, dims.condition
        )
        self.network: GroupNetwork = GroupNetwork(config, _with_map(dims, config.map_channels))

    def stage(self, height: int, width: int) -> Stage:
        condition = partial(self._condition, height=height, width=width)
        return Stage(self.network, self.step, condition, self.upsampler, independent=self.independent)

    def _condition(self, coarse: Tensor | None, condition: Condition, *, height: int, width: int) -> Condition:
        """Concatenate the map of the condition, on the grid of the group, and the map of the earlier pixels."""
        assert coarse is not None
        rows, columns = -(-height // self.step[0]), -(-width // self.step[1])
        earlier = self.upsampler(coarse, rows, columns, _on_grid(condition, self.before))  # (b, d, rows, columns)
        fine = _on_grid(condition, self.step)
        return replace(fine, map=earlier if fine.map is None else torch.cat([fine.map, earlier], 1))


class ParallelMultiscale(Backbone):
    """A Gated PixelCNN for the base image, and a network for each group of pixels.

    ```python
    pt.build("parallel-multiscale", shape=(3, 32, 32), levels=256, preset="small")
    ```
    """

    Config: ClassVar[type[ParallelMultiscaleConfig]] = ParallelMultiscaleConfig
    takes_local_gain = False

    def __init__(self, config: ParallelMultiscaleConfig, dims: BackboneDims) -> None:
        super().__init__()
        side = 2**config.scales
        self.base_step: tuple[int, int] = (side, side)
        self.base: GatedPixelCNN = GatedPixelCNN(config.base, dims)
        steps = [self.base_step]
        while side > 1:
            steps += [(side, side // 2), (side // 2, side // 2)]
            side //= 2
        self.groups: nn.ModuleList = nn.ModuleList(
            Group(config, dims, before, step) for before, step in pairwise(steps)
        )

    def stages(self, height: int, width: int) -> tuple[Stage, ...]:
        """Return one stage for the base image, and one for each group."""
        base = Stage(self.base, self.base_step, lambda coarse, condition: _on_grid(condition, self.base_step))
        return (base, *(group.stage(height, width) for group in self.groups))  # type: ignore[operator]

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Compute the parameters of each pixel by the network of its group; see `Backbone.forward`."""
        return run_stages(self.stages(*x.shape[2:]), x, ctx, condition)


def _on_grid(condition: Condition, step: tuple[int, int]) -> Condition:
    if condition.map is None or step == (1, 1):
        return condition
    return replace(condition, map=F.avg_pool2d(condition.map, 1, step))  # unlike a slice, its gradient keeps the format


def _with_map(dims: BackboneDims, channels: int) -> BackboneDims:
    """Add features of a map to the condition of a network."""
    return replace(dims, condition=replace(dims.condition, map=dims.condition.map + channels))
