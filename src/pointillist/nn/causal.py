"""Causal convolutions. Kernels are sliced to the taps that can be seen; a mask is used only inside the last row.

The mask multiplies the weight that is used, at every call, so it cannot be lost: not before the first step, not after
loading weights, not under an average of weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.errors import ConfigError
from pointillist.nn.base import CausalLayer
from pointillist.nn.masks import channel_causal_mask, channel_groups
from pointillist.nn.passes import Pass


class CausalConv2d(CausalLayer):
    """A convolution over the rows `-up..down` and columns `-left..right` around a site, in steps of `dilation`.

    Args:
        in_channels, out_channels: feature counts.
        up, down, left, right: the reach of the kernel, in sites; `down` and `right` may be -1 (strictly before).
        dilation: distance between taps; must divide the reach.
        stride: the result is made at every so many rows and columns only, from row 0 and column 0 on.
        mask: which weights may be used, broadcastable to the kernel, or None for all of them.
        bias: whether a bias is added.
    """

    mask: Tensor | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        up: int,
        left: int,
        right: int,
        down: int = 0,
        dilation: int = 1,
        stride: int = 1,
        mask: Tensor | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.reach = {"up": up, "left": left, "right": right, "down": down}
        self.dilation = dilation
        self.stride = stride
        kernel = ((up + down) // dilation + 1, (left + right) // dilation + 1)
        convolution = nn.Conv2d(in_channels, out_channels, kernel, bias=bias)  # for its initialisation
        self.weight = convolution.weight
        self.bias = convolution.bias
        self.register_buffer("mask", mask, persistent=False)

    def masked_weight(self) -> Float[Tensor, "o i kh kw"]:
        """The kernel that is used."""
        return self.weight if self.mask is None else self.weight * self.mask

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass) -> Float[Tensor, "b o h2 w2"]:
        """Convolve the window of each site, or of every `stride`-th row and column."""
        window = ctx.window(self.key(), x, **self.reach)
        return F.conv2d(window, self.masked_weight(), self.bias, stride=self.stride, dilation=self.dilation)


class MaskedConv2d(CausalConv2d):
    """The k x k masked convolution of PixelCNN, mask A (`strict`) or B; rows below the site are sliced away."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        in_groups: Int[Tensor, " i"],
        out_groups: Int[Tensor, " o"],
        strict: bool,
    ) -> None:
        half = _half(kernel_size)
        mask = torch.ones(out_channels, in_channels, half + 1, kernel_size)
        mask[:, :, half, half + 1 :] = 0
        site = channel_causal_mask(out_groups, in_groups, strict=strict)
        mask[:, :, half, half] = 1.0 if site is None else site
        super().__init__(in_channels, out_channels, up=half, left=half, right=half, mask=mask)


class VerticalConv2d(CausalConv2d):
    """The convolution of the vertical stack: whole rows. `strict` reads only rows above; otherwise its own row too."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, strict: bool, dilation: int = 1
    ) -> None:
        half = _half(kernel_size) * dilation
        down = -1 if strict else 0
        super().__init__(in_channels, out_channels, up=half, down=down, left=half, right=half, dilation=dilation)


class HorizontalConv2d(CausalConv2d):
    """The convolution of the horizontal stack: the site's own row, up to the site (or, if `strict`, before it)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        *,
        in_groups: Int[Tensor, " i"],
        out_groups: Int[Tensor, " o"],
        strict: bool,
        dilation: int = 1,
    ) -> None:
        half = _half(kernel_size) * dilation
        site = channel_causal_mask(out_groups, in_groups, strict=strict)
        if strict and int(in_groups.min()) >= int(
            out_groups.max()
        ):  # nothing of the own site may be seen: slice the tap away
            super().__init__(in_channels, out_channels, up=0, left=half, right=-1, dilation=dilation)
            return
        mask = None
        if site is not None:
            mask = torch.ones(out_channels, in_channels, 1, half // dilation + 1)
            mask[:, :, 0, -1] = site
        super().__init__(in_channels, out_channels, up=0, left=half, right=0, dilation=dilation, mask=mask)


class CornerConv2d(CausalConv2d):
    """A convolution over rows up to its own and columns up to its own: the upper left corner of a kernel.

    The corner of a 3x3 kernel has 2x2 taps. The input keeps the groups already, so the own site may be read (mask B).
    """

    def __init__(
        self, kernel_size: int, *, in_groups: Int[Tensor, " i"], out_groups: Int[Tensor, " o"], bias: bool = True
    ) -> None:
        half = _half(kernel_size)
        site = channel_causal_mask(out_groups, in_groups, strict=False)
        mask = None
        if site is not None:
            mask = torch.ones(len(out_groups), len(in_groups), half + 1, half + 1)
            mask[:, :, half, half] = site
        super().__init__(len(in_groups), len(out_groups), up=half, left=half, right=0, mask=mask, bias=bias)


class PointwiseConv2d(nn.Module):
    """A 1x1 convolution that keeps the groups: an output reads only groups up to its own (mask B)."""

    mask: Tensor | None

    def __init__(self, in_groups: Int[Tensor, " i"], out_groups: Int[Tensor, " o"], *, bias: bool = True) -> None:
        super().__init__()
        convolution = nn.Conv2d(len(in_groups), len(out_groups), 1, bias=bias)
        self.weight = convolution.weight
        self.bias = convolution.bias
        site = channel_causal_mask(out_groups, in_groups, strict=False)
        self.register_buffer("mask", None if site is None else site[:, :, None, None], persistent=False)

    def masked_weight(self) -> Float[Tensor, "o i 1 1"]:
        """The weights that are used."""
        return self.weight if self.mask is None else self.weight * self.mask

    def forward(self, x: Float[Tensor, "b i h w"]) -> Float[Tensor, "b o h w"]:
        """Mix the features of each site."""
        return F.conv2d(x, self.masked_weight(), self.bias)


def _half(kernel_size: int) -> int:
    if kernel_size % 2 == 0 or kernel_size < 1:
        raise ConfigError(
            f"`kernel_size` (={kernel_size}) must be odd: a causal kernel needs a centre. Try {kernel_size + 1}."
        )
    return kernel_size // 2


__all__ = [
    "CausalConv2d",
    "CornerConv2d",
    "HorizontalConv2d",
    "MaskedConv2d",
    "PointwiseConv2d",
    "VerticalConv2d",
    "channel_groups",
]
