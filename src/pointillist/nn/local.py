"""Layers over the neighbours of a pixel: locally masked convolution, local gain, and recurrence.

Locally masked convolution (Jain et al. 2020) has one kernel, masked at each pixel to the taps that come earlier. The
equations of local gain are in `nn/functional/local_gain.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from pointillist.errors import ConfigError
from pointillist.images.array_types import Float, Int
from pointillist.nn.base import CausalLayer, MaskedWeights, channel_causal_mask, site_tap_mask
from pointillist.nn.functional.local_gain import NEAR, NEAR_ABOVE, normalise, place, predict, start_params
from pointillist.nn.functional.recurrence import LSTMCellParams
from pointillist.nn.passes import FullPass, Pass


class LocallyMaskedConv2d(CausalLayer, MaskedWeights):
    """A k x k convolution over the pixels that come before each pixel in the generation order, and the pixel itself.

    The kernel has the orientation of the image: the left neighbour is multiplied by the same weights in every order in
    which it comes earlier.

    Args:
        kernel_size: k, odd; at least 3 if the layer is strict.
        in_groups, out_groups: sub-pixel of each feature, see `channel_groups`.
        strict: mask A at the pixel itself; otherwise mask B.
        dilation: distance between taps in pixels.
        mask_weight: whether a separate kernel, over a map of ones, represents the mask at each pixel
            (`mask_weight` in the authors' code).

    Raises:
        ConfigError: if `kernel_size` is even.

    Example:
        ```python
        groups = channel_groups(8, 1)
        layer = LocallyMaskedConv2d(3, in_groups=groups, out_groups=groups, strict=True)
        layer(torch.randn(2, 8, 5, 5), FullPass(get_order("s-curve"))).shape  # (2, 8, 5, 5)
        ```
    """

    def __init__(
        self,
        kernel_size: int,
        *,
        in_groups: Int[Tensor, " i"],
        out_groups: Int[Tensor, " o"],
        strict: bool,
        dilation: int = 1,
        mask_weight: bool = True,
    ) -> None:
        super().__init__()
        if kernel_size % 2 == 0:
            raise ConfigError(
                f"`kernel_size` (={kernel_size}) must be odd: a local kernel needs a centre. Try {kernel_size + 1}."
            )
        half = kernel_size // 2
        self.dilation = dilation
        site = channel_causal_mask(out_groups, in_groups, strict=strict)
        # the mask over taps depends on the pixel
        mask = site_tap_mask(site, (kernel_size, kernel_size), half, half)
        self.set_weights(nn.Conv2d(len(in_groups), len(out_groups), kernel_size), mask)
        self.known: nn.Parameter | None = (
            nn.Parameter(torch.zeros(len(out_groups), 1, kernel_size, kernel_size)) if mask_weight else None
        )

    def forward(self, x: Float[Tensor, "b i h w"], ctx: Pass) -> Float[Tensor, "b o h w"]:
        """Convolve the earlier pixels around each pixel."""
        out = ctx.neighbours(self.key(), x, self.masked_weight(), self.bias, dilation=self.dilation)
        if self.known is None:
            return out
        ones = torch.ones(1, 1, *x.shape[2:], dtype=self.known.dtype, device=self.known.device)
        unmasked = FullPass(ctx.order).neighbours("", ones, self.known, None, dilation=self.dilation)
        return out + ctx.external(self.key("known"), unmasked)


Offset = tuple[int, int]


@dataclass(frozen=True)
class LocalGain:
    """Images whose networks have a local gain.

    Attributes:
        channels: channels of a pixel, each a canvas feature.
        levels: ordered levels of a channel.
    """

    channels: int
    levels: int

    def predict(self, key: str, x: Tensor, ctx: Pass, *, finished_rows: bool = False) -> Float[Tensor, "b base h w"]:
        """Predict each pixel of the canvas; see `functional.local_gain.predict`.

        Args:
            key: scope of the neighbours that are read.
            x: the canvas.
            ctx: how the network is run.
            finished_rows: read the row above only.
        """
        near, inside = ctx.taps(key, x, NEAR_ABOVE if finished_rows else NEAR)
        return predict(near, inside, self.levels)

    def normalise(self, key: str, x: Tensor, ctx: Pass, offsets: Sequence[Offset]) -> Tensor:
        """Compute the neighbours of each pixel of the canvas relative to its prediction, with prediction and gain."""
        finished_rows = all(row < 0 for row, _ in offsets)
        prediction = self.predict(f"{key}.near", x, ctx, finished_rows=finished_rows)
        return normalise(*ctx.taps(f"{key}.taps", x, offsets), prediction, self.levels)

    @property
    def extra_inputs(self) -> int:
        """Inputs of a first layer besides the neighbours: the prediction, and log2 of the gain."""
        return self.channels + 1


class LocalGainHead(CausalLayer):
    """The last step of a network: outputs become parameters around the prediction.

    ```python
    head = LocalGainHead(LocalGain(channels=3, levels=256), 100)
    ```

    Args:
        gain: the images.
        num_params: parameters of a pixel.
    """

    start: Tensor

    def __init__(self, gain: LocalGain, num_params: int) -> None:
        super().__init__()
        self.gain = gain
        self.register_buffer("start", start_params(num_params, gain.channels), persistent=False)

    def forward(
        self, out: Float[Tensor, "b p h w"], x: Float[Tensor, "b i h w"], ctx: Pass
    ) -> Float[Tensor, "b p h w"]:
        """Place the outputs of a network around the prediction from the canvas `x`."""
        return place(out + self.start, self.gain.predict(self.key(), x, ctx), self.gain.levels)


def extra_weight(gain: LocalGain, out_channels: int) -> nn.Parameter:
    """Create the weights of prediction and gain in a first layer; they start at zero."""
    return nn.Parameter(torch.zeros(out_channels, gain.extra_inputs, 1, 1))


class RecurrentLayer(CausalLayer):
    """The state-to-state part of an LSTM over pixels, without a bias (van den Oord et al. 2016a, section 3).

    The sub-pixels of a pixel enter through the input of the gates, which therefore respects the channel groups. The
    state comes from earlier pixels, all of whose sub-pixels are known, and needs no mask.

    Args:
        channels: features of the state.
        along: `rows` or `diagonals`, see `LSTMCellParams`.
        kernel_size: number of taps on the row above, odd; for `rows` only.
        reverse: whether the layer runs from right to left.

    Example:
        ```python
        layer = RecurrentLayer(8, "diagonals")
        layer(torch.randn(2, 4 * 8, 5, 5), FullPass()).shape  # (2, 8, 5, 5)
        ```
    """

    def __init__(
        self, channels: int, along: Literal["rows", "diagonals"], *, kernel_size: int = 3, reverse: bool = False
    ) -> None:
        super().__init__()
        self.along: Literal["rows", "diagonals"] = along
        self.reverse = reverse
        num_taps = kernel_size if along == "rows" else 2
        bound = (channels * num_taps) ** -0.5  # as a convolution is initialised
        self.weight: nn.Parameter = nn.Parameter(torch.empty(num_taps, channels, 4 * channels).uniform_(-bound, bound))
        # the initial state
        self.hidden: nn.Parameter = nn.Parameter(torch.zeros(channels))
        self.memory: nn.Parameter = nn.Parameter(torch.zeros(channels))

    def forward(self, gates: Float[Tensor, "b _ h w"], ctx: Pass) -> Float[Tensor, "b d h w"]:
        """Compute the hidden features from the input's contribution to the gates o, f, i, g."""
        cell = LSTMCellParams(self.along, self.weight, self.hidden, self.memory)
        return ctx.recur(self.key(), cell, gates, reverse=self.reverse)
