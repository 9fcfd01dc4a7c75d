"""Weight normalisation, w = g v / |v| for each output of a layer.

Salimans and Kingma, Weight Normalization, NeurIPS 2016 (arXiv 1602.07868). Masked weights are not part of the direction
v. Every call computes the plain weight w, which is what a layer uses and what a program records.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pointillist.images.array_types import Float, Int
from pointillist.nn.base import CausalLayer, MaskedWeights, channel_causal_mask, site_tap_mask
from pointillist.nn.causal import CausalConv2d, PointwiseConv2d
from pointillist.nn.passes import Pass

TINY = 1e-12  # keeps a direction of zeros at zero
MIN_DEVIATION = 1e-3  # an output that hardly varies over the first batch is not scaled up


class WeightNormalised(nn.Module):
    """Mixin for layers with normalised weights; the direction v is the weight of the plain layer.

    Attributes:
        gain: g, the norm of the weights of each output.
        target: standard deviation of each output after `initialise_from_data`.
    """

    gain: nn.Parameter
    bias: Tensor | None
    target: float

    def add_gain(self, weight: Tensor, target: float) -> None:
        """Create the gain such that the normalised weights equal `weight`."""
        self.gain = nn.Parameter(weight.detach().flatten(1).norm(dim=1))
        self.target = target

    def normalised(self, v: Float[Tensor, "o i kh kw"]) -> Float[Tensor, "o i kh kw"]:
        """Compute g v / |v| (eq. 2)."""
        squared_norm = (v * v).sum((1, 2, 3), keepdim=True)
        return v * (self.gain[:, None, None, None] * torch.rsqrt(squared_norm + TINY))

    def fit(self, output: Float[Tensor, "b o h w"]) -> Float[Tensor, "b o h w"]:
        """Set gain and bias such that `output` has mean 0 and standard deviation `target` (eq. 5, 6); return it."""
        assert self.bias is not None
        precise = torch.promote_types(output.dtype, torch.float32)
        deviation, mean = torch.std_mean(output.to(precise), (0, 2, 3), correction=0)
        scale = torch.where(deviation > MIN_DEVIATION, self.target / deviation, 1.0).to(output.dtype)
        mean = mean.to(output.dtype)
        self.gain.mul_(scale)
        self.bias.sub_(mean).mul_(scale)
        return (output - mean[:, None, None]) * scale[:, None, None]


class NormalisedConv2d(CausalConv2d, WeightNormalised):
    """A causal convolution with normalised weights.

    ```python
    NormalisedConv2d(32, 64, up=1, left=1, right=1)
    ```

    Args:
        in_channels, out_channels: numbers of features.
        target: standard deviation of each output after `initialise_from_data`.
        reach: the other arguments of `CausalConv2d`.
    """

    def __init__(self, in_channels: int, out_channels: int, *, target: float = 1.0, **reach: Any) -> None:
        super().__init__(in_channels, out_channels, **reach)
        self.add_gain(super().masked_weight(), target)

    def masked_weight(self) -> Float[Tensor, "o i kh kw"]:
        return self.normalised(super().masked_weight())


class NormalisedPointwiseConv2d(PointwiseConv2d, WeightNormalised):
    """A 1x1 convolution with mask B and normalised weights; arguments as `PointwiseConv2d`.

    ```python
    NormalisedPointwiseConv2d(channel_groups(32, 3), channel_groups(64, 3))
    ```
    """

    def __init__(self, in_groups: Int[Tensor, " i"], out_groups: Int[Tensor, " o"]) -> None:
        super().__init__(in_groups, out_groups)
        self.add_gain(super().masked_weight(), 1.0)

    def masked_weight(self) -> Float[Tensor, "o i 1 1"]:
        return self.normalised(super().masked_weight())


class NormalisedConvTranspose2d(CausalLayer, MaskedWeights, WeightNormalised):
    """A transposed convolution of stride 2 with normalised weights: from a coarse grid to one twice as fine.

    Kernel and result are as in the shifted transposed convolutions of PixelCNN++. The kernel is 2x3 (`right=1`),
    where a pixel in an odd column also reads the coarse pixel to its right, or 2x2 (`right=0`). The layer is computed
    as a convolution on the coarse grid with four times the outputs, one for each of the four pixels below a coarse one.

    ```python
    NormalisedConvTranspose2d(channel_groups(32, 1), channel_groups(64, 1), right=1)
    ```

    Args:
        in_groups, out_groups: sub-pixel of each feature; they matter only at the coarse pixel itself.
        right: 1 to read the coarse pixel to the right, which only finished rows may do; else 0.
    """

    def __init__(self, in_groups: Int[Tensor, " i"], out_groups: Int[Tensor, " o"], *, right: int) -> None:
        super().__init__()
        self.right = right
        site = channel_causal_mask(out_groups, in_groups, strict=False)
        kernel = (2, 2 + right)
        self.set_weights(nn.Conv2d(len(in_groups), len(out_groups), kernel), site_tap_mask(site, kernel, 0, right))
        self.add_gain(self.masked_weight(), 1.0)

    def kernel(self) -> Float[Tensor, "o4 i 1 taps"]:
        """Build the kernel on the coarse grid: outputs for the pixel, the one to its right, below it, and both."""
        weight = self.normalised(self.masked_weight())
        if self.right:  # through its left column, the 2x3 kernel takes a coarse pixel to the odd column before it
            before, middle, after = weight.unsqueeze(-1).unbind(3)  # o i 2 1
            even = torch.cat([middle, torch.zeros_like(middle)], -1)
            both = torch.stack([even, torch.cat([after, before], -1)])  # columns, o i rows taps
            return both.permute(3, 0, 1, 2, 4).flatten(0, 2).unsqueeze(2)
        return weight.permute(2, 3, 0, 1).flatten(0, 2)[:, :, None, None]

    def forward(
        self, x: Float[Tensor, "b i h2 w2"], ctx: Pass, like: Float[Tensor, "b d h w"]
    ) -> Float[Tensor, "b o h w"]:
        if self.right:
            x = ctx.window(self.key("coarse"), x, up=0, left=0, right=1)
        assert self.bias is not None
        return ctx.upsample(self.key(), F.conv2d(x, self.kernel(), self.bias.repeat(4)), like)


def initialise_from_data(root: nn.Module, run: Callable[[], object]) -> None:
    """Initialise every weight-normalised layer under `root` from data (section 3).

    Layers are scaled one after the other, as the forward reaches them: each one reads outputs that are already scaled.

    Args:
        root: the network.
        run: runs the network once on a batch of images.

    Example:
        ```python
        initialise_from_data(model, lambda: model(x))
        ```
    """
    with ExitStack() as stack, torch.no_grad():
        for module in root.modules():
            if isinstance(module, WeightNormalised):
                hook = module.register_forward_hook(lambda layer, inputs, output: layer.fit(output))
                stack.callback(hook.remove)
        run()


def has_weight_norm(root: nn.Module) -> bool:
    """Check whether any layer under `root` is weight-normalised, and so initialised from data.

    ```python
    has_weight_norm(pt.build("pixelcnn-pp", shape=(3, 32, 32), preset="tiny"))  # True
    ```
    """
    return any(isinstance(module, WeightNormalised) for module in root.modules())
