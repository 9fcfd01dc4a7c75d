"""Weight normalisation: every output of a layer has a direction and a length, w = g v / |v|.

Salimans and Kingma, Weight Normalization, NeurIPS 2016. Masked weights are no part of the direction. What is used, and
recorded, is the plain weight `w`, made anew at every call.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.nn.base import CausalLayer
from pointillist.nn.causal import CausalConv2d, PointwiseConv2d
from pointillist.nn.masks import channel_causal_mask
from pointillist.nn.passes import Pass

TINY = 1e-12  # a direction of zeros stays zero
LEAST_SPREAD = 1e-3  # an output that hardly varies over the first images is not scaled up


class WeightNormalised(nn.Module):
    """What layers with a direction and a length have in common; the direction is the weight of the plain layer.

    Attributes:
        gain: g, the length of each output's weights.
        target: standard deviation that `initialise` gives each output.
    """

    gain: nn.Parameter
    bias: Tensor | None
    target: float

    def add_gain(self, weight: Tensor, target: float) -> None:
        """Start with the weights as they are."""
        self.gain = nn.Parameter(weight.detach().flatten(1).norm(dim=1))
        self.target = target

    def normalised(self, v: Float[Tensor, "o i kh kw"]) -> Float[Tensor, "o i kh kw"]:
        """g v / |v| (eq. 2)."""
        lengths = (v * v).sum((1, 2, 3), keepdim=True)
        return v * (self.gain[:, None, None, None] * torch.rsqrt(lengths + TINY))

    def fit(self, output: Float[Tensor, "b o h w"]) -> Float[Tensor, "b o h w"]:
        """Give `output` mean 0 and deviation `target` by changing length and bias (eq. 5, 6); return it."""
        assert self.bias is not None
        precise = torch.promote_types(output.dtype, torch.float32)
        deviation, mean = torch.std_mean(output.to(precise), (0, 2, 3), correction=0)
        scale = torch.where(deviation > LEAST_SPREAD, self.target / deviation, 1.0).to(output.dtype)
        mean = mean.to(output.dtype)
        self.gain.mul_(scale)
        self.bias.sub_(mean).mul_(scale)
        return (output - mean[:, None, None]) * scale[:, None, None]


class NormalisedConv2d(CausalConv2d, WeightNormalised):
    """A causal convolution with normalised weights; `reach` is that of `CausalConv2d`."""

    def __init__(self, in_channels: int, out_channels: int, *, target: float = 1.0, **reach: Any) -> None:
        super().__init__(in_channels, out_channels, **reach)
        self.add_gain(super().masked_weight(), target)

    def masked_weight(self) -> Float[Tensor, "o i kh kw"]:
        """The kernel that is used."""
        return self.normalised(super().masked_weight())


class NormalisedPointwiseConv2d(PointwiseConv2d, WeightNormalised):
    """A 1x1 convolution that keeps the groups, with normalised weights."""

    def __init__(self, in_groups: Int[Tensor, " i"], out_groups: Int[Tensor, " o"]) -> None:
        super().__init__(in_groups, out_groups)
        self.add_gain(super().masked_weight(), 1.0)

    def masked_weight(self) -> Float[Tensor, "o i 1 1"]:
        """The weights that are used."""
        return self.normalised(super().masked_weight())


class NormalisedConvTranspose2d(CausalLayer, WeightNormalised):
    """A transposed convolution of stride 2 with normalised weights: from a coarse grid to the one twice as fine.

    Kernel and result are those of the shifted transposed convolutions of PixelCNN++: 2x3 (`right=1`), where a site in
    an odd column also hears the coarse site to its right, or 2x2 (`right=0`). It is computed as a convolution on the
    coarse grid that makes four features for each, one a place under the coarse site.

    Args:
        in_groups, out_groups: the sub-pixel of each feature; only at the coarse site itself do they matter.
        right: whether the coarse site to the right is read; only where it is known, that is, for finished rows.
    """

    mask: Tensor | None

    def __init__(self, in_groups: Int[Tensor, " i"], out_groups: Int[Tensor, " o"], *, right: int) -> None:
        super().__init__()
        self.right = right
        convolution = nn.Conv2d(len(in_groups), len(out_groups), (2, 2 + right))
        self.weight = convolution.weight
        self.bias = convolution.bias
        site = channel_causal_mask(out_groups, in_groups, strict=False)
        mask = None
        if site is not None:
            mask = torch.ones(self.weight.shape)
            mask[:, :, 0, right] = site
        self.register_buffer("mask", mask, persistent=False)
        self.add_gain(self._masked(), 1.0)

    def _masked(self) -> Tensor:
        return self.weight if self.mask is None else self.weight * self.mask

    def kernel(self) -> Float[Tensor, "o4 i 1 taps"]:
        """The kernel on the coarse grid: its outputs are those of the site, the one right of it, below it, and both."""
        weight = self.normalised(self._masked())
        if self.right:  # the left column of the 2x3 kernel is how a coarse site reaches the odd column before it
            before, own, after = weight.unsqueeze(-1).unbind(3)  # o i 2 1
            even = torch.cat([own, torch.zeros_like(own)], -1)
            both = torch.stack([even, torch.cat([after, before], -1)])  # columns, o i rows taps
            return both.permute(3, 0, 1, 2, 4).flatten(0, 2).unsqueeze(2)
        return weight.permute(2, 3, 0, 1).flatten(0, 2)[:, :, None, None]

    def forward(
        self, x: Float[Tensor, "b i h2 w2"], ctx: Pass, like: Float[Tensor, "b d h w"]
    ) -> Float[Tensor, "b o h w"]:
        """`x` at the sites of `like`."""
        if self.right:
            x = ctx.window(self.key("coarse"), x, up=0, left=0, right=1)
        assert self.bias is not None
        return ctx.upsample(self.key(), F.conv2d(x, self.kernel(), self.bias.repeat(4)), like)


def initialise_from_data(root: nn.Module, run: Callable[[], object]) -> None:
    """Scale every weight-normalised layer under `root` by what it makes while `run` runs the network once (section 3).

    Layer by layer, in the order of the forward: the next one sees what is already scaled.
    """
    with ExitStack() as stack, torch.no_grad():
        for module in root.modules():
            if isinstance(module, WeightNormalised):
                hook = module.register_forward_hook(lambda layer, inputs, output: layer.fit(output))
                stack.callback(hook.remove)
        run()


def has_weight_norm(root: nn.Module) -> bool:
    """Whether any layer under `root` is initialised from data."""
    return any(isinstance(module, WeightNormalised) for module in root.modules())
