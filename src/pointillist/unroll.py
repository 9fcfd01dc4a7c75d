"""The one sequential loop: for each site, distribution, choose, observe.

Sampling draws, completion keeps what is known, an encoder takes the true value, a decoder pops it, a "what if" sets
it: they differ in `choose` only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from threadpoolctl import threadpool_limits
from torch import Tensor

from pointillist.engine.interpreter import Interpreter
from pointillist.engine.naive import NaiveEngine
from pointillist.engine.record import record
from pointillist.errors import EngineError
from pointillist.nn import Condition
from pointillist.ordering import RASTER, Order
from pointillist.pixel_model import PixelModel

ENGINES = ("auto", "step", "naive")


@dataclass(frozen=True)
class Site:
    """A sub-pixel: the place in the image and the channel."""

    row: int
    column: int
    channel: int


@runtime_checkable
class SiteEngine(Protocol):
    """Anything that gives the parameters of one sub-pixel after the other."""

    def params(self) -> np.ndarray:
        """Parameters `[b, p]` at the current sub-pixel; only its own share is promised."""

    def observe(self, values: np.ndarray) -> None:
        """Take the canvas values `[b, e]` of the sub-pixel just chosen and move on."""


Choose = Callable[[Site, Float[Tensor, "b k"]], Int[Tensor, " b"]]


def resolve_engine(engine: str) -> str:
    """The engine that a name stands for: `auto` is `step`, which is exact and faster than `naive` for every model.

    Raises:
        EngineError: if there is no such engine.
    """
    if engine not in ENGINES:
        raise EngineError(f"`engine` (={engine!r}) is not there: choose one of {', '.join(ENGINES)}.")
    return "step" if engine == "auto" else engine


def open_engine(
    model: PixelModel,
    condition: Condition,
    batch: int,
    height: int,
    width: int,
    engine: str = "auto",
    order: Order | None = None,
) -> SiteEngine:
    """An engine at the first site of `batch` images, which walks their turned canvas.

    Args:
        condition: over the image, as `model.told` gives it; `height` and `width` are those of the image.
        order: one of the model's orders; None for the usual one.
        engine: `step` replays the recorded program site by site; `naive` runs a full forward for every sub-pixel;
            `auto` chooses.

    Raises:
        EngineError: if there is no such engine.
        CausalityError: if the model cannot be recorded.
    """
    engine = resolve_engine(engine)
    groups, channels = model.ports.groups, model.ports.canvas
    order = model.order() if order is None else order
    condition = model.in_order(condition, order)
    height, width = order.turned_size(height, width)

    def forward(x: Tensor, ctx: object) -> Tensor:
        out: Tensor = model.backbone(x, ctx, condition)
        return out

    dtype = next(model.parameters()).dtype
    if engine == "naive":
        return NaiveEngine(
            forward, torch.zeros(batch, channels, height, width, dtype=dtype, device=model.device), groups, order
        )
    with torch.no_grad():
        program = record(
            forward, sub_steps=groups, canvas_width=channels // groups, height=height, width=width, dtype=dtype
        )
    return Interpreter(program, batch)


def unroll(
    model: PixelModel,
    engine: SiteEngine,
    choose: Choose,
    batch: int,
    height: int,
    width: int,
    on_row: Callable[[int, Int[Tensor, "b c h w"]], None] | None = None,
    order: Order = RASTER,
) -> Int[Tensor, "b c h w"]:
    """Walk all sites and return the levels that were chosen.

    Args:
        engine: opened for the same size and order.
        choose: given the site (of the image, not of a turned canvas) and the log-probabilities of its levels in nats,
            returns a level for each image.
        on_row: called after each line of the walk (a row, or a column) with the lines done and the levels so far.
    """
    likelihood = model.likelihood
    values = model.level_values().detach().cpu().numpy()
    levels = torch.zeros(batch, model.image.channels, height, width, dtype=torch.int64)
    # what is computed for one site is far too small to share: with two threads, and another program busy beside it,
    # four 8x8 images took 0.64 s instead of 0.07 s
    with torch.inference_mode(), threadpool_limits(1):
        lines, length = order.turned_size(height, width)
        for line in range(lines):
            for place in order.row(line, length):
                row, column = order.site(line, place, height, width)
                pixel = torch.zeros(batch, model.image.channels, 1, 1, dtype=torch.int64)
                params = None
                for channel in range(model.image.channels):
                    if params is None or not likelihood.coupled:
                        params = torch.from_numpy(engine.params())[:, :, None, None]
                    log_probs = likelihood.conditional(params, pixel, channel)[:, :, 0, 0]
                    pixel[:, channel, 0, 0] = choose(Site(row, column, channel), log_probs)
                    if not likelihood.coupled:
                        engine.observe(values[pixel[:, channel, 0, 0].numpy()])
                if likelihood.coupled:
                    engine.observe(values[pixel[:, :, 0, 0].numpy()].reshape(batch, -1))
                levels[:, :, row, column] = pixel[:, :, 0, 0]
            if on_row is not None:
                on_row(line + 1, levels)
    return levels
