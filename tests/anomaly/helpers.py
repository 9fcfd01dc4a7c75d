"""A model that is the truth: its own samples are the normal images."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

import pointillist as pt


@lru_cache
def truth(levels: int = 4, ordered: bool = True, side: int = 10) -> pt.PixelModel:
    """Build a model whose images have structure: its weights are larger than at the start of training."""
    torch.manual_seed(0)
    settings = {"channels": 8, "layers": 2, "head_channels": 8}
    model = pt.build("pixelcnn", shape=(1, side, side), levels=levels, ordered=ordered, **settings)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2.5)
    return model.eval()


@lru_cache
def samples(count: int, seed: int, levels: int = 4, ordered: bool = True) -> Tensor:
    """Draw normal images."""
    return pt.sample(truth(levels, ordered), count, seed=seed).torch()


def with_patch(x: Tensor, row: int, column: int) -> Tensor:
    """Replace 3x3 pixels of each image by noise."""
    noise = torch.randint(4, (len(x), 1, 3, 3), generator=torch.Generator().manual_seed(0))
    planted = x.clone()
    planted[:, :, row : row + 3, column : column + 3] = noise
    return planted
