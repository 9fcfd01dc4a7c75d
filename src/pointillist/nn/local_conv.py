"""Locally masked convolution (Jain et al. 2020): one kernel, masked at each pixel to the taps that come earlier."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.errors import ConfigError
from pointillist.nn.base import CausalLayer, channel_causal_mask
from pointillist.nn.passes import FullPass, Pass


class LocallyMaskedConv2d(CausalLayer):
    """A k x k convolution over the pixels that come before each pixel in the generation order, and the pixel itself.

    The kernel has the orientation of the image: the left neighbour is multiplied by the same weights in every order in
    which it comes earlier.

    Args:
        kernel_size: k, odd; at least 3 if the layer is strict.
        in_groups, out_groups: sub-pixel of each feature, see `channel_groups`.
        strict: mask A at the pixel itself; otherwise mask B.
        dilation: distance between taps in pixels.
        mask_weight: whether a separate kernel, over a map of ones, represents the mask at each pixel
            (`mask_weight` in the authors' code).

    Raises:
        ConfigError: if `kernel_size` is even.

    Example:
        ```python
        groups = channel_groups(8, 1)
        layer = LocallyMaskedConv2d(3, in_groups=groups, out_groups=groups, strict=True)
        layer(torch.randn(2, 8, 5, 5), FullPass(get_order("s-curve"))).shape  # (2, 8, 5, 5)
        ```
    """

    mask: Tensor | None

    def __init__(
        self,
        kernel_size: int,
        *,
        in_groups: Int[Tensor, " i"],
        out_groups: Int[Tensor, " o"],
        strict: bool,
        dilation: int = 1,
        mask_weight: bool = True,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ConfigError(
                f"`kernel_size` (={kernel_size}) must be odd: a local kernel needs a centre. Try {kernel_size + 1}."
            )
        half = kernel_size // 2
        convolution = nn.Conv2d(len(in_groups), len(out_groups), kernel_size)  # for its initialisation
        self.weight: Tensor = convolution.weight
        self.bias: Tensor | None = convolution.bias
        self.dilation = dilation
        site = channel_causal_mask(out_groups, in_groups, strict=strict)
        mask = None
        if site is not None:
            mask = torch.ones(self.weight.shape)
            mask[:, :, half, half] = site
        self.register_buffer("mask", mask, persistent=False)
        self.known: nn.Parameter | None = (
            nn.Parameter(torch.zeros(len(out_groups), 1, kernel_size, kernel_size)) if mask_weight else None
        )

    def masked_weight(self) -> Float[Tensor, "o i k k"]:
        """Return the kernel with the channel mask applied; the mask over taps depends on the pixel."""
        return self.weight if self.mask is None else self.weight * self.mask

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass) -> Float[Tensor, "b o h w"]:
        """Convolve the earlier pixels around each pixel."""
        out = ctx.neighbours(self.key(), x, self.masked_weight(), self.bias, dilation=self.dilation)
        if self.known is None:
            return out
        ones = torch.ones(1, 1, *x.shape[2:], dtype=self.known.dtype, device=self.known.device)
        unmasked = FullPass(ctx.order).neighbours("", ones, self.known, None, dilation=self.dilation)
        return out + ctx.external(self.key("known"), unmasked)
