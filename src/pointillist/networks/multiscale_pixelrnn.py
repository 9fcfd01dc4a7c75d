"""Multi-scale PixelRNN.

Van den Oord, Kalchbrenner, Kavukcuoglu: Pixel Recurrent Neural Networks, ICML 2016 (arXiv 1601.06759), section 3.5.

Adds to the PixelRNNs: a small image first. It is the large one at every `factor`-th row and column, painted by an
unconditional PixelRNN. A convolutional network with a transposed convolution spreads it over the large grid, and a
conditional PixelRNN, which hears that map in the gates of every layer (an unmasked 1x1 convolution to 4h), paints the
rest. So a pixel knows the whole scene in coarse before any detail is painted.

The likelihood is that of the pair, and exact: log p(x) = log p(small) + the sum over all other sub-pixels of
log p(sub-pixel | the small image, what comes before it in the large one). A pixel of the small image is not painted a
second time: the large network reads it where it stands, and it costs nothing there.

Its context: every pixel of the small image as far as the upsampling network reaches (`reach`, in pixels of the small
image to each side), wherever it stands, and of the others what the large PixelRNN sees of earlier ones.

Not implemented: more than two scales; several conditional networks.
Differs from the paper: there the conditional network models the whole large image; here the copied pixels are left
out, or the pair would not be a distribution over images. The paper does not say how the upsampling network is built:
ours has dilated residual convolutions, so that it can see all of the small image, and one transposed convolution.
Both networks may be told labels and maps (the paper has none).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from pointillist.networks.backbone import Backbone, BackboneDims
from pointillist.networks.diagonal_bilstm import DiagonalBiLSTM, DiagonalBiLSTMConfig
from pointillist.networks.pixel_rnn import PixelRNN, PixelRNNConfig
from pointillist.networks.row_lstm import RowLSTM, RowLSTMConfig
from pointillist.networks.stages import Stage, run_stages
from pointillist.nn import Condition
from pointillist.nn.passes import Pass

Along = Literal["diagonals", "rows"]


class MultiscalePixelRNNConfig(PixelRNNConfig):
    """Settings of a multi-scale PixelRNN. Those of `PixelRNNConfig` are the large network's.

    Attributes:
        factor: the small image has every so many rows and columns; any size will do, as ceil(n / factor).
        along, small_along: `diagonals` for Diagonal BiLSTM or `rows` for Row LSTM, in the large and the small network.
        small_channels, small_layers: those of the small network; all else is as in the large one.
        map_channels: features of the upsampling network and of its map.
        dilations: of its residual 3x3 convolutions on the small grid; their sum, and 1, is how far it sees there.
        border: see `DiagonalBiLSTMConfig`.
        row_kernel: `kernel` of `RowLSTMConfig`.
    """

    factor: int = Field(2, ge=2, le=64)
    along: Along = "diagonals"
    small_along: Along = "diagonals"
    small_channels: int = Field(64, ge=1, le=8192)
    small_layers: int = Field(6, ge=1, le=512)
    map_channels: int = Field(64, ge=1, le=8192)
    dilations: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field((1, 2, 4, 8), max_length=512)
    border: bool = True
    row_kernel: int = Field(3, ge=1, le=63)

    @property
    def large(self) -> PixelRNNConfig:
        """The settings of the network of the large image."""
        return self._network(self.along, self.channels, self.layers)

    @property
    def small(self) -> PixelRNNConfig:
        """The settings of the network of the small image."""
        return self._network(self.small_along, self.small_channels, self.small_layers)

    def _network(self, along: Along, channels: int, layers: int) -> PixelRNNConfig:
        shared = {name: getattr(self, name) for name in PixelRNNConfig.model_fields}
        shared |= {"channels": channels, "layers": layers}
        if along == "rows":
            return RowLSTMConfig(**shared, kernel=self.row_kernel)
        return DiagonalBiLSTMConfig(**shared, border=self.border)


class Upsampler(nn.Module):
    """From the small image to a map of the large grid. All of it is known by then: nothing is masked.

    The transposed convolution has `2 factor - 1` taps a side, centred: a site of the large grid reads the small pixels
    less than `factor` rows and columns away, at most two a side, as linear interpolation does; one on the small grid
    reads its own.
    """

    def __init__(self, in_channels: int, channels: int, factor: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.first = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.blocks = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=d, dilation=d) for d in dilations)
        edge = factor - 1
        self.spread = nn.ConvTranspose2d(
            channels, channels, 2 * factor - 1, stride=factor, padding=edge, output_padding=edge
        )

    def forward(self, small: Float[Tensor, "b i h2 w2"], height: int, width: int) -> Float[Tensor, "b m h w"]:
        """The map; what lies outside sides that the factor does not divide is cut off."""
        x = self.first(small)
        for block in self.blocks:
            x = x + block(F.relu(x))
        spread: Tensor = self.spread(F.relu(x))
        return spread[:, :, :height, :width]


class MultiscalePixelRNN(Backbone):
    """A PixelRNN for the small image, and one that is told of it for the rest."""

    Config = MultiscalePixelRNNConfig

    def __init__(self, config: MultiscalePixelRNNConfig, ports: BackboneDims) -> None:
        super().__init__()
        self.factor = config.factor
        self.small = _pixel_rnn(config.small, ports)
        self.upsampler = Upsampler(ports.canvas, config.map_channels, config.factor, config.dilations)
        self.large = _pixel_rnn(
            config.large, replace(ports, heard=replace(ports.heard, map=ports.heard.map + config.map_channels))
        )

    def stages(self, height: int, width: int) -> tuple[Stage, ...]:
        """The small image, then what is left of the large one."""
        large = partial(self._told_large, height=height, width=width)
        return (Stage(self.small, self.factor, self._told_small), Stage(self.large, 1, large))

    def _told_small(self, coarse: Tensor | None, condition: Condition) -> Condition:
        """The condition of the image, its map at the sites of the small one."""
        if condition.map is None:
            return condition
        return replace(condition, map=condition.map[:, :, :: self.factor, :: self.factor])

    def _told_large(self, coarse: Tensor | None, condition: Condition, *, height: int, width: int) -> Condition:
        """The condition of the image, its map joined with that of the small one."""
        assert coarse is not None
        spread = self.upsampler(coarse, height, width)
        return replace(condition, map=spread if condition.map is None else torch.cat([condition.map, spread], 1))

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Parameters of each site, those on the small grid from the small network; see `Backbone.forward`."""
        return run_stages(self.stages(*x.shape[2:]), x, ctx, condition)


def _pixel_rnn(config: PixelRNNConfig, ports: BackboneDims) -> PixelRNN:
    if isinstance(config, RowLSTMConfig):
        return RowLSTM(config, ports)
    assert isinstance(config, DiagonalBiLSTMConfig)
    return DiagonalBiLSTM(config, ports)
