"""The locally masked convolution of Jain et al. 2020: one kernel, of which a site uses the taps that it knows."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.errors import ConfigError
from pointillist.nn.base import CausalLayer
from pointillist.nn.masks import channel_causal_mask
from pointillist.nn.passes import FullPass, Pass


class LocallyMaskedConv2d(CausalLayer):
    """A k x k convolution over what comes before a site, and over the sub-pixels of the site before the feature's own.

    The kernel has the orientation of the image: the left neighbour meets the same weights in every order that knows it.

    Args:
        kernel_size: odd, at least 3 where the layer is strict.
        in_groups, out_groups: the sub-pixel of each feature.
        strict: mask A on the site itself, else mask B.
        dilation: distance between taps.
        knows: whether the layer is told which taps are known, by a kernel of its own over a map of ones.
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
        knows: bool = True,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ConfigError(
                f"`kernel_size` (={kernel_size}) must be odd: a local kernel needs a centre. Try {kernel_size + 1}."
            )
        half = kernel_size // 2
        convolution = nn.Conv2d(len(in_groups), len(out_groups), kernel_size)  # for its initialisation
        self.weight = convolution.weight
        self.bias = convolution.bias
        self.dilation = dilation
        site = channel_causal_mask(out_groups, in_groups, strict=strict)
        mask = None
        if site is not None:
            mask = torch.ones(self.weight.shape)
            mask[:, :, half, half] = site
        self.register_buffer("mask", mask, persistent=False)
        self.known = nn.Parameter(torch.zeros(len(out_groups), 1, kernel_size, kernel_size)) if knows else None

    def masked_weight(self) -> Float[Tensor, "o i k k"]:
        """The kernel of which the known taps are used."""
        return self.weight if self.mask is None else self.weight * self.mask

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass) -> Float[Tensor, "b o h w"]:
        """Convolve what is known around each site."""
        out = ctx.neighbours(self.key(), x, self.masked_weight(), self.bias, dilation=self.dilation)
        if self.known is None:
            return out
        ones = torch.ones(1, 1, *x.shape[2:], dtype=self.known.dtype, device=self.known.device)
        told = FullPass(ctx.order).neighbours("", ones, self.known, None, dilation=self.dilation)
        return out + ctx.external(self.key("known"), told)
