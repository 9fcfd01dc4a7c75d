"""State of a batch that is being sampled, in the raster frame of its generation order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from pointillist.ordering import PixelOrder

OnRow = Callable[[int, Int[Tensor, "b c h w"]], None]
"""Called with the number of rows done and the levels so far, in the orientation of the image."""


@dataclass(frozen=True, kw_only=True)
class SamplingState:
    """The levels of a batch in the raster frame; all tensors are filled in place.

    Attributes:
        order: generation order that defines the raster frame.
        levels: int64 `[b c h w]`, valid where `known` is set.
        known: pixel positions that are given or already sampled, bool `[h w]`.
        outputs: network outputs of the first `n` images, filled where a pixel is sampled; None discards them.
        on_row: called after each row.
    """

    order: PixelOrder
    levels: Int[Tensor, "b c h w"]
    known: Bool[Tensor, "h w"]
    outputs: Float[Tensor, "n p h w"] | None = None
    on_row: OnRow | None = None

    def report(self) -> None:
        """Call `on_row` with the rows done: pixels known, in rows of the raster frame."""
        if self.on_row is not None:
            self.on_row(int(self.known.sum()) // self.known.shape[1], self.order.from_raster(self.levels))
