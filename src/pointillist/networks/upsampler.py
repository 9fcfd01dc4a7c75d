"""An unmasked network from a coarse image, which is completely known, to a map on a finer grid."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from pointillist.images.array_types import Float
from pointillist.nn import Condition, ConditionBias, ConditionDims, channel_groups
from pointillist.nn.functional.convolution import DilatedConv2d
from pointillist.nn.passes import FullPass, is_channels_last


class Upsampler(nn.Module):
    """Residual convolutions over a coarse image and one transposed convolution to a finer grid; nothing is masked.

    The transposed convolution has `2 factor - 1` centred taps on each axis. A pixel of the fine grid reads the coarse
    pixels less than `factor` rows and columns away, at most two on each axis, as linear interpolation does. A pixel on
    the coarse grid reads itself.

    ```python
    Upsampler(1, 16, (2, 2), (1, 2))(torch.randn(2, 1, 4, 4), 7, 8).shape  # (2, 16, 7, 8)
    ```

    Args:
        in_channels: features of the coarse canvas.
        channels: features of the network and of its map.
        factor: ratio of the rows, and of the columns, of the two grids.
        dilations: dilations of the residual 3x3 convolutions.
        condition: features of the condition, which is added to the features of the coarse image.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        factor: tuple[int, int],
        dilations: tuple[int, ...],
        condition: ConditionDims = ConditionDims(),  # noqa: B008  (frozen)
    ) -> None:
        super().__init__()
        self.first: nn.Conv2d = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.condition: ConditionBias = ConditionBias(condition, channel_groups(channels, 1))
        self.blocks: nn.ModuleList = nn.ModuleList(
            DilatedConv2d(channels, channels, 3, padding=d, dilation=d) for d in dilations
        )
        rows, columns = factor
        edge = (rows - 1, columns - 1)
        taps = (2 * rows - 1, 2 * columns - 1)
        self.spread: nn.ConvTranspose2d = nn.ConvTranspose2d(
            channels, channels, taps, stride=factor, padding=edge, output_padding=edge
        )

    def forward(
        self, coarse: Float[Tensor, "b i h2 w2"], height: int, width: int, condition: Condition | None = None
    ) -> Float[Tensor, "b m h w"]:
        """Compute the map, cropped to `height x width`.

        Args:
            coarse: canvas of the coarse image.
            condition: condition on the coarse grid; None for a network without one.
        """
        x = self.first(coarse)  # (b, m, h2, w2)
        if condition is not None:
            x = self.condition(x, FullPass(channels_last=is_channels_last(coarse)), condition)
        for block in self.blocks:
            x = x + block(F.relu(x))
        spread: Tensor = self.spread(F.relu(x))  # (b, m, rows * h2, columns * w2)
        return spread[:, :, :height, :width]
