"""Learned embeddings of what a model knows by itself: the generation order, the pixel position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pointillist.nn import Condition
from pointillist.ordering import PixelOrder


class OrderEmbedding(nn.Module):
    """A learned vector for each generation order of a model that was trained on several.

    ```python
    embed = OrderEmbedding(["raster", "s-curve"], 16)
    embed(Condition(), get_order("s-curve")).vector.shape  # (1, 16, 1, 1)
    ```
    """

    def __init__(self, orders: Sequence[str], width: int) -> None:
        super().__init__()
        self.orders = tuple(orders)
        self.embedding = nn.Embedding(len(orders), width)
        nn.init.zeros_(self.embedding.weight)  # random ones are noise for long: docs/decisions, 0027

    def forward(self, condition: Condition, order: PixelOrder) -> Condition:
        """Append the vector of the order to that of the condition."""
        vector = self.embedding.weight[self.orders.index(order.name)][None, :, None, None]
        if condition.vector is not None:
            vector = torch.cat([condition.vector, vector.expand(len(condition.vector), -1, -1, -1)], 1)
        return replace(condition, vector=vector)


class PositionEmbedding(nn.Module):
    """A learned vector for each pixel position of an `h x w` image; it fixes the size of images.

    ```python
    PositionEmbedding(8, 28, 28)(4).shape  # (4, 8, 28, 28)
    ```
    """

    def __init__(self, width: int, height: int, columns: int) -> None:
        super().__init__()
        self.map = nn.Parameter(nn.init.normal_(torch.empty(1, width, height, columns), std=0.1))

    def forward(self, count: int) -> Float[Tensor, "b d h w"]:
        """Repeat the map for `count` images."""
        return self.map.expand(count, -1, -1, -1)
