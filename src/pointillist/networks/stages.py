"""An image is painted in stages: one for most networks, several for one that paints a coarse image first.

A stage walks, row by row, over a grid of the image. Its grid holds that of the stage before, whose sites are known by
then: the network reads them as it reads any earlier site, but it is not asked about them. So a site belongs to the
first stage whose grid has it, is drawn once and counted once, and the order of painting is: all sites of the first
grid, then those that are new in the second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.nn import Condition
from pointillist.nn.functional.memory_format import channels_last
from pointillist.nn.passes import FullPass, Pass

Network = Callable[[Tensor, Pass, Condition], Tensor]
StageCondition = Callable[[Tensor | None, Condition], Condition]


def only_the_condition(coarse: Tensor | None, condition: Condition) -> Condition:
    """What the network of a single stage is told: the condition of the image, as it is."""
    return condition


@dataclass(frozen=True)
class Stage:
    """A walk over a grid of the image.

    Attributes:
        network: canvas of the grid, pass and condition to the parameters of the grid; causal row by row.
        step: the grid has every `step`-th row and column of the image, from 0 on. It divides that of the stage before.
        told: what the network is told: made of the canvas of the grid of the stage before (None for the first stage),
            every site of which is known, and of the condition of the image, whose maps have the size of the image. It
            is shown nothing else, so that nothing else can leak.
    """

    network: Network
    step: int = 1
    told: StageCondition = only_the_condition

    def grid(self, t: Tensor) -> Tensor:
        """The sites of the grid, of a tensor over the sites `... h w` of the image. A view."""
        return t[..., :: self.step, :: self.step]


def run_stages(
    stages: Sequence[Stage], x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition
) -> Float[Tensor, "b p h w"]:
    """Parameters of all sites of images that are known whole, each from the stage that it belongs to."""
    coarse: Tensor | None = None
    found: Tensor | None = None
    step = 1
    for stage in stages:
        canvas = stage.grid(x)
        if isinstance(ctx, FullPass) and ctx.channels_last:
            canvas = channels_last(canvas)  # a grid of every second site has gaps
        params = stage.network(canvas, ctx, stage.told(coarse, condition))
        if found is not None:
            ratio = step // stage.step
            params = params.clone()
            params[..., ::ratio, ::ratio] = found
        coarse, found, step = canvas, params, stage.step
    assert found is not None
    return found


def painting_order(stages: Sequence[Stage], height: int, width: int) -> Int[np.ndarray, "h w"]:
    """The place of each site in the order of painting, from 0."""
    place = np.full((height, width), -1)
    for stage in stages:
        part = place[:: stage.step, :: stage.step]
        new = part < 0
        part[new] = place.max() + 1 + np.arange(new.sum())
    return place
