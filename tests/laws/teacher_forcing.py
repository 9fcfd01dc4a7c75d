"""Run any engine over true images, sub-pixel by sub-pixel and stage by stage: shared by the tests of engines."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from torch import Tensor

from pointillist.engine.naive import NaiveStepper
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import Stage
from pointillist.nn import Condition
from pointillist.sampling.engines import Stepper, create_stepper

StepperFactory = Callable[[PixelModel, Stage, Condition, Tensor], Stepper]
"""Opens an engine for a stage: the model, the stage, the condition of its network, and the canvas of true images."""


def engine(name: str) -> StepperFactory:
    """Open the engine called `name`."""
    return lambda model, stage, condition, canvas: create_stepper(
        model, condition, len(canvas), *canvas.shape[2:], name, stage=stage, order=model.order()
    )


def naive_engine_filled_by(fill: Callable[[Tensor], Tensor]) -> StepperFactory:
    """Open the naive engine with `fill(canvas)` instead of zeros at unknown sites."""

    def opened(model: PixelModel, stage: Stage, condition: Condition, canvas: Tensor) -> Stepper:
        filled = fill(stage.grid(canvas))
        network = stage.network
        return NaiveStepper(lambda x, ctx: network(x, ctx, condition), filled, model.level_embeddings(), model.order())

    return opened


def teacher_forced(
    model: PixelModel, condition: Condition, x: Tensor, opened: StepperFactory
) -> Iterator[tuple[tuple[int, int, int], np.ndarray]]:
    """Yield (row, column, group) in generation order, with the engine's parameters there, `[b, p / groups]`.

    The engine then observes the true value of every sub-pixel. Sub-pixels that an earlier stage has sampled are
    observed but not yielded.
    """
    groups = model.dims.groups
    share = model.dims.params // groups
    order = model.order()
    canvas, condition = order.to_raster(model.canvas(x).detach()), model.conditions.to_raster_frame(condition, order)
    levels, channels = order.to_raster(x).numpy(), x.shape[1] // groups  # of a group: all where they are coupled
    height, width = canvas.shape[2:]
    known = np.zeros((height, width), bool)
    coarse: Tensor | None = None
    for stage in model.stages(height, width):
        stepper = opened(model, stage, stage.condition(coarse, condition), canvas)
        rows, columns = stage.step
        sites = [(y, x) for y in range(0, height, rows) for x in order.row(y, width)[::columns]]
        for (row, column), group in product(sites, range(groups)):
            site = (*order.site(row, column, *x.shape[2:]), group)
            if not known[row, column]:
                own = slice(group * share, (group + 1) * share)
                params = stepper.params()[:, own]
                assert np.array_equal(params, stepper.params()[:, own]), f"{site}: a repeated step gives other bits"
                yield site, params
            for channel in range(group * channels, (group + 1) * channels):
                stepper.observe(levels[:, channel, row, column])
        known[:: stage.step[0], :: stage.step[1]] = True
        coarse = stage.grid(canvas)
    assert known.all()
