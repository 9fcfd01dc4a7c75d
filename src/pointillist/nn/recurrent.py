"""Layers whose state passes from site to site."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pointillist.nn.base import CausalLayer
from pointillist.nn.functional.recurrence import LSTMCellParams
from pointillist.nn.passes import Pass


class RecurrentLayer(CausalLayer):
    """The state-to-state part of an LSTM over sites (van den Oord et al. 2016a, section 3), without a bias.

    What reaches a site from its own pixel comes through the gates' input, which therefore keeps the groups of
    sub-pixels. The state comes from earlier sites, of which every sub-pixel is known: it needs no mask.

    Args:
        channels: features of the state.
        along: `rows` or `diagonals`, see `recurrence.LSTMCellParams`.
        kernel_size: taps on the row above, odd, where it runs along rows.
        reverse: whether it runs from right to left.
    """

    def __init__(
        self, channels: int, along: Literal["rows", "diagonals"], *, kernel_size: int = 3, reverse: bool = False
    ) -> None:
        super().__init__()
        self.along: Literal["rows", "diagonals"] = along
        self.reverse = reverse
        num_taps = kernel_size if along == "rows" else 2
        bound = (channels * num_taps) ** -0.5  # as a convolution is initialised
        self.weight = nn.Parameter(torch.empty(num_taps, channels, 4 * channels).uniform_(-bound, bound))
        self.hidden = nn.Parameter(torch.zeros(channels))
        self.memory = nn.Parameter(torch.zeros(channels))

    def forward(self, gates: Float[Tensor, "b _ h w"], ctx: Pass) -> Float[Tensor, "b d h w"]:
        """The hidden features, from what the input adds to the gates o, f, i, g."""
        return ctx.recur(
            self.key(), LSTMCellParams(self.along, self.weight, self.hidden, self.memory), gates, reverse=self.reverse
        )
