"""Walking a true image site by site, stage by stage, with whatever engine: what the laws of engines have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from torch import Tensor

from pointillist.engine.naive import NaiveEngine
from pointillist.networks import Stage
from pointillist.nn import Condition
from pointillist.pixel_model import PixelModel
from pointillist.unroll import SiteEngine, open_engine

Open = Callable[[PixelModel, Stage, Condition, Tensor], SiteEngine]
"""Opens an engine for a stage: the model, the stage, what its network is told, and the canvas of true images."""


def engine(name: str) -> Open:
    """The engine called `name`."""
    return lambda model, stage, told, canvas: open_engine(
        model, told, len(canvas), *canvas.shape[2:], name, stage=stage
    )


def naive_on(fill: Callable[[Tensor], Tensor]) -> Open:
    """The naive engine, with something else than zeros at unknown sites."""

    def opened(model: PixelModel, stage: Stage, told: Condition, canvas: Tensor) -> SiteEngine:
        filled = fill(stage.grid(canvas))
        return NaiveEngine(lambda x, ctx: stage.network(x, ctx, told), filled, model.ports.groups)

    return opened


def walk(
    model: PixelModel, condition: Condition, x: Tensor, opened: Open
) -> Iterator[tuple[tuple[int, int, int], np.ndarray]]:
    """(row, column, group) in the order of painting, and what the engine says there, its own share `[b, p / groups]`.

    Every sub-pixel is then told the true value, also those that an earlier stage has painted, which are not asked.
    """
    groups = model.ports.groups
    share = model.ports.params // groups
    canvas = model.canvas(x).detach()
    height, width = canvas.shape[2:]
    known = np.zeros((height, width), bool)
    coarse: Tensor | None = None
    for stage in model.stages(height, width):
        walker = opened(model, stage, stage.told(coarse, condition), canvas)
        for row, column, group in np.ndindex(-(-height // stage.step), -(-width // stage.step), groups):
            site = (row * stage.step, column * stage.step, group)
            if not known[site[:2]]:
                ours = slice(group * share, (group + 1) * share)
                said = walker.params()[:, ours]
                assert np.array_equal(said, walker.params()[:, ours]), f"{site}: asking twice gives other bits"
                yield site, said
            walker.observe(canvas.unflatten(1, (groups, -1))[:, group, :, site[0], site[1]].numpy())
        known[:: stage.step, :: stage.step] = True
        coarse = stage.grid(canvas)
    assert known.all()
