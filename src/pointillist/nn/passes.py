"""Run a network: one `forward(x, ctx)`, on all sites at once, or recorded and then run site by site.

A layer or model is written once as `forward(x, ctx)`. Operations within a site (1x1 convolutions, gates, residuals) are
plain PyTorch; only the methods of a `Pass` reach other sites. A site is a pixel position. `FullPass` computes all sites
at once, for training and evaluation. `RecordPass` (`engine/recording/record.py`) runs the same forward once on symbols,
and writes the program that the sampling engines run.

Convolutions on a CPU are faster with channels last (NHWC). In either memory format they are slow where both meet: a sum
or a gradient of two maps in different formats takes ten times as long (measured in `docs/decisions`, 0018). The input
of a network therefore gets the format of the weights, and nothing inside the network changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pointillist.images.array_types import Float
from pointillist.images.ordering import RASTER, PixelOrder
from pointillist.nn.functional.attention import Tokens, cross_attention, strict_attention
from pointillist.nn.functional.convolution import local_convolution
from pointillist.nn.functional.recurrence import LSTMCellParams, scan


@runtime_checkable
class Pass(Protocol):
    """The methods through which a layer may read sites other than its own.

    `key` names a scope, usually the module path. Each key may be used once in a forward.

        def forward(self, x: Tensor, ctx: Pass) -> Tensor:
            window = ctx.window(self.key(), x, up=1, left=1, right=1, down=-1)
            return F.conv2d(window, self.weight)  # a kernel of 1 x 3 over the row above
    """

    order: PixelOrder
    """The generation order of the sites. Only `neighbours` supports an S-curve."""

    def window(self, key: str, x: Tensor, *, up: int, left: int, right: int, down: int = 0) -> Tensor:
        """Pad `x` so that a VALID convolution covers rows `-up..down` and columns `-left..right` around each site.

        `down` and `right` may be -1: the window then ends strictly above, or strictly left of, the site.

        Args:
            x: `b d h w`, the canvas or a feature map.

        Returns:
            `b d (h + up + down) (w + left + right)`.
        """

    def taps(self, key: str, x: Tensor, offsets: Sequence[tuple[int, int]]) -> tuple[Tensor, Tensor]:
        """Read the canvas at some earlier sites around each site.

        Args:
            x: the canvas, `b i h w`.
            offsets: rows down and columns right of each, before the site in raster order.

        Returns:
            The features of each in turn, `b (k i) h w`, 0 outside the image; and 1 where it lies in the image, else 0,
            `n k h w`, with n = b or 1.
        """

    def rows(self, key: str, fn: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run `fn(*inputs)`, which depends on finished rows only, so that an engine can compute it a row at a time.

        Raises:
            CausalityError: while recording, if a result depends on the current row.
        """

    def upsample(self, key: str, x: Tensor, like: Tensor) -> Tensor:
        """Upsample a coarse grid `b 4d h/2 w/2` to the grid of `like`, twice as fine, as `b d h w` (a pixel shuffle).

        A coarse grid of an image of n rows has ceil(n / 2) rows, those at rows 0, 2, 4, ...; columns likewise. A
        convolution of stride 2 over a window makes it. The four quarters of the channels of a coarse site belong, in
        order, to the site itself and to the sites right of it, below it, and both.
        """

    def neighbours(self, key: str, x: Tensor, weight: Tensor, bias: Tensor | None, *, dilation: int = 1) -> Tensor:
        """Convolve each site with the sites around it that come before it in the order, and with the site itself.

        This is the locally masked convolution of Jain et al. 2020.

        Args:
            x: `b i h w`.
            weight: `o i k k` with k odd, in the orientation of the image, whatever the order. A neighbour to the left
                meets the same weights in every order in which it is known. The weights of the site itself must keep the
                sub-pixel groups.
            bias: `o`.

        Returns:
            `b o h w`.
        """

    def external(self, key: str, t: Tensor) -> Tensor:
        """Declare a condition that is known before the first site: a vector `b d 1 1` or a map `b d h w`."""

    def shift_down(self, key: str, fn: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        """Run `fn(*inputs)` and shift its results down by one row, with zeros above.

        A site gets the result of the site above it.

        Inside `fn` the row is finished, so all of it may be read, also right of the site and the site itself. From
        outside, `fn` may use only `inputs`, vectors, and conditions that it declares itself.
        """

    def recur(self, key: str, cell: LSTMCellParams, x: Tensor, *, reverse: bool = False) -> Tensor:
        """Run an LSTM over the sites (van den Oord et al. 2016a, section 3).

        Args:
            x: input part of the gates, `b 4d h w`.
            reverse: run from right to left.

        Returns:
            Hidden features `b d h w`.
        """

    def attend(
        self, key: str, q: Tensor, kv_fn: Callable[..., tuple[Tensor, Tensor]], z: tuple[Tensor, ...], heads: int
    ) -> Tensor:
        """Attend to the sites strictly before each site, in raster order; zeros at the first site.

        Args:
            q: queries, `b k h w`.
            kv_fn: from `z` to keys `b k h w` and values `b v h w` of each site after its draw, so `z` may hold the
                canvas itself. It stays within the site: it takes no window.

        Returns:
            `b v h w`.
        """

    def cross_attend(
        self, key: str, q: Tensor, tokens: Tokens, keys: nn.Linear, values: nn.Linear, heads: int
    ) -> Tensor:
        """Attend to the tokens of a prompt, which are known before the first site.

        Args:
            q: queries, `b k h w`.
            tokens: the tokens, at least one in each image.
            keys, values: from a token to its key, `k` features, and to its value, `v` features.

        Returns:
            `b v h w`.
        """


class FullPass:
    """Compute all sites at once. Zero padding stands for everything outside the image.

        params = model(canvas, FullPass())  # b p h w

    Args:
        order: the generation order whose raster frame the network gets.
        channels_last: keep feature maps in this memory format (see the head of this file).
    """

    def __init__(self, order: PixelOrder = RASTER, *, channels_last: bool = False) -> None:
        self.order = order
        self.channels_last = channels_last

    def window(
        self, key: str, x: Float[Tensor, "b d h w"], *, up: int, left: int, right: int, down: int = 0
    ) -> Float[Tensor, "b d h2 w2"]:
        """Pad (or crop, where a side is -1), so that a kernel of `(up + down + 1, left + right + 1)` fits each site."""
        return F.pad(x, (left, right, up, down))

    def taps(
        self, key: str, x: Float[Tensor, "b i h w"], offsets: Sequence[tuple[int, int]]
    ) -> tuple[Float[Tensor, "b ki h w"], Float[Tensor, "1 k h w"]]:
        """Shift the canvas, and a map of ones, to each offset."""
        height, width = x.shape[2:]
        up, left = (max(-offset[axis] for offset in offsets) for axis in (0, 1))
        right = max(0, *(column for _, column in offsets))
        results = []
        for each in (x, torch.ones_like(x[:1, :1])):
            padded = F.pad(each, (max(left, 0), right, up, 0))
            parts = [
                padded[:, :, up + row : up + row + height, max(left, 0) + column : max(left, 0) + column + width]
                for row, column in offsets
            ]
            results.append(torch.cat(parts, 1))
        return results[0], results[1]

    def rows(self, key: str, fn: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        """Return `fn(*inputs)`. Recording checks the dependence on finished rows."""
        return fn(*inputs)

    def upsample(
        self, key: str, x: Float[Tensor, "b d4 h2 w2"], like: Float[Tensor, "b d2 h w"]
    ) -> Float[Tensor, "b d h w"]:
        """Interleave the quarters, and crop to the size of `like`."""
        height, width = like.shape[2:]
        batch, channels, rows, columns = x.shape
        quarters = x.reshape(batch, 2, 2, channels // 4, rows, columns)
        if self.channels_last:
            spread = quarters.permute(0, 4, 1, 5, 2, 3).reshape(batch, 2 * rows, 2 * columns, -1).permute(0, 3, 1, 2)
        else:
            spread = quarters.permute(0, 3, 4, 1, 5, 2).reshape(batch, -1, 2 * rows, 2 * columns)
        return spread[:, :, :height, :width]

    def neighbours(
        self,
        key: str,
        x: Float[Tensor, "b i h w"],
        weight: Float[Tensor, "o i k k"],
        bias: Float[Tensor, " o"] | None,
        *,
        dilation: int = 1,
    ) -> Float[Tensor, "b o h w"]:
        """Convolve with the kernel in the raster frame of the order; see `local_conv.local_convolution`."""
        return local_convolution(x, self.order.to_raster(weight), bias, dilation, s_curve=self.order.s_curve)

    def external(self, key: str, t: Tensor) -> Tensor:
        """Return the condition itself; it broadcasts over the sites."""
        return channels_last(t) if self.channels_last and t.shape[2:] != (1, 1) else t

    def shift_down(self, key: str, fn: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        """Pad a row of zeros above, and drop the last row."""
        return tuple(F.pad(output, (0, 0, 1, -1)) for output in fn(*inputs))

    def recur(
        self, key: str, cell: LSTMCellParams, x: Float[Tensor, "b _ h w"], *, reverse: bool = False
    ) -> Float[Tensor, "b d h w"]:
        """Run row by row, or diagonal by diagonal; see `recurrence.scan`."""
        result = scan(cell, x, reverse=reverse)
        return channels_last(result) if self.channels_last else result

    def attend(
        self,
        key: str,
        q: Float[Tensor, "b k h w"],
        kv_fn: Callable[..., tuple[Tensor, Tensor]],
        z: tuple[Tensor, ...],
        heads: int,
    ) -> Float[Tensor, "b v h w"]:
        """Compute exact softmax attention, a row of queries at a time; see `attention.strict_attention`."""
        result = strict_attention(q, *kv_fn(*z), heads)
        return channels_last(result) if self.channels_last else result

    def cross_attend(
        self, key: str, q: Float[Tensor, "b k h w"], tokens: Tokens, keys: nn.Linear, values: nn.Linear, heads: int
    ) -> Float[Tensor, "b v h w"]:
        """Compute softmax attention over tokens; see `attention.cross_attention`."""
        result = cross_attention(q, keys(tokens.states), values(tokens.states), tokens.mask, heads)
        return channels_last(result) if self.channels_last else result


def is_channels_last(t: Float[Tensor, "b d h w"]) -> bool:
    """Check whether the strides of a map are channels-last, also for a map of one channel.

    Example:
        ```python
        is_channels_last(torch.zeros(2, 3, 4, 5).to(memory_format=torch.channels_last))  # True
        ```
    """
    _, channels, height, width = t.shape
    return t.stride() == (channels * height * width, 1, channels * width, channels)


def channels_last(t: Float[Tensor, "b d h w"]) -> Float[Tensor, "b d h w"]:
    """Return a map in channels-last format, copied if necessary.

    `t.contiguous(memory_format=torch.channels_last)` would return a map of one channel as it is, with strides that
    convolutions take for NCHW.

    Example:
        ```python
        channels_last(torch.zeros(2, 1, 4, 5)).stride()  # (20, 1, 5, 1)
        ```
    """
    if is_channels_last(t):
        return t
    return torch.empty(t.shape, dtype=t.dtype, device=t.device, memory_format=torch.channels_last).copy_(t)
