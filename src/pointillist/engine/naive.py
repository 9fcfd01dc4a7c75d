"""Reference stepper: a full forward over the whole image for every sub-pixel. Slow, but simple to verify."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from pointillist.images.ordering import RASTER, PixelOrder
from pointillist.nn.passes import FullPass, Pass, is_channels_last


class NaiveStepper:
    """Step through the sites in their order, channel by channel, with the methods of `ProgramStepper`.

    Args:
        forward: from a canvas `b i h w` and a pass to parameters `b p h w`.
        canvas: a canvas of zeros in the raster frame of the order. Its shape, dtype and device are used.
        values: what each level writes to the canvas, `[levels, e]`.
        order: the generation order.
    """

    def __init__(
        self, forward: Callable[[Tensor, Pass], Tensor], canvas: Tensor, values: Tensor, order: PixelOrder = RASTER
    ) -> None:
        self._forward = forward
        self._canvas = canvas.clone()
        self._pass = FullPass(order, channels_last=is_channels_last(canvas))
        self._values, self._order = values.detach().to(canvas), order
        channels = canvas.shape[1] // values.shape[1]
        height, width = canvas.shape[2:]
        self._sites = [(y, x, k) for y in range(height) for x in order.row(y, width) for k in range(channels)]
        self._number = 0

    @property
    def site(self) -> tuple[int, int, int]:
        """The current row, column and channel; after the last one, the last."""
        return self._sites[min(self._number, len(self._sites) - 1)]

    @property
    def done(self) -> bool:
        """True after the last sub-pixel."""
        return self._number == len(self._sites)

    def params(self) -> np.ndarray:
        """Compute the parameters `[b, p]` at the current site."""
        row, column, _ = self.site
        with torch.inference_mode():
            return self._forward(self._canvas, self._pass)[:, :, row, column].cpu().numpy()

    def observe(self, levels: np.ndarray) -> None:
        """Take the level `[b]` of the current sub-pixel of each image, and move to the next one."""
        (row, column, channel), width = self.site, self._values.shape[1]
        values = self._values[torch.from_numpy(levels).to(self._canvas.device)]
        self._canvas[:, channel * width : (channel + 1) * width, row, column] = values
        self._number += 1

    def select(self, indices: np.ndarray) -> None:
        """Copy histories: image i continues from the history of image `indices[i]`."""
        self._canvas = self._canvas[torch.from_numpy(indices).to(self._canvas.device)]

    def save(self) -> tuple[int, Tensor]:
        """Save the state, for `restore`."""
        return self._number, self._canvas.clone()

    def restore(self, state: tuple[int, Tensor]) -> None:
        self._number = state[0]
        self._canvas = state[1].clone()
