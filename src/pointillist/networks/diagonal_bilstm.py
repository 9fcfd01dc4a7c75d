"""Diagonal BiLSTM.

Van den Oord, Kalchbrenner, Kavukcuoglu: Pixel Recurrent Neural Networks, ICML 2016 (arXiv 1601.06759), section 3.2.

Adds to Row LSTM: the map is skewed, so that an LSTM computes a whole diagonal in one step, each pixel from the one to
its left and the one above (figure 3). A second LSTM runs from right to left; its map is shifted down by one row, so
that it contains no later pixel, and added. Together they read **every** earlier pixel, from the first layer on.

Not implemented: multi-scale (`multiscale_pixelrnn.py`, a separate model).
Differs from the paper: conditions (the paper has none) enter as a bias of the gates; optional dropout. The
right-to-left map is computed from complete rows, so its input is not masked among sub-pixels. Only the part of the
skewed map inside the image is computed: no bias can give a state to the rest, which is zero, or the learned initial
state left of the first column (right of the last one, from right to left). And `border`: mask A hides a pixel from the
features of this pixel. At the right end of the row above no pixel follows that could pass it on to the rows below, so
in the paper's architecture its last sub-pixel reaches only the pixels within the first kernel. The first right-to-left
map therefore also reads the pixel itself.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pointillist.networks.backbone import BackboneDims
from pointillist.networks.pixel_rnn import PixelRNN, PixelRNNConfig, RecurrentBlock, gate_groups
from pointillist.nn import CausalConv2d, Condition, ConditionBias, PointwiseConv2d, RecurrentLayer, channel_groups
from pointillist.nn.passes import Pass


class DiagonalBiLSTMConfig(PixelRNNConfig):
    """Settings of Diagonal BiLSTM; the paper has 7 layers of 16 (MNIST) and 12 of 128 (CIFAR-10).

    ```python
    network = DiagonalBiLSTM(DiagonalBiLSTMConfig(channels=32, layers=4), BackboneDims(groups=1, canvas=1, params=16))
    ```

    Attributes:
        border: whether the last pixel of the row above reaches every later pixel; False is the paper's architecture.
    """

    border: bool = True


class DiagonalBiLSTMBlock(RecurrentBlock):
    """An LSTM from left to right, plus one from right to left, shifted down by one row."""

    def __init__(self, config: DiagonalBiLSTMConfig, dims: BackboneDims, *, first: bool) -> None:
        super().__init__()
        wide, gates = channel_groups(2 * config.channels, dims.groups), gate_groups(config, dims)
        self.left_input: PointwiseConv2d = PointwiseConv2d(wide, gates)
        self.left_condition: ConditionBias = ConditionBias(dims.condition, gates)
        self.left: RecurrentLayer = RecurrentLayer(config.channels, "diagonals")
        self.right_input: nn.Conv2d = nn.Conv2d(len(wide), len(gates), 1)  # the rows above are complete: no mask
        self.right_condition: ConditionBias = ConditionBias(dims.condition.without_tokens, torch.zeros_like(gates))
        self.right: RecurrentLayer = RecurrentLayer(config.channels, "diagonals", reverse=True)
        self.pixel: CausalConv2d | None = (
            CausalConv2d(dims.canvas, len(gates), up=0, left=0, right=0, bias=False)
            if config.border and first
            else None
        )

    def forward(
        self, x: Float[Tensor, "b d h w"], canvas: Tensor, ctx: Pass, condition: Condition
    ) -> Float[Tensor, "b e h w"]:
        """Compute the sum of both hidden states of each pixel."""

        def right(x: Tensor, canvas: Tensor) -> tuple[Tensor, ...]:
            gates = self.right_condition(self.right_input(x), ctx, condition)
            if self.pixel is not None:
                gates = gates + self.pixel(canvas, ctx)
            return (self.right(gates, ctx),)

        left: Tensor = self.left(self.left_condition(self.left_input(x), ctx, condition), ctx)
        (above,) = ctx.shift_down(self.key("below"), right, x, canvas)
        return left + above


class DiagonalBiLSTM(PixelRNN):
    """PixelRNN with Diagonal BiLSTM layers.

    ```python
    pt.build("diagonal-bilstm", shape=(1, 28, 28), levels=16, preset="small")
    ```
    """

    Config: ClassVar[type[DiagonalBiLSTMConfig]] = DiagonalBiLSTMConfig

    def __init__(self, config: DiagonalBiLSTMConfig, dims: BackboneDims) -> None:
        blocks = [DiagonalBiLSTMBlock(config, dims, first=index == 0) for index in range(config.layers)]
        super().__init__(config, dims, blocks)
