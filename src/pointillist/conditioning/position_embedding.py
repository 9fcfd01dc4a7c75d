"""Where a site is: a learned map, for images whose place in the frame matters and whose size is fixed."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class PositionEmbedding(nn.Module):
    """A learned vector for each site of an `h x w` image."""

    def __init__(self, width: int, height: int, columns: int) -> None:
        super().__init__()
        self.map = nn.Parameter(nn.init.normal_(torch.empty(1, width, height, columns), std=0.1))

    def forward(self, count: int) -> Float[Tensor, "b d h w"]:
        """The map, for `count` images."""
        return self.map.expand(count, -1, -1, -1)
