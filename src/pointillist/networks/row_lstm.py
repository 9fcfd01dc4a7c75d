"""Row LSTM.

Van den Oord, Kalchbrenner, Kavukcuoglu: Pixel Recurrent Neural Networks, ICML 2016 (arXiv 1601.06759), section 3.1.

Adds to what came before: an LSTM that takes a whole row in one step. The input-to-state part is a masked 1 x k
convolution of the whole map at once; the state-to-state part a 1 x k convolution of the row above, centred on the
site (eq. 3). Residual and skip connections (section 3.3, figure 5). The state above the first row is learned.

Its context is a **triangle**: with k = 3 it sees one column more to the right for each row up, however many layers.
This is part of the model, documented and tested; `diagonal-bilstm` sees everything.

Not implemented: multi-scale (`multiscale.py`, a model of its own).
Differs from the paper: conditions (the paper has none) enter as a bias of the gates; optional dropout. The state is
never masked, because it comes from a finished row; only the input-to-state part keeps the groups of sub-pixels.
"""

from __future__ import annotations

from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from pointillist.networks.backbone import BackboneDims
from pointillist.networks.pixel_rnn import PixelRNN, PixelRNNConfig, RecurrentBlock, gate_groups
from pointillist.nn import Condition, ConditionBias, HorizontalConv2d, RecurrentLayer, channel_groups
from pointillist.nn.passes import Pass


class RowLSTMConfig(PixelRNNConfig):
    """Settings of Row LSTM; the paper has 12 layers of 128 (CIFAR-10).

    Attributes:
        kernel: odd width of the input-to-state and of the state-to-state convolution.
    """

    kernel: int = Field(3, ge=1, le=63)


class RowLSTMBlock(RecurrentBlock):
    """Input to gates, then row by row."""

    def __init__(self, config: RowLSTMConfig, ports: BackboneDims) -> None:
        super().__init__()
        wide, gates = channel_groups(2 * config.channels, ports.groups), gate_groups(config, ports)
        self.input = HorizontalConv2d(
            len(wide), len(gates), config.kernel, in_groups=wide, out_groups=gates, strict=False
        )
        self.condition = ConditionBias(ports.heard, gates)
        self.state = RecurrentLayer(config.channels, "rows", kernel_size=config.kernel)

    def forward(
        self, x: Float[Tensor, "b d h w"], canvas: Tensor, ctx: Pass, condition: Condition
    ) -> Float[Tensor, "b e h w"]:
        """The state at each site."""
        gates = self.condition(self.input(x, ctx), ctx, condition)
        out: Tensor = self.state(gates, ctx)
        return out


class RowLSTM(PixelRNN):
    """PixelRNN with Row LSTM layers."""

    Config = RowLSTMConfig

    def __init__(self, config: RowLSTMConfig, ports: BackboneDims) -> None:
        super().__init__(config, ports, [RowLSTMBlock(config, ports) for _ in range(config.layers)])
