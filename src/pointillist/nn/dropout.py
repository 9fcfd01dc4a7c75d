"""Dropout whose draws are cheap on a CPU, where torch makes one number after the other."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_BITS = 15  # of a draw: torch fills 63 of 64 bits, so the highest of each sixteen is not drawn


class Dropout(nn.Dropout):
    """As `nn.Dropout`, with probabilities in steps of 2^-15: four draws from each random number of the generator."""

    def forward(self, input: Tensor) -> Tensor:
        """In training each number is 0 with probability p, or divided by 1 - p."""
        kept = round((1 - self.p) * 2**_BITS)
        if not self.training or input.device.type != "cpu" or self.inplace or not 0 < kept < 2**_BITS:
            dropped: Tensor = super().forward(input)
            return dropped
        numbers = torch.empty(-(-input.numel() // 4), dtype=torch.int64).random_()
        drawn = numbers.view(torch.int16)[: input.numel()].bitwise_and_(2**_BITS - 1)
        scale = (drawn < kept).to(input.dtype).mul_(2**_BITS / kept)
        layout = torch.empty_like(input)  # without gaps, as the input may not be
        scaled: Tensor = input * scale.as_strided(layout.shape, layout.stride())
        return scaled
