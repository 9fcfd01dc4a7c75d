"""How a network is run: the same `forward(x, ctx)` on all sites at once, or recorded to be replayed site by site.

A layer or model is written once as `forward(x, ctx)`. Everything that stays at a site (1x1 convolutions, gates,
residuals) is plain PyTorch; only the methods of a `Pass` reach across sites. `FullPass` below computes all sites at
once, for training and scoring; `engine.record.RecordPass` runs the same forward once on symbols and writes down the
program that the sampling engines replay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from pointillist.nn.functional.attention import cross_attention, strict_attention
from pointillist.nn.functional.local_conv import local_convolution
from pointillist.nn.functional.memory_format import channels_last
from pointillist.nn.functional.recurrence import LSTMCellParams, scan
from pointillist.ordering import RASTER, PixelOrder


@runtime_checkable
class Pass(Protocol):
    """The only calls through which a layer may see a site other than its own. A key names a place: unique per call."""

    order: PixelOrder
    """The order that the sites are painted in. Only `neighbours` may follow an S-curve."""

    def window(self, key: str, x: Tensor, *, up: int, left: int, right: int, down: int = 0) -> Tensor:
        """Make a VALID convolution see rows `-up..down` and columns `-left..right` around each site.

        `down` and `right` may be -1: the window then ends strictly above, or strictly left of, the site.
        """

    def rows(self, key: str, fn: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        """`fn(*inputs)`, asserted to depend on finished rows only, so that it may be computed a row at a time."""

    def upsample(self, key: str, x: Tensor, like: Tensor) -> Tensor:
        """Values `b 4d` of a coarse grid, brought to the grid of `like`, which is twice as fine, as `b d`.

        A coarse grid of an image of n rows has ceil(n / 2) rows, those at rows 0, 2, 4, ...; columns likewise. It is
        made by a convolution of stride 2 over a window. The four quarters of the channels of a coarse site belong, in
        order, to the site itself and to those right of it, below it, and both.
        """

    def neighbours(self, key: str, x: Tensor, weight: Tensor, bias: Tensor | None, *, dilation: int = 1) -> Tensor:
        """A convolution over the sites around each site that come before it in the order, and over the site itself.

        `weight` is odd and has the orientation of the image, whatever the order: a neighbour to the left meets the same
        weights in every order that knows it. Weights of the site itself must keep the groups of sub-pixels.
        """

    def external(self, key: str, t: Tensor) -> Tensor:
        """A condition known before the first site: a vector `b d 1 1` or a map `b d h w`."""

    def shift_down(self, key: str, fn: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        """`fn(*inputs)`, moved down by one row (zeros above): at a site, what `fn` gives at the site above it.

        Inside `fn` the row is finished, so all of it may be read, also right of the site and the site itself. It may
        use nothing from outside but `inputs`, vectors, and conditions that it asks for itself.
        """

    def recur(self, key: str, cell: LSTMCellParams, x: Tensor, *, reverse: bool = False) -> Tensor:
        """The hidden features of an LSTM over sites, whose gates get `x` from the site itself."""

    def attend(
        self, key: str, q: Tensor, kv_fn: Callable[..., tuple[Tensor, Tensor]], z: tuple[Tensor, ...], heads: int
    ) -> Tensor:
        """Attend to the sites strictly before each site, in raster order; zeros at the first site.

        `kv_fn(*z)` gives the keys and values of each site after its draw, so `z` may hold the canvas itself. `kv_fn`
        stays at the site: it takes no window.
        """

    def cross_attend(self, key: str, q: Tensor, keys: Tensor, values: Tensor, mask: Tensor, heads: int) -> Tensor:
        """Attend to the tokens of a prompt, known before the first site: `b t d`, and which of them are there.

        Each image has at least one token. Queries stay at the site, so this reaches no other.
        """


class FullPass:
    """All sites at once. Zero padding stands for everything outside the image.

    Args:
        order: the order whose turned canvas the network is given.
        channels_last: whether maps lie so in memory (`layout.py`): what begins here, or is made anew, is laid so.
    """

    def __init__(self, order: PixelOrder = RASTER, *, channels_last: bool = False) -> None:
        self.order = order
        self.channels_last = channels_last

    def window(
        self, key: str, x: Float[Tensor, "b d h w"], *, up: int, left: int, right: int, down: int = 0
    ) -> Float[Tensor, "b d h2 w2"]:
        """Pad (or crop, where a side is -1), so that a kernel of `(up + down + 1, left + right + 1)` fits each site."""
        return F.pad(x, (left, right, up, down))

    def rows(self, key: str, fn: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        """Just `fn(*inputs)`; the promise is checked when the pass is recorded."""
        return fn(*inputs)

    def upsample(
        self, key: str, x: Float[Tensor, "b d4 h2 w2"], like: Float[Tensor, "b d2 h w"]
    ) -> Float[Tensor, "b d h w"]:
        """Interleave the quarters, and cut off what lies outside an odd side."""
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
        """The kernel is turned as the canvas is; see `neighbours.local_convolution`."""
        return local_convolution(x, self.order.to_raster(weight), bias, dilation, s_curve=self.order.s_curve)

    def external(self, key: str, t: Tensor) -> Tensor:
        """The condition itself; broadcasting does the rest."""
        return channels_last(t) if self.channels_last and t.shape[2:] != (1, 1) else t

    def shift_down(self, key: str, fn: Callable[..., tuple[Tensor, ...]], *inputs: Tensor) -> tuple[Tensor, ...]:
        """All rows of `fn(*inputs)` but the last, under a row of zeros."""
        return tuple(F.pad(output, (0, 0, 1, -1)) for output in fn(*inputs))

    def recur(
        self, key: str, cell: LSTMCellParams, x: Float[Tensor, "b _ h w"], *, reverse: bool = False
    ) -> Float[Tensor, "b d h w"]:
        """Row by row, or diagonal by diagonal; see `recurrence.scan`."""
        found = scan(cell, x, reverse=reverse)
        return channels_last(found) if self.channels_last else found

    def attend(
        self,
        key: str,
        q: Float[Tensor, "b k h w"],
        kv_fn: Callable[..., tuple[Tensor, Tensor]],
        z: tuple[Tensor, ...],
        heads: int,
    ) -> Float[Tensor, "b v h w"]:
        """Exact softmax attention, a row of queries at a time; see `attention.strict_attention`."""
        found = strict_attention(q, *kv_fn(*z), heads)
        return channels_last(found) if self.channels_last else found

    def cross_attend(
        self,
        key: str,
        q: Float[Tensor, "b k h w"],
        keys: Float[Tensor, "b t k"],
        values: Float[Tensor, "b t v"],
        mask: Bool[Tensor, "b t"],
        heads: int,
    ) -> Float[Tensor, "b v h w"]:
        """Softmax attention over tokens; see `attention.cross_attention`."""
        found = cross_attention(q, keys, values, mask, heads)
        return channels_last(found) if self.channels_last else found
