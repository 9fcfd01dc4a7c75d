"""Cross-attention from pixels to the tokens of a prompt (Vaswani et al. 2017).

Keys and values are computed from the tokens once an image, and each pixel computes a query from its features. If the
sub-pixels of a pixel are sampled in turn, each has its own heads, whose queries depend on no later sub-pixel.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.nn.base import CausalLayer
from pointillist.nn.causal import PointwiseConv2d
from pointillist.nn.functional.attention import Tokens
from pointillist.nn.passes import Pass

HEADS, HEAD_WIDTH = 2, 16
"""Heads, and features of a head, for each sub-pixel that is sampled in turn."""


class CrossAttention(CausalLayer):
    """Cross-attention from the features of each pixel to tokens.

    Args:
        width: features of a token.
        groups: sub-pixel of each input feature, and of each output feature, see `channel_groups`.

    Example:
        ```python
        layer = CrossAttention(32, channel_groups(8, 1))
        tokens = Tokens(torch.randn(2, 6, 32), torch.ones(2, 6, dtype=torch.bool))
        layer(torch.randn(2, 8, 5, 5), FullPass(), tokens).shape  # (2, 8, 5, 5)
        ```
    """

    def __init__(self, width: int, groups: Int[Tensor, " d"]) -> None:
        super().__init__()
        num_groups = int(groups.max()) + 1
        self.heads = num_groups * HEADS
        head_groups = torch.arange(num_groups, device="cpu").repeat_interleave(HEADS * HEAD_WIDTH)
        self.query = PointwiseConv2d(groups, head_groups, bias=False)
        self.keys = nn.Linear(width, len(head_groups), bias=False)
        self.values = nn.Linear(width, len(head_groups))
        self.out = PointwiseConv2d(head_groups, groups, bias=False)

    def forward(self, x: Float[Tensor, "b d h w"], ctx: Pass, tokens: Tokens) -> Float[Tensor, "b d h w"]:
        """Attend to the tokens; the result is added to `x` by the caller."""
        attended = ctx.cross_attend(self.key("tokens"), self.query(x), tokens, self.keys, self.values, self.heads)
        out: Tensor = self.out(attended)
        return out
