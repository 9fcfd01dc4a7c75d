"""Diagonal BiLSTM.

Van den Oord, Kalchbrenner, Kavukcuoglu: Pixel Recurrent Neural Networks, ICML 2016 (arXiv 1601.06759), section 3.2.

Adds to Row LSTM: the map is skewed, so that an LSTM takes a whole diagonal in one step, each site from the one to its
left and the one above (figure 3). A second one runs from right to left; its map is moved down by one row, so that it
holds nothing of the future, and added. Together they see **every** earlier pixel, from the first layer on.

Not implemented: multi-scale (`multiscale.py`, a model of its own).
Differs from the paper: conditions (the paper has none) enter as a bias of the gates; optional dropout. The
right-to-left map is computed from finished rows, so its input is not masked among sub-pixels. Of the skewed map only
the cells inside the image exist: no bias can give a state to the others, which count as zero, or, left of the first
column (of the last one, from right to left), as the learned initial state. And `border`: mask A hides a pixel from the
features at its own site, so at the right end of the row above, where no site follows, nothing would tell the rows
below of that pixel: in the paper's layout the last sub-pixel of the row above is unseen by all sites that the first
kernel does not bring near it. The first right-to-left map therefore also reads the pixel at its site.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pointillist.networks.backbone import BackboneDims
from pointillist.networks.pixel_rnn import PixelRNN, PixelRNNConfig, RecurrentBlock, gate_groups
from pointillist.nn import CausalConv2d, Condition, ConditionBias, PointwiseConv2d, RecurrentLayer, channel_groups
from pointillist.nn.passes import Pass


class DiagonalBiLSTMConfig(PixelRNNConfig):
    """Settings of Diagonal BiLSTM; the paper has 7 layers of 16 (MNIST) and 12 of 128 (CIFAR-10).

    Attributes:
        border: whether the last pixel of the row above is seen from everywhere; False is the paper's layout.
    """

    border: bool = True


class DiagonalBiLSTMBlock(RecurrentBlock):
    """Left to right, plus right to left one row above."""

    def __init__(self, config: DiagonalBiLSTMConfig, ports: BackboneDims, *, first: bool) -> None:
        super().__init__()
        wide, gates = channel_groups(2 * config.channels, ports.groups), gate_groups(config, ports)
        self.left_input = PointwiseConv2d(wide, gates)
        self.left_condition = ConditionBias(ports.heard, gates)
        self.left = RecurrentLayer(config.channels, "diagonals")
        self.right_input = nn.Conv2d(len(wide), len(gates), 1)  # rows above are known whole: no mask
        self.right_condition = ConditionBias(ports.heard.without_tokens, torch.zeros_like(gates))
        self.right = RecurrentLayer(config.channels, "diagonals", reverse=True)
        self.pixel = (
            CausalConv2d(ports.canvas, len(gates), up=0, left=0, right=0, bias=False)
            if config.border and first
            else None
        )

    def forward(
        self, x: Float[Tensor, "b d h w"], canvas: Tensor, ctx: Pass, condition: Condition
    ) -> Float[Tensor, "b e h w"]:
        """The sum of both states at each site."""

        def right(x: Tensor, canvas: Tensor) -> tuple[Tensor, ...]:
            gates = self.right_condition(self.right_input(x), ctx, condition)
            if self.pixel is not None:
                gates = gates + self.pixel(canvas, ctx)
            return (self.right(gates, ctx),)

        left: Tensor = self.left(self.left_condition(self.left_input(x), ctx, condition), ctx)
        (above,) = ctx.shift_down(self.key("below"), right, x, canvas)
        return left + above


class DiagonalBiLSTM(PixelRNN):
    """PixelRNN with Diagonal BiLSTM layers."""

    Config = DiagonalBiLSTMConfig

    def __init__(self, config: DiagonalBiLSTMConfig, ports: BackboneDims) -> None:
        blocks = [DiagonalBiLSTMBlock(config, ports, first=index == 0) for index in range(config.layers)]
        super().__init__(config, ports, blocks)
