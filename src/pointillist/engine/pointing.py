"""Gates that point at channels, in instructions that there are already: as products with matrices of ones."""

from __future__ import annotations

import torch
from torch import Tensor


def point(gates: Tensor, levels: Tensor, count: int) -> Tensor:
    """Each gate times 1 at the channel that its level names and 0 at the others, added up channel by channel.

    Levels are whole numbers, so that 1 - |level - channel|, or 0 if that is more, is 1 where they are equal and else 0.
    """
    images = gates.shape[1]
    spread = torch.eye(images, dtype=gates.dtype).repeat_interleave(count, 0)[:, :, None, None]
    named = torch.arange(count, dtype=gates.dtype).repeat(images)[None, :, None, None]
    gathered = torch.eye(count, dtype=gates.dtype).repeat(1, images)[:, :, None, None]
    apart = torch.conv2d(levels, spread) - named
    there = torch.relu(1.0 - torch.relu(apart) - torch.relu(-apart))
    return torch.conv2d(torch.conv2d(gates, spread) * there, gathered)
