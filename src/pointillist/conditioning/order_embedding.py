"""Which order it is: told to a model that knows several, as one more part of the vector that every layer hears."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from pointillist.nn import Condition
from pointillist.ordering import PixelOrder


class OrderEmbedding(nn.Module):
    """A learned vector for each order."""

    def __init__(self, orders: Sequence[str], width: int) -> None:
        super().__init__()
        self.orders = tuple(orders)
        self.embedding = nn.Embedding(len(orders), width)
        nn.init.zeros_(self.embedding.weight)  # random ones are noise for long: docs/decisions, 0027

    def forward(self, condition: Condition, order: PixelOrder) -> Condition:
        """The condition, with the vector of the order beside its own."""
        told = self.embedding.weight[self.orders.index(order.name)][None, :, None, None]
        if condition.vector is not None:
            told = torch.cat([condition.vector, told.expand(len(condition.vector), -1, -1, -1)], 1)
        return replace(condition, vector=told)
