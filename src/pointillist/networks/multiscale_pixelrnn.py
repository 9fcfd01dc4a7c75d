"""Multi-scale PixelRNN.

Van den Oord, Kalchbrenner, Kavukcuoglu: Pixel Recurrent Neural Networks, ICML 2016 (arXiv 1601.06759), section 3.5.

Adds to the PixelRNNs: a small image is sampled first. It is the large one at every `factor`-th row and column, modelled
by an unconditional PixelRNN. A convolutional network with a transposed convolution upsamples it to the large grid. A
conditional PixelRNN, which takes this map as a bias in the gates of every layer (an unmasked 1x1 convolution to 4h),
models the rest. The whole scene is therefore known at low resolution before any detail is sampled.

The likelihood of the pair is exact: log p(x) = log p(small) + the sum over all other sub-pixels of
log p(sub-pixel | the small image, the earlier pixels of the large one). A pixel of the small image is not sampled a
second time: the large network reads it at its position, where it adds nothing to the likelihood.

Its context: every pixel of the small image within reach of the upsampling network, before or after the pixel in the
image, and the earlier other pixels that the large PixelRNN reads.

Not implemented: more than two scales; several conditional networks.
Differs from the paper: there the conditional network models the whole large image; here the pixels of the small image
are left out, because otherwise the pair would not be a distribution over images. The paper does not describe the
upsampling network: ours has dilated residual convolutions, so that it can read all of the small image, and one
transposed convolution. Both networks may be conditioned on labels and maps (the paper has no conditions).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from pointillist.images.array_types import Float
from pointillist.networks.backbone import Backbone, BackboneDims, Dilations, Stage, Upsampler, run_stages
from pointillist.networks.pixel_rnn import (
    DiagonalBiLSTM,
    DiagonalBiLSTMConfig,
    PixelRNN,
    PixelRNNConfig,
    RowLSTM,
    RowLSTMConfig,
)
from pointillist.nn import Condition
from pointillist.nn.passes import Pass

Along = Literal["diagonals", "rows"]


class MultiscalePixelRNNConfig(PixelRNNConfig):
    """Settings of a multi-scale PixelRNN; settings of `PixelRNNConfig` are for the large network.

    ```python
    config = MultiscalePixelRNNConfig(channels=16, small_channels=16)
    network = MultiscalePixelRNN(config, BackboneDims(groups=1, canvas=1, params=16))
    ```

    Attributes:
        factor: the small image has every `factor`-th row and column; a side of n becomes ceil(n / factor).
        along, small_along: `diagonals` for Diagonal BiLSTM or `rows` for Row LSTM, in the large and the small network.
        small_channels, small_layers: `channels` and `layers` of the small network, which is otherwise as the large one.
        map_channels: features of the upsampling network and of its map.
        dilations: dilations of its residual 3x3 convolutions on the small grid; it reaches their sum plus 1 pixels.
        border: see `DiagonalBiLSTMConfig`.
        row_kernel: `kernel` of `RowLSTMConfig`.
    """

    factor: int = Field(2, ge=2, le=64)
    along: Along = "diagonals"
    small_along: Along = "diagonals"
    small_channels: int = Field(64, ge=1, le=8192)
    small_layers: int = Field(6, ge=1, le=512)
    map_channels: int = Field(64, ge=1, le=8192)
    dilations: Dilations = (1, 2, 4, 8)
    border: bool = True
    row_kernel: int = Field(3, ge=1, le=63)

    @property
    def large(self) -> PixelRNNConfig:
        """Settings of the network for the large image."""
        return self._network(self.along, self.channels, self.layers)

    @property
    def small(self) -> PixelRNNConfig:
        """Settings of the network for the small image."""
        return self._network(self.small_along, self.small_channels, self.small_layers)

    def _network(self, along: Along, channels: int, layers: int) -> PixelRNNConfig:
        shared = {name: getattr(self, name) for name in PixelRNNConfig.model_fields}
        shared |= {"channels": channels, "layers": layers}
        if along == "rows":
            return RowLSTMConfig(**shared, kernel=self.row_kernel)
        return DiagonalBiLSTMConfig(**shared, border=self.border)


class MultiscalePixelRNN(Backbone):
    """A PixelRNN for the small image, and one that is conditioned on it for the rest.

    ```python
    pt.build("multiscale-pixelrnn", shape=(1, 28, 28), levels=16, preset="small")
    ```
    """

    Config: ClassVar[type[MultiscalePixelRNNConfig]] = MultiscalePixelRNNConfig
    takes_local_gain = False

    def __init__(self, config: MultiscalePixelRNNConfig, dims: BackboneDims) -> None:
        super().__init__()
        self.factor: int = config.factor
        self.small: PixelRNN = _pixel_rnn(config.small, dims)
        self.upsampler: Upsampler = Upsampler(dims.canvas, config.map_channels, (config.factor,) * 2, config.dilations)
        self.large: PixelRNN = _pixel_rnn(
            config.large, replace(dims, condition=replace(dims.condition, map=dims.condition.map + config.map_channels))
        )

    def stages(self, height: int, width: int) -> tuple[Stage, ...]:
        """Return two stages: the small image, then the rest of the large one."""
        large = partial(self._large_condition, height=height, width=width)
        return (
            Stage(self.small, (self.factor, self.factor), condition=self._small_condition),
            Stage(self.large, condition=large, upsampler=self.upsampler),
        )

    def _small_condition(self, coarse: Tensor | None, condition: Condition) -> Condition:
        if condition.map is None:
            return condition
        return replace(condition, map=condition.map[:, :, :: self.factor, :: self.factor])

    def _large_condition(self, coarse: Tensor | None, condition: Condition, *, height: int, width: int) -> Condition:
        """Concatenate the map of the condition and the upsampled small image."""
        assert coarse is not None
        upsampled = self.upsampler(coarse, height, width)  # (b, m, h, w)
        return replace(condition, map=upsampled if condition.map is None else torch.cat([condition.map, upsampled], 1))

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition) -> Float[Tensor, "b p h w"]:
        """Compute the parameters of each pixel, on the small grid with the small network; see `Backbone.forward`."""
        return run_stages(self.stages(*x.shape[2:]), x, ctx, condition)


def _pixel_rnn(config: PixelRNNConfig, dims: BackboneDims) -> PixelRNN:
    if isinstance(config, RowLSTMConfig):
        return RowLSTM(config, dims)
    assert isinstance(config, DiagonalBiLSTMConfig)
    return DiagonalBiLSTM(config, dims)
