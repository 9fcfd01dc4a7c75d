"""Stem and head of a network with local gain: see `nn/functional/local_gain.py` for the equations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from pointillist.nn.base import CausalLayer
from pointillist.nn.functional.local_gain import NEAR, NEAR_ABOVE, normalise, place, predict, start_params
from pointillist.nn.passes import Pass

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
