"""How a condition enters a layer: as a bias from its vector and through a 1x1 convolution of its map."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from pointillist.nn.layer import CausalLayer
from pointillist.ordering import Order
from pointillist.passes import Pass


@dataclass(frozen=True)
class Condition:
    """What is known before the first site: a vector for every site, a map with its own values at each, or neither."""

    vector: Float[Tensor, "b v 1 1"] | None = None
    map: Float[Tensor, "b m h w"] | None = None

    def turned(self, order: Order) -> Condition:
        """What is told on the turned canvas of an order: maps turn with the image."""
        return self if self.map is None else replace(self, map=order.turn(self.map))

    def image(self, index: int) -> Condition:
        """That of one image of the batch."""
        parts = (None if part is None else part[index : index + 1] for part in (self.vector, self.map))
        return Condition(*parts)

    @classmethod
    def together(cls, several: Sequence[Condition]) -> Condition:
        """One batch of several, all of which have the same parts."""
        vectors = [one.vector for one in several if one.vector is not None]
        maps = [one.map for one in several if one.map is not None]
        return cls(torch.cat(vectors) if vectors else None, torch.cat(maps) if maps else None)


class ConditionBias(CausalLayer):
    """Adds V h for a vector h (van den Oord et al. 2016b, eq. 3, 4) and V * s for a map s (eq. 5).

    `scale` is the grid of the layer: a map is read at every `scale`-th row and column.
    """

    def __init__(self, vector: int, map: int, out_channels: int, *, scale: int = 1) -> None:
        super().__init__()
        self.scale = scale
        self.vector = nn.Conv2d(vector, out_channels, 1, bias=False) if vector else None
        self.map = nn.Conv2d(map, out_channels, 1, bias=False) if map else None

    def forward(self, x: Float[Tensor, "b d h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b d h w"]:
        """`x` plus what the condition adds; unchanged where the model has none."""
        if self.vector is not None:
            assert condition.vector is not None
            x = x + self.vector(ctx.given(self.key("vector"), condition.vector))
        if self.map is not None:
            assert condition.map is not None
            told = ctx.given(self.key("map"), condition.map)
            if self.scale > 1:
                told = ctx.window(self.key("sites"), told, up=0, left=0, right=0)
            x = x + F.conv2d(told, self.map.weight, stride=self.scale)
        return x
