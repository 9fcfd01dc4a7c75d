"""How a condition enters a layer: a bias from its vector, a 1x1 convolution of its map, attention to its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from pointillist.nn.base import CausalLayer
from pointillist.nn.cross_attention import CrossAttention, Tokens
from pointillist.nn.passes import Pass
from pointillist.ordering import PixelOrder


@dataclass(frozen=True)
class Condition:
    """What is known before the first site: a vector for all sites, a map of values at each, and tokens to ask."""

    vector: Float[Tensor, "b v 1 1"] | None = None
    map: Float[Tensor, "b m h w"] | None = None
    tokens: Tokens | None = None

    def turned(self, order: PixelOrder) -> Condition:
        """What is told on the turned canvas of an order: maps turn with the image."""
        return self if self.map is None else replace(self, map=order.turn(self.map))

    def as_computed(self) -> Condition:
        """Under autocast, the map as all layers will take it, so that not each of them casts it for itself."""
        if self.map is None or not torch.is_autocast_enabled(self.map.device.type):
            return self
        dtype = torch.get_autocast_dtype(self.map.device.type)
        return replace(self, map=self.map.to(dtype, memory_format=torch.channels_last))

    def image(self, index: int) -> Condition:
        """That of one image of the batch."""
        one = slice(index, index + 1)
        vector, map = (None if part is None else part[one] for part in (self.vector, self.map))
        tokens = None if self.tokens is None else Tokens(self.tokens.states[one], self.tokens.there[one])
        return Condition(vector, map, tokens)

    @classmethod
    def together(cls, several: Sequence[Condition]) -> Condition:
        """One batch of several, all of which have the same parts."""
        vectors = [one.vector for one in several if one.vector is not None]
        maps = [one.map for one in several if one.map is not None]
        tokens = [one.tokens for one in several if one.tokens is not None]
        return cls(
            torch.cat(vectors) if vectors else None,
            torch.cat(maps) if maps else None,
            Tokens(torch.cat([t.states for t in tokens]), torch.cat([t.there for t in tokens])) if tokens else None,
        )


@dataclass(frozen=True)
class ConditionDims:
    """Features of each part of a condition; 0 where a model has none."""

    vector: int = 0
    map: int = 0
    tokens: int = 0

    @property
    def without_tokens(self) -> ConditionDims:
        """For a layer beside one that asks the tokens."""
        return replace(self, tokens=0)


class ConditionBias(CausalLayer):
    """Adds V h for a vector h (van den Oord et al. 2016b, eq. 3, 4), V * s for a map s (eq. 5), what tokens answer.

    Args:
        heard: features of the condition.
        groups: the sub-pixel of each feature that is added to.
        scale: the grid of the layer: a map is read at every `scale`-th row and column.
    """

    def __init__(self, heard: ConditionDims, groups: Int[Tensor, " d"], *, scale: int = 1) -> None:
        super().__init__()
        self.scale = scale
        self.vector = nn.Conv2d(heard.vector, len(groups), 1, bias=False) if heard.vector else None
        self.map = nn.Conv2d(heard.map, len(groups), 1, bias=False) if heard.map else None
        self.tokens = CrossAttention(heard.tokens, groups) if heard.tokens else None

    def forward(self, x: Float[Tensor, "b d h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b d h w"]:
        """`x` plus what the condition adds; unchanged where the model has none."""
        if self.vector is not None:
            assert condition.vector is not None
            x = x + self.vector(ctx.external(self.key("vector"), condition.vector))
        if self.map is not None:
            assert condition.map is not None
            told = ctx.external(self.key("map"), condition.map)
            if self.scale > 1:
                told = ctx.window(self.key("sites"), told, up=0, left=0, right=0)
            x = x + F.conv2d(told, self.map.weight, stride=self.scale)
        if self.tokens is not None:
            assert condition.tokens is not None
            x = x + self.tokens(x, ctx, condition.tokens)
        return x
