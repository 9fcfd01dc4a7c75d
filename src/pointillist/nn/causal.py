"""Causal convolutions. Kernels are sliced to the taps that may be read; a mask is needed only inside the last row.

The mask multiplies the weight in every call. It can therefore not be lost: neither before the first training step, nor
after loading weights, nor by averaging weights.
"""

from __future__ import annotations

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pointillist.errors import ConfigError
from pointillist.images.array_types import Float, Int
from pointillist.nn.base import CausalLayer, MaskedWeights, channel_causal_mask, site_tap_mask
from pointillist.nn.functional.convolution import dilated_conv2d
from pointillist.nn.local import LocalGain, extra_weight
from pointillist.nn.passes import Pass

LayerT = TypeVar("LayerT", bound="CausalConv2d")


class CausalConv2d(CausalLayer, MaskedWeights):
    """A convolution over the rows `-up..down` and columns `-left..right` around a pixel.

    Args:
        in_channels, out_channels: numbers of features.
        up, down, left, right: reach of the kernel in pixels; `down` and `right` may be -1 (strictly before the pixel).
        dilation: distance between taps in pixels; must divide the reach.
        stride: distance between outputs in pixels; the first lies at row 0 and column 0.
        mask: 1 for weights that may be used, else 0, broadcastable to the kernel; None to use all.
        bias: whether to add a bias.

    Example:
        ```python
        layer = CausalConv2d(1, 8, up=1, left=1, right=-1)  # the row above and the pixel to the left
        layer(torch.randn(2, 1, 5, 5), FullPass()).shape  # (2, 8, 5, 5)
        ```
    """

    extra_weight: nn.Parameter

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        up: int,
        left: int,
        right: int,
        down: int = 0,
        dilation: int = 1,
        stride: int = 1,
        mask: Tensor | None = None,
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.reach: dict[str, int] = {"up": up, "left": left, "right": right, "down": down}
        self.dilation = dilation
        self.stride = stride
        kernel = ((up + down) // dilation + 1, (left + right) // dilation + 1)
        self.set_weights(nn.Conv2d(in_channels, out_channels, kernel, bias=bias), mask)
        self.local_gain: LocalGain | None = None

    def add_local_gain(self: LayerT, gain: LocalGain | None) -> LayerT:
        """Let a strict layer read the canvas relative to a prediction (`LocalGain`), and the prediction itself.

        ```python
        layer = CausalConv2d(3, 8, up=1, left=1, right=-1).add_local_gain(LocalGain(channels=3, levels=256))
        ```

        Args:
            gain: images of the canvas; None to read the canvas as it is.

        Returns:
            The layer.
        """
        self.local_gain = gain
        if gain is not None:
            self.extra_weight = extra_weight(gain, len(self.weight))
        return self

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass) -> Float[Tensor, "b o h2 w2"]:
        """Convolve the window of each pixel, or of the pixels at every `stride`-th row and column."""
        if self.local_gain is not None:
            return self._relative(self.local_gain, x, ctx)
        window = ctx.window(self.key(), x, **self.reach)
        weight = self.masked_weight()
        return dilated_conv2d(window, weight, self.bias, stride=self.stride, dilation=self.dilation)

    def _relative(self, gain: LocalGain, x: Tensor, ctx: Pass) -> Tensor:
        """Multiply the earlier pixels of the window, relative to the prediction, by their weights."""
        weight = self.masked_weight()
        rows, columns = (
            range(-self.reach[start], -self.reach[start] + size * self.dilation, self.dilation)
            for start, size in (("up", weight.shape[2]), ("left", weight.shape[3]))
        )
        taps = {(i, j): (row, column) for i, row in enumerate(rows) for j, column in enumerate(columns)}
        earlier = {at: tap for at, tap in taps.items() if tap < (0, 0)}  # rows first: raster order
        matrix = torch.cat([weight[:, :, i, j] for i, j in earlier], 1)[:, :, None, None]
        features = gain.normalise(self.key(), x, ctx, tuple(earlier.values()))
        return F.conv2d(features, torch.cat([matrix, self.extra_weight], 1), self.bias)


class MaskedConv2d(CausalConv2d):
    """The k x k masked convolution of PixelCNN (van den Oord et al. 2016a, section 3.1).

    Rows below the pixel are sliced away.

    Args:
        kernel_size: k, odd.
        in_groups, out_groups: sub-pixel of each feature, see `channel_groups`.
        strict: mask A; otherwise mask B.

    Raises:
        ConfigError: if `kernel_size` is even.

    Example:
        ```python
        groups = channel_groups(6, 3)
        layer = MaskedConv2d(3, in_groups=groups, out_groups=groups, strict=False)
        ```
    """

    def __init__(
        self, kernel_size: int, *, in_groups: Int[Tensor, " i"], out_groups: Int[Tensor, " o"], strict: bool
    ) -> None:
        half = _half(kernel_size)
        mask = torch.ones(len(out_groups), len(in_groups), half + 1, kernel_size)
        mask[:, :, half, half + 1 :] = 0
        site = channel_causal_mask(out_groups, in_groups, strict=strict)
        mask[:, :, half, half] = 1.0 if site is None else site
        super().__init__(len(in_groups), len(out_groups), up=half, left=half, right=half, mask=mask)


class VerticalConv2d(CausalConv2d):
    """The convolution of the vertical stack: whole rows (van den Oord et al. 2016b, section 2.2).

    ```python
    VerticalConv2d(32, 64, 3, strict=True, dilation=2)
    ```

    Args:
        in_channels, out_channels: numbers of features.
        kernel_size: odd.
        strict: read only the rows above; otherwise the row of the pixel too.
        dilation: distance between taps in pixels.

    Raises:
        ConfigError: if `kernel_size` is even.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, *, strict: bool, dilation: int = 1
    ) -> None:
        half = _half(kernel_size) * dilation
        down = -1 if strict else 0
        super().__init__(in_channels, out_channels, up=half, down=down, left=half, right=half, dilation=dilation)


class HorizontalConv2d(CausalConv2d):
    """The convolution of the horizontal stack: the row of the pixel up to the pixel (van den Oord et al. 2016b).

    ```python
    groups = {"in_groups": channel_groups(32, 3), "out_groups": channel_groups(64, 3)}
    HorizontalConv2d(3, **groups, strict=True)
    ```

    Args:
        kernel_size: odd.
        in_groups, out_groups: sub-pixel of each feature, see `channel_groups`.
        strict: at the pixel itself, read only earlier sub-pixels; otherwise the sub-pixel of the feature too.
        dilation: distance between taps in pixels.

    Raises:
        ConfigError: if `kernel_size` is even.
    """

    def __init__(
        self,
        kernel_size: int,
        *,
        in_groups: Int[Tensor, " i"],
        out_groups: Int[Tensor, " o"],
        strict: bool,
        dilation: int = 1,
    ) -> None:
        half = _half(kernel_size) * dilation
        site = channel_causal_mask(out_groups, in_groups, strict=strict)
        # where nothing at the pixel itself may be read, its tap is sliced away
        right = -1 if strict and int(in_groups.min()) >= int(out_groups.max()) else 0
        mask = None if right else site_tap_mask(site, (1, half // dilation + 1), 0, -1)
        super().__init__(len(in_groups), len(out_groups), up=0, left=half, right=right, dilation=dilation, mask=mask)


class CornerConv2d(CausalConv2d):
    """A convolution over the upper left corner of a kernel: up to the row and the column of the pixel (mask B).

    The corner of a 3x3 kernel has 2x2 taps.

    ```python
    CornerConv2d(3, in_groups=channel_groups(32, 1), out_groups=channel_groups(64, 1))
    ```

    Args:
        kernel_size: size of the whole kernel, odd.
        in_groups, out_groups: sub-pixel of each feature, see `channel_groups`.
        bias: whether to add a bias.

    Raises:
        ConfigError: if `kernel_size` is even.
    """

    def __init__(
        self, kernel_size: int, *, in_groups: Int[Tensor, " i"], out_groups: Int[Tensor, " o"], bias: bool = True
    ) -> None:
        half = _half(kernel_size)
        site = channel_causal_mask(out_groups, in_groups, strict=False)
        mask = site_tap_mask(site, (half + 1, half + 1), half, half)
        super().__init__(len(in_groups), len(out_groups), up=half, left=half, right=0, mask=mask, bias=bias)


class PointwiseConv2d(MaskedWeights):
    """A 1x1 convolution with mask B: an output reads only groups up to its own.

    ```python
    PointwiseConv2d(channel_groups(32, 3), channel_groups(64, 3))(torch.randn(2, 32, 28, 28)).shape
    ```

    Args:
        in_groups, out_groups: sub-pixel of each feature, see `channel_groups`.
        bias: whether to add a bias.
    """

    def __init__(self, in_groups: Int[Tensor, " i"], out_groups: Int[Tensor, " o"], *, bias: bool = True) -> None:
        super().__init__()
        site = channel_causal_mask(out_groups, in_groups, strict=False)
        mask = site_tap_mask(site, (1, 1), 0, 0)
        self.set_weights(nn.Conv2d(len(in_groups), len(out_groups), 1, bias=bias), mask)

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass | None = None) -> Float[Tensor, "b o h w"]:
        """Mix the features of each pixel; `ctx` is not read, since no other pixel is."""
        return F.conv2d(x, self.masked_weight(), self.bias)


def _half(kernel_size: int) -> int:
    if kernel_size % 2 == 0 or kernel_size < 1:
        raise ConfigError(
            f"`kernel_size` (={kernel_size}) must be odd: a causal kernel needs a centre. Try {kernel_size + 1}."
        )
    return kernel_size // 2
