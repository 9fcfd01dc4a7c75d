"""PixelCNN with locally masked convolutions.

Jain, Abbeel, Pathak: Locally Masked Convolution for Autoregressive Models, UAI 2020 (arXiv 2006.12486).

Adds to PixelCNN: the mask depends on the site, so that one set of weights paints in any order: here the raster and the
S-curve, from each corner, along rows or columns (sixteen orders, `ordering.py`). Trained on several, a model scores an
image by each, or by their average. The first layer is told which of its taps are known, an option of the authors' code
(`mask_weight` in github.com/ajayjain/lmconv). In an S-curve each site touches the one before it, and there is no blind
spot; in a raster order there is that of PixelCNN, because it is one stack of kernels.

Not implemented: other curves (the paper has Hilbert curves too), and orders made for a hole. The normalisation of each
pixel (PONO) of the authors' code.
Differs from the paper: gated residual layers with skip connections, as in `gated-pixelcnn`, in place of the PixelCNN++
blocks with long shortcuts; kernels are dilated, for context the size of the image; the network may also be told by a
vector which order it is; sub-pixels are painted in turn, where the likelihood does not couple them.
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
    LocallyMaskedConv2d,
    PointwiseConv2d,
    channel_groups,
    gate,
)
from pointillist.nn.dropout import Dropout
from pointillist.nn.passes import Pass


class LocallyMaskedPixelCNNConfig(BackboneConfig):
    """Settings of the locally masked PixelCNN.

    Attributes:
        channels: features.
        layers: number of gated layers.
        first_kernel, kernel: odd kernel sizes of the strict first and of the later layers.
        dilations: distance between the taps of layers 2, 3, ..., repeated as often as needed.
        head_channels: features of the layer before the output.
        dropout: probability, on the gated features.
    """

    channels: int = Field(64, ge=1, le=8192)
    layers: int = Field(12, ge=1, le=512)
    first_kernel: int = Field(7, ge=3, le=63)  # the strict layer needs a neighbour
    kernel: int = Field(3, ge=1, le=63)
    dilations: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field((1,), min_length=1, max_length=512)
    head_channels: int = Field(64, ge=1, le=8192)
    dropout: float = Field(0.0, ge=0.0, lt=1.0)


class LocalLayer(CausalLayer):
    """A locally masked convolution, a gate, and a 1x1 layer to the residual and to the head."""

    def __init__(
        self, config: LocallyMaskedPixelCNNConfig, ports: BackboneDims, *, first: bool, last: bool, dilation: int
    ) -> None:
        super().__init__()
        features = channel_groups(config.channels, ports.groups)
        gated = torch.cat([features, features])  # each half of a gate has the groups of its result
        self.convolution = LocallyMaskedConv2d(
            config.first_kernel if first else config.kernel,
            in_groups=channel_groups(ports.canvas, ports.groups) if first else features,
            out_groups=gated,
            strict=first,
            dilation=dilation,
            knows=first,  # told again in every layer it learnt no more, and trained slower: docs/decisions, 0028
        )
        self.condition = ConditionBias(ports.heard, gated)
        head = channel_groups(config.head_channels, ports.groups)
        # nobody reads the residual of the last layer
        self.sizes = [0 if last else config.channels, config.head_channels]
        self.out = PointwiseConv2d(features, torch.cat([features[: self.sizes[0]], head]))
        self.dropout = Dropout(config.dropout)
        # not in the first layer, whose input is the raw image: it would leak the site itself
        self.residual = not first and not last

    def forward(self, x: Float[Tensor, "b d h w"], ctx: Pass, condition: Condition) -> tuple[Tensor, Tensor]:
        """The next features and the skip output."""
        h = self.dropout(gate(self.condition(self.convolution(x, ctx), ctx, condition)))
        out = self.out(h)
        residual, skip = out.split(self.sizes, 1) if self.sizes[0] else (x, out)
        return x + residual if self.residual else residual, skip


class LocallyMaskedPixelCNN(Backbone):
    """Gated layers of locally masked convolutions, and a head over the sum of their skip outputs."""

    Config = LocallyMaskedPixelCNNConfig
    masks_locally = True

    def __init__(self, config: LocallyMaskedPixelCNNConfig, ports: BackboneDims) -> None:
        super().__init__()
        end = config.layers - 1
        dilations = [1] + [config.dilations[i % len(config.dilations)] for i in range(end)]
        self.layers = nn.ModuleList(
            LocalLayer(config, ports, first=i == 0, last=i == end, dilation=d) for i, d in enumerate(dilations)
        )
        head = channel_groups(config.head_channels, ports.groups)
        self.head = PointwiseConv2d(head, head)
        self.output = PointwiseConv2d(head, channel_groups(ports.params, ports.groups))

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Parameters of each site; see `Backbone.forward`."""
        x, total = self.layers[0](x, ctx, condition)
        for layer in self.layers[1:]:
            x, skip = layer(x, ctx, condition)
            total = total + skip
        out: Tensor = self.output(F.relu(self.head(F.relu(total))))
        return out
