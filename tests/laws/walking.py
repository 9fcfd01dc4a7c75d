"""Walking a true image site by site, stage by stage, with whatever engine: what the laws of engines have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product

import numpy as np
from torch import Tensor

from pointillist.engine.naive import NaiveStepper
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import Stage
from pointillist.nn import Condition
from pointillist.sampling.loop import Stepper, create_stepper

Open = Callable[[PixelModel, Stage, Condition, Tensor], Stepper]
"""Opens an engine for a stage: the model, the stage, what its network is told, and the canvas of true images."""


def engine(name: str) -> Open:
    """The engine called `name`."""
    return lambda model, stage, told, canvas: create_stepper(
        model, told, len(canvas), *canvas.shape[2:], name, stage=stage, order=model.order()
    )


def naive_on(fill: Callable[[Tensor], Tensor]) -> Open:
    """The naive engine, with something else than zeros at unknown sites."""

    def opened(model: PixelModel, stage: Stage, told: Condition, canvas: Tensor) -> Stepper:
        filled = fill(stage.grid(canvas))
        return NaiveStepper(lambda x, ctx: stage.network(x, ctx, told), filled, model.ports.groups, model.order())

    return opened


def walk(
    model: PixelModel, condition: Condition, x: Tensor, opened: Open
) -> Iterator[tuple[tuple[int, int, int], np.ndarray]]:
    """(row, column, group) in the order of painting, and what the engine says there, its own share `[b, p / groups]`.

    Every sub-pixel is then told the true value, also those that an earlier stage has painted, which are not asked.
    """
    groups = model.ports.groups
    share = model.ports.params // groups
    order = model.order()
    canvas, condition = order.to_raster(model.canvas(x).detach()), model.in_order(condition, order)
    height, width = canvas.shape[2:]
    known = np.zeros((height, width), bool)
    coarse: Tensor | None = None
    for stage in model.stages(height, width):
        walker = opened(model, stage, stage.condition(coarse, condition), canvas)
        sites = [(y, x) for y in range(0, height, stage.step) for x in order.row(y, width)[:: stage.step]]
        for (row, column), group in product(sites, range(groups)):
            site = (*order.site(row, column, *x.shape[2:]), group)
            if not known[row, column]:
                ours = slice(group * share, (group + 1) * share)
                said = walker.params()[:, ours]
                assert np.array_equal(said, walker.params()[:, ours]), f"{site}: asking twice gives other bits"
                yield site, said
            walker.observe(canvas.unflatten(1, (groups, -1))[:, group, :, row, column].numpy())
        known[:: stage.step, :: stage.step] = True
        coarse = stage.grid(canvas)
    assert known.all()
