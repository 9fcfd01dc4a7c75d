"""PixelCNN with locally masked convolutions.

Jain, Abbeel, Pathak: Locally Masked Convolution for Autoregressive Models, UAI 2020 (arXiv 2006.12486).

Adds to PixelCNN: the mask depends on the pixel, so that one set of weights supports any generation order: here the
raster and the S-curve, from each corner, along rows or columns (sixteen orders, `images/ordering.py`). A model that is
trained on several orders scores an image by each of them, or by their average. The first layer has a kernel over its
mask, so that its output depends on which taps are unmasked: an option of the authors' code (`mask_weight` in
github.com/ajayjain/lmconv). In an S-curve consecutive pixels are neighbours, and there is no blind spot. In a raster
order there is the blind spot of PixelCNN, because there is a single stack of kernels.

Not implemented: other curves (the paper also has Hilbert curves) and orders made for inpainting a hole. The
normalisation of each pixel (PONO) of the authors' code.
Differs from the paper: gated residual layers with skip connections, as in `gated-pixelcnn`, in place of the PixelCNN++
blocks with long shortcuts; kernels are dilated, for context the size of the image; the network may also be conditioned
on the order, through a vector; sub-pixels are sampled in turn if the likelihood does not couple them.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from pointillist.images.array_types import Float
from pointillist.networks.backbone import BackboneDims, DilatedConfig, ResidualHead, ResidualSkip, dilated_layers
from pointillist.nn import CausalLayer, Condition, ConditionBias, Dropout, LocallyMaskedConv2d, channel_groups, gate
from pointillist.nn.passes import Pass


class LocallyMaskedPixelCNNConfig(DilatedConfig):
    """Settings of the locally masked PixelCNN.

    ```python
    config = LocallyMaskedPixelCNNConfig(channels=32, layers=4)
    network = LocallyMaskedPixelCNN(config, BackboneDims(groups=1, canvas=1, params=16))
    ```

    Attributes:
        channels: features of a layer.
        layers: number of gated layers.
        first_kernel, kernel: kernel sizes of the strict first and of the later layers, odd.
        dilations: distance between the taps of layers 2, 3, ..., in pixels; repeated as often as needed.
        head_channels: features of the layer before the output.
        dropout: probability, after the gates.
    """


class LocalLayer(CausalLayer):
    """A locally masked convolution, a gate, and a 1x1 layer to the residual and to the head."""

    def __init__(
        self, config: LocallyMaskedPixelCNNConfig, dims: BackboneDims, *, first: bool, last: bool, dilation: int
    ) -> None:
        super().__init__()
        features = channel_groups(config.channels, dims.groups)
        gated = torch.cat([features, features])  # both halves of a gate have the groups of its result
        self.convolution: LocallyMaskedConv2d = LocallyMaskedConv2d(
            config.first_kernel if first else config.kernel,
            in_groups=channel_groups(dims.canvas, dims.groups) if first else features,
            out_groups=gated,
            strict=first,
            dilation=dilation,
            mask_weight=first,  # in every layer it learnt no more, and trained slower: docs/decisions, 0028
        )
        self.condition: ConditionBias = ConditionBias(dims.condition, gated)
        head = channel_groups(config.head_channels, dims.groups)
        self.out: ResidualSkip = ResidualSkip(features, head, residual=not first, last=last)
        self.dropout: Dropout = Dropout(config.dropout)

    def forward(self, x: Float[Tensor, "b d h w"], ctx: Pass, condition: Condition) -> tuple[Tensor, Tensor]:
        """Compute the next features and the skip output."""
        h = self.condition(self.convolution(x, ctx), ctx, condition)  # (b, 2d, h, w)
        return self.out.split(self.dropout(gate(h)), x)  # (b, d, h, w), (b, s, h, w)


class LocallyMaskedPixelCNN(ResidualHead):
    """Gated layers of locally masked convolutions, and a head over the sum of their skip outputs.

    ```python
    pt.build("locally-masked-pixelcnn", shape=(1, 28, 28), levels=16, preset="small")
    ```
    """

    Config: ClassVar[type[LocallyMaskedPixelCNNConfig]] = LocallyMaskedPixelCNNConfig
    masks_locally = True
    takes_local_gain = False

    def __init__(self, config: LocallyMaskedPixelCNNConfig, dims: BackboneDims) -> None:
        super().__init__()
        self.layers: nn.ModuleList = dilated_layers(LocalLayer, config, dims)
        self.add_head(config.head_channels, dims)

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Compute the parameters of each pixel; see `Backbone.forward`."""
        h, total = self.layers[0](x, ctx, condition)
        for layer in self.layers[1:]:
            h, skip = layer(h, ctx, condition)
            total = total + skip
        return self.project(total, x, ctx)
