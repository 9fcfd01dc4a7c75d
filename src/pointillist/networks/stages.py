"""Sampling in stages: a single one for most networks, several for a network that samples a coarse image first.

A stage visits a grid of the image row by row. Its grid contains the grid of the stage before, whose pixels are known by
then. The network reads them like any earlier pixel, but does not predict them. A pixel therefore belongs to the first
stage whose grid contains it, and is sampled once and scored once. The generation order is all pixels of the first grid,
then the new pixels of the second.
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
"""Builds the condition of a stage from the canvas of the grid before and the condition of the image."""


def same_condition(coarse: Tensor | None, condition: Condition) -> Condition:
    """Return the condition of the image unchanged: the condition of a single stage."""
    return condition


@dataclass(frozen=True)
class Stage:
    """A raster scan over a grid of the image.

    ```python
    model.stages(28, 28)[0].step  # 1, for a model of one stage
    ```

    Attributes:
        network: from the canvas of the grid, a pass and a condition to the parameters of the grid; causal in raster
            order.
        step: the grid has every `step`-th row and column of the image, from 0 on; divides the step of the stage before.
        condition: builds the condition of the network from the canvas of the grid of the stage before (None for the
            first stage), all of whose pixels are known, and the condition of the image, whose map has the size of the
            image. Nothing else reaches the network, so nothing else can leak.
    """

    network: Network
    step: int = 1
    condition: StageCondition = same_condition

    def grid(self, t: Tensor) -> Tensor:
        """Return the pixels of the grid of a tensor over the pixels `... h w` of the image, as a view."""
        return t[..., :: self.step, :: self.step]


def run_stages(
    stages: Sequence[Stage], x: Float[Tensor, "b i h w"], ctx: Pass, condition: Condition
) -> Float[Tensor, "b p h w"]:
    """Compute the parameters of all pixels of complete images, each pixel by the stage that it belongs to.

    ```python
    run_stages(model.stages(28, 28), model.canvas(levels), FullPass(), condition)
    ```

    Args:
        stages: the stages, coarsest grid first; the last one has step 1.
        x: the canvas of the whole image.
        ctx: how the networks are run.
        condition: the condition of the image.
    """
    coarse: Tensor | None = None
    found: Tensor | None = None
    step = 1
    for stage in stages:
        canvas = stage.grid(x)
        if isinstance(ctx, FullPass) and ctx.channels_last:
            canvas = channels_last(canvas)  # a strided grid has gaps
        params = stage.network(canvas, ctx, stage.condition(coarse, condition))
        if found is not None:
            ratio = step // stage.step
            params = params.clone()
            params[..., ::ratio, ::ratio] = found
        coarse, found, step = canvas, params, stage.step
    assert found is not None
    return found


def sampling_order(stages: Sequence[Stage], height: int, width: int) -> Int[np.ndarray, "h w"]:
    """Rank of each pixel in the order in which the stages sample an image, from 0.

    ```python
    sampling_order(model.stages(2, 2), 2, 2)  # [[0, 1], [2, 3]]
    ```
    """
    rank = np.full((height, width), -1)
    for stage in stages:
        part = rank[:: stage.step, :: stage.step]
        new = part < 0
        part[new] = rank.max() + 1 + np.arange(new.sum())
    return rank
