"""Row LSTM and Diagonal BiLSTM, the PixelRNNs.

Van den Oord, Kalchbrenner, Kavukcuoglu: Pixel Recurrent Neural Networks, ICML 2016 (arXiv 1601.06759), section 3,
figure 5 and table 1.

**Row LSTM** (section 3.1) adds to what came before: an LSTM that computes a whole row in one step. The input-to-state
part is a masked 1 x k convolution of the whole map at once. The state-to-state part is a 1 x k convolution of the row
above, centred on the pixel (eq. 3). Residual and skip connections (section 3.3, figure 5). The state above the first
row is learned. Its context is a triangle: with k = 3 it grows by one column to the right for each row up, for any
number of layers. This is part of the model, documented and tested.

**Diagonal BiLSTM** (section 3.2) adds to Row LSTM: the map is skewed, so that an LSTM computes a whole diagonal in one
step, each pixel from the one to its left and the one above (figure 3). A second LSTM runs from right to left; its map
is shifted down by one row, so that it contains no later pixel, and added. Together they read every earlier pixel, from
the first layer on.

Not implemented: multi-scale (`multiscale_pixelrnn.py`, a separate model).
Differs from the paper: conditions (the paper has none) enter as a bias of the gates; optional dropout. The state of
Row LSTM is never masked, because it comes from a complete row; only the input-to-state part respects the channel
groups. The right-to-left map of Diagonal BiLSTM is computed from complete rows, so its input is not masked among
sub-pixels. Only the part of the skewed map inside the image is computed: no bias can give a state to the rest, which is
zero, or the learned initial state left of the first column (right of the last one, from right to left). And `border`:
mask A hides a pixel from the features of this pixel. At the right end of the row above no pixel follows that could pass
it on to the rows below, so in the paper's architecture its last sub-pixel reaches only the pixels within the first
kernel. The first right-to-left map therefore also reads the pixel itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from pointillist.images.array_types import Float, Int
from pointillist.networks.backbone import BackboneDims, ResidualHead, StackConfig, masked_stem
from pointillist.nn import (
    CausalConv2d,
    CausalLayer,
    Condition,
    ConditionBias,
    Dropout,
    HorizontalConv2d,
    MaskedConv2d,
    PointwiseConv2d,
    RecurrentLayer,
    channel_groups,
)
from pointillist.nn.passes import Pass


class PixelRNNConfig(StackConfig):
    """Settings of a PixelRNN.

    Attributes:
        channels: h, the features of a state; the residual stream has 2h.
        layers: number of recurrent layers.
        first_kernel: size of the mask A kernel, odd.
        head_channels: features of each of the two layers before the output.
        residual: whether the input of a layer is added to its output (figure 5).
        skip: whether every layer also feeds the head.
        dropout: probability, on the hidden state of a layer.
    """

    layers: int = Field(6, ge=1, le=512)
    residual: bool = True
    skip: bool = True


def gate_groups(config: PixelRNNConfig, dims: BackboneDims) -> Int[Tensor, " g"]:
    """Assign each of the 4h gates to a group: each quarter has the groups of the state."""
    return torch.cat([channel_groups(config.channels, dims.groups)] * 4)


class RecurrentBlock(CausalLayer):
    """A recurrent layer from 2h features to a hidden state of h features."""

    def forward(
        self, x: Float[Tensor, "b d h w"], canvas: Tensor, ctx: Pass, condition: Condition
    ) -> Float[Tensor, "b e h w"]:
        """Compute the hidden state of each pixel; `canvas` is the input of the network."""
        raise NotImplementedError


class PixelRNN(ResidualHead):
    """A mask A convolution, recurrent layers in residual blocks, and 1x1 layers to the output."""

    def __init__(self, config: PixelRNNConfig, dims: BackboneDims, blocks: Sequence[RecurrentBlock]) -> None:
        super().__init__()
        narrow = channel_groups(config.channels, dims.groups)
        wide = channel_groups(2 * config.channels, dims.groups)
        head = channel_groups(config.head_channels, dims.groups)
        self.residual: bool = config.residual
        self.first: MaskedConv2d = masked_stem(2 * config.channels, config.first_kernel, dims)
        self.blocks: nn.ModuleList = nn.ModuleList(blocks)
        self.expands: nn.ModuleList = nn.ModuleList(PointwiseConv2d(narrow, wide) for _ in blocks)
        skips = (PointwiseConv2d(narrow, head, bias=False) for _ in blocks if config.skip)
        self.skips: nn.ModuleList = nn.ModuleList(skips)
        self.dropout: Dropout = Dropout(config.dropout)
        self.last: PointwiseConv2d = PointwiseConv2d(wide, head)
        self.add_head(config.head_channels, dims)

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Compute the parameters of each pixel; see `Backbone.forward`."""
        h = self.first(x, ctx)  # (b, 2d, h, w)
        total: Tensor | None = None  # sum of the skip outputs, (b, s, h, w)
        for index, block in enumerate(self.blocks):
            state = self.dropout(block(h, x, ctx, condition))  # (b, d, h, w)
            out = self.expands[index](state)  # (b, 2d, h, w)
            h = h + out if self.residual else out
            if len(self.skips):
                skip = self.skips[index](state)
                total = skip if total is None else total + skip
        y = self.last(F.relu(h))
        if total is not None:
            y = y + total
        return self.project(y, x, ctx)


class RowLSTMConfig(PixelRNNConfig):
    """Settings of Row LSTM; the paper has 12 layers of 128 (CIFAR-10).

    ```python
    network = RowLSTM(RowLSTMConfig(channels=32, layers=4), BackboneDims(groups=1, canvas=1, params=16))
    ```

    Attributes:
        kernel: width of the input-to-state and of the state-to-state convolution, odd.
    """

    kernel: int = Field(3, ge=1, le=63)


class RowLSTMBlock(RecurrentBlock):
    """The input-to-state convolution, then the LSTM row by row."""

    def __init__(self, config: RowLSTMConfig, dims: BackboneDims) -> None:
        super().__init__()
        wide, gates = channel_groups(2 * config.channels, dims.groups), gate_groups(config, dims)
        self.input: HorizontalConv2d = HorizontalConv2d(config.kernel, in_groups=wide, out_groups=gates, strict=False)
        self.condition: ConditionBias = ConditionBias(dims.condition, gates)
        self.state: RecurrentLayer = RecurrentLayer(config.channels, "rows", kernel_size=config.kernel)

    def forward(
        self, x: Float[Tensor, "b d h w"], canvas: Tensor, ctx: Pass, condition: Condition
    ) -> Float[Tensor, "b e h w"]:
        """Compute the hidden state of each pixel."""
        gates = self.condition(self.input(x, ctx), ctx, condition)  # (b, 4e, h, w)
        out: Tensor = self.state(gates, ctx)
        return out


class RowLSTM(PixelRNN):
    """PixelRNN with Row LSTM layers.

    ```python
    pt.build("row-lstm", shape=(1, 28, 28), levels=16, preset="small")
    ```
    """

    Config: ClassVar[type[RowLSTMConfig]] = RowLSTMConfig

    def __init__(self, config: RowLSTMConfig, dims: BackboneDims) -> None:
        super().__init__(config, dims, [RowLSTMBlock(config, dims) for _ in range(config.layers)])


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
        border = config.border and first
        pixel = CausalConv2d(dims.canvas, len(gates), up=0, left=0, right=0, bias=False) if border else None
        self.pixel: CausalConv2d | None = pixel

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
