"""Recurrent layers over the pixels of an image."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pointillist.nn.base import CausalLayer
from pointillist.nn.functional.recurrence import LSTMCellParams
from pointillist.nn.passes import Pass


class RecurrentLayer(CausalLayer):
    """The state-to-state part of an LSTM over pixels, without a bias (van den Oord et al. 2016a, section 3).

    The sub-pixels of a pixel enter through the input of the gates, which therefore respects the channel groups. The
    state comes from earlier pixels, all of whose sub-pixels are known, and needs no mask.

    Args:
        channels: features of the state.
        along: `rows` or `diagonals`, see `LSTMCellParams`.
        kernel_size: number of taps on the row above, odd; for `rows` only.
        reverse: whether the layer runs from right to left.

    Example:
        ```python
        layer = RecurrentLayer(8, "diagonals")
        layer(torch.randn(2, 4 * 8, 5, 5), FullPass()).shape  # (2, 8, 5, 5)
        ```
    """

    def __init__(
        self, channels: int, along: Literal["rows", "diagonals"], *, kernel_size: int = 3, reverse: bool = False
    ) -> None:
        super().__init__()
        self.along: Literal["rows", "diagonals"] = along
        self.reverse = reverse
        num_taps = kernel_size if along == "rows" else 2
        bound = (channels * num_taps) ** -0.5  # as a convolution is initialised
        self.weight: nn.Parameter = nn.Parameter(torch.empty(num_taps, channels, 4 * channels).uniform_(-bound, bound))
        # the initial state
        self.hidden: nn.Parameter = nn.Parameter(torch.zeros(channels))
        self.memory: nn.Parameter = nn.Parameter(torch.zeros(channels))

    def forward(self, gates: Float[Tensor, "b _ h w"], ctx: Pass) -> Float[Tensor, "b d h w"]:
        """Compute the hidden features from the input's contribution to the gates o, f, i, g."""
        cell = LSTMCellParams(self.along, self.weight, self.hidden, self.memory)
        return ctx.recur(self.key(), cell, gates, reverse=self.reverse)
