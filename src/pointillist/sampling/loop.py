"""The one sequential loop: for each site, distribution, choose, observe.

Sampling draws, an encoder takes the true value, a decoder pops it, a "what if" sets it: they differ in `choose` only.
Observed pixels are kept and cost nothing (`ObservedPixels`): so the second stage of a model finds the pixels of the
first one, and so an image is completed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pointillist.model.pixel_model import PixelModel
from pointillist.networks import Stage
from pointillist.nn import Condition
from pointillist.ordering import PixelOrder
from pointillist.sampling.engines import (
    ENGINES,
    WHOLE_IMAGE_ENGINES,
    InverseCdfSampler,
    Stepper,
    create_stepper,
    resolve_engine,
    sample_stage,
)
from pointillist.system.hardware import single_threaded

__all__ = [
    "ENGINES",
    "ChooseLevel",
    "ObservedPixels",
    "OnRow",
    "Site",
    "Stepper",
    "autoregressive_loop",
    "create_stepper",
    "resolve_engine",
]


@dataclass(frozen=True)
class Site:
    """A sub-pixel: the place in the image and the channel."""

    row: int
    column: int
    channel: int


ChooseLevel = Callable[[Site, Float[Tensor, "b k"]], Int[Tensor, " b"]]
OnRow = Callable[[int, Int[Tensor, "b c h w"]], None]


@dataclass(frozen=True)
class ObservedPixels:
    """Sites whose levels are given: they are kept, `choose` is not asked, and they cost no nats.

    Plain data, so that an engine that runs a whole stage in one call can take the same two arrays, of the sites of the
    stage's grid (`Stage.grid` of each).

    Attributes:
        levels: int64 `[b c h w]`, read where `mask` is set.
        mask: which sites are known, with all their channels, bool `[h w]`.
    """

    levels: Int[Tensor, "b c h w"]
    mask: Bool[Tensor, "h w"]


def autoregressive_loop(
    model: PixelModel,
    condition: Condition,
    choose: ChooseLevel,
    batch: int,
    height: int,
    width: int,
    engine: str = "auto",
    on_row: OnRow | None = None,
    known: ObservedPixels | None = None,
    order: PixelOrder | None = None,
    threads: int | None = None,
    outputs: Float[Tensor, "n p h2 w2"] | None = None,
) -> Int[Tensor, "b c h w"]:
    """Walk all sites, stage by stage, and return the levels that were chosen.

    All of it happens on the turned canvas of the order; what comes in and goes out is in the orientation of the image.

    Args:
        condition: what the images are told.
        choose: given the site (of the image) and the log-probabilities of its levels in nats, returns a level for each
            image.
        engine: see `create_stepper`.
        on_row: called after each row of a stage with the rows done (sites painted, in rows of the turned canvas) and
            the levels so far.
        known: sites to be kept.
        order: one of the model's orders; None for the usual one.
        threads: how many share the batch on `cpu`, if `choose` only draws from uniforms (`InverseCdfSampler`). None
            for as many as torch uses.
        outputs: filled with the network's outputs of the first `n` images at each site that is not known, row by row,
            before `on_row` is called. It alone is on the turned canvas.

    Raises:
        EngineError, CausalityError: as `create_stepper`.
    """
    engine, cores = resolve_engine(engine, model.device), torch.get_num_threads()
    order = model.order() if order is None else order
    condition = model.in_order(condition, order)
    rows, columns = order.raster_size(height, width)
    levels = torch.zeros(batch, model.image.channels, rows, columns, dtype=torch.int64)
    done = torch.zeros(rows, columns, dtype=torch.bool)
    if known is not None:
        done |= order.to_raster(known.mask)
        levels[:, :, done] = order.to_raster(known.levels)[:, :, done]
    report = None if on_row is None else (lambda: on_row(int(done.sum()) // columns, order.from_raster(levels)))
    chosen = lambda site, tables: choose(Site(*order.site(site.row, site.column, height, width), site.channel), tables)  # noqa: E731
    coarse: Tensor | None = None
    # what is computed for one site is far too small to share: with two threads, and another program busy beside it,
    # four 8x8 images took 0.64 s instead of 0.07 s
    with torch.inference_mode(), single_threaded():
        for stage in model.stages(rows, columns):
            if not stage.grid(done).all():
                told = _told(stage, coarse, condition)
                if engine in WHOLE_IMAGE_ENGINES and isinstance(choose, InverseCdfSampler):
                    sample_stage(
                        model, stage, told, choose, levels, done, order, engine, threads or cores, report, outputs
                    )
                else:
                    walker = create_stepper(model, told, batch, rows, columns, engine, stage=stage, order=order)
                    _walk(model, walker, chosen, ObservedPixels(levels, done), stage.step, order, report, outputs)
            coarse = model.canvas(stage.grid(levels).to(model.device))
    return order.from_raster(levels)


def _told(stage: Stage, coarse: Tensor | None, condition: Condition) -> Condition:
    """What a stage is told, made image by image: torch may round the same image otherwise in another batch."""
    if coarse is None:
        return stage.condition(coarse, condition)
    return Condition.concat([stage.condition(coarse[i : i + 1], condition.image(i)) for i in range(len(coarse))])


def _walk(
    model: PixelModel,
    engine: Stepper,
    choose: ChooseLevel,
    known: ObservedPixels,
    step: int,
    order: PixelOrder,
    report: Callable[[], None] | None,
    outputs: Float[Tensor, "n p h w"] | None,
) -> None:
    """One stage, on the turned canvas.

    Levels are chosen where they are not known, and known afterwards: `known` is changed in place, and so are `outputs`.
    """
    values = model.level_values().detach().cpu().numpy()
    height, width = known.mask.shape
    for row in range(0, height, step):
        for column in order.row(row, width)[::step]:
            if known.mask[row, column]:
                _keep(model, engine, values, known.levels[:, :, row, column])
            else:
                here = None if outputs is None else outputs[:, :, row, column]
                known.levels[:, :, row, column] = _choose_pixel(model, engine, values, choose, row, column, here)
                known.mask[row, column] = True
        if report is not None:
            report()


def _keep(model: PixelModel, engine: Stepper, values: np.ndarray, pixel: Int[Tensor, "b c"]) -> None:
    """Tell the engine a pixel that is known."""
    told = values[pixel.numpy()]  # [b, c, e]
    for part in [told.reshape(len(pixel), -1)] if model.likelihood.coupled else told.swapaxes(0, 1):
        engine.observe(part)


def _choose_pixel(
    model: PixelModel,
    engine: Stepper,
    values: np.ndarray,
    choose: ChooseLevel,
    row: int,
    column: int,
    outputs: Float[Tensor, "n p"] | None = None,
) -> Int[Tensor, "b c"]:
    """Ask, choose and tell, sub-pixel by sub-pixel; a likelihood that couples them is told the pixel at once."""
    likelihood = model.likelihood
    params = torch.from_numpy(engine.params())[:, :, None, None]
    pixel = torch.zeros(len(params), model.image.channels, 1, 1, dtype=torch.int64)
    for channel in range(model.image.channels):
        if channel and not likelihood.coupled:
            params = torch.from_numpy(engine.params())[:, :, None, None]
        if outputs is not None:
            share = slice(None) if likelihood.coupled else _share(likelihood.num_params, channel, model.image.channels)
            outputs[:, share] = params[: len(outputs), share, 0, 0]
        log_probs = likelihood.conditional(params, pixel, channel)[:, :, 0, 0]
        pixel[:, channel, 0, 0] = choose(Site(row, column, channel), log_probs)
        if not likelihood.coupled:
            engine.observe(values[pixel[:, channel, 0, 0].numpy()])
    if likelihood.coupled:
        engine.observe(values[pixel[:, :, 0, 0].numpy()].reshape(len(pixel), -1))
    return pixel[:, :, 0, 0]


def _share(numbers: int, channel: int, channels: int) -> slice:
    """Which of the outputs of a pixel belong to a channel."""
    return slice(channel * numbers // channels, (channel + 1) * numbers // channels)
