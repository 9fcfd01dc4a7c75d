"""Tokens of a prompt, and the layer through which every site asks them: cross-attention (Vaswani et al. 2017).

Keys and values are made of the tokens once an image; a site makes a query of its own features. Where the sub-pixels of
a site are painted in turn, each has heads of its own, whose query knows no later one.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from pointillist.nn.base import CausalLayer
from pointillist.nn.causal import PointwiseConv2d
from pointillist.nn.passes import Pass

HEADS, HEAD_WIDTH = 2, 16
"""Of each sub-pixel that is painted in turn."""


@dataclass(frozen=True)
class Tokens:
    """What a prompt is heard as, one token after the other; of each image at least one is there."""

    states: Float[Tensor, "b t d"]
    there: Bool[Tensor, "b t"]


class CrossAttention(CausalLayer):
    """What each site is answered by the tokens.

    Args:
        width: features of a token.
        groups: the sub-pixel of each feature that asks, and that is answered.
    """

    def __init__(self, width: int, groups: Int[Tensor, " d"]) -> None:
        super().__init__()
        turns = int(groups.max()) + 1
        self.heads = turns * HEADS
        asked = torch.arange(turns, device="cpu").repeat_interleave(HEADS * HEAD_WIDTH)
        self.query = PointwiseConv2d(groups, asked, bias=False)
        self.keys = nn.Linear(width, len(asked), bias=False)
        self.values = nn.Linear(width, len(asked))
        self.out = PointwiseConv2d(asked, groups, bias=False)

    def forward(self, x: Float[Tensor, "b d h w"], ctx: Pass, tokens: Tokens) -> Float[Tensor, "b d h w"]:
        """The answers, brought to the features of `x`."""
        keys, values = self.keys(tokens.states), self.values(tokens.states)
        found = ctx.cross_attend(self.key("tokens"), self.query(x), keys, values, tokens.there, self.heads)
        out: Tensor = self.out(found)
        return out
