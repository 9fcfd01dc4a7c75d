"""Row LSTM.

Van den Oord, Kalchbrenner, Kavukcuoglu: Pixel Recurrent Neural Networks, ICML 2016 (arXiv 1601.06759), section 3.1.

Adds to what came before: an LSTM that computes a whole row in one step. The input-to-state part is a masked 1 x k
convolution of the whole map at once. The state-to-state part is a 1 x k convolution of the row above, centred on the
pixel (eq. 3). Residual and skip connections (section 3.3, figure 5). The state above the first row is learned.

Its context is a **triangle**: with k = 3 it grows by one column to the right for each row up, for any number of layers.
This is part of the model, documented and tested; the context of `diagonal-bilstm` is complete.

Not implemented: multi-scale (`multiscale_pixelrnn.py`, a separate model).
Differs from the paper: conditions (the paper has none) enter as a bias of the gates; optional dropout. The state is
never masked, because it comes from a complete row; only the input-to-state part respects the channel groups.
"""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from pointillist.networks.backbone import BackboneDims
from pointillist.networks.pixel_rnn import PixelRNN, PixelRNNConfig, RecurrentBlock, gate_groups
from pointillist.nn import Condition, ConditionBias, HorizontalConv2d, RecurrentLayer, channel_groups
from pointillist.nn.passes import Pass


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
        self.input: HorizontalConv2d = HorizontalConv2d(
            len(wide), len(gates), config.kernel, in_groups=wide, out_groups=gates, strict=False
        )
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
