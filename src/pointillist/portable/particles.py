"""Particles of an integer model: weighted histories of one image, drawn stage by stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.engine.particles import CERTAIN, DRAWN, ParticleBatch
from pointillist.engine.program import IntArray
from pointillist.engine.sampler import draw_particles
from pointillist.images.ordering import PixelOrder
from pointillist.portable.model import IntegerModel
from pointillist.portable.stages import Inputs, IntegerStage, stage_inputs

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


def draw_particles_by_stages(
    model: IntegerModel,
    inputs: Inputs,
    batch: ParticleBatch,
    order: PixelOrder,
    transform: Transform = IDENTITY,
    *,
    mask: LevelMask | None = None,
    on_row: Callable[[int, IntArray], None] | None = None,
) -> None:
    """Draw the particles of an image, in place: levels, weights and evidence.

    They are resampled within the first stage, and before each later one, whose map each particle has for itself.

    Args:
        inputs: conditions of the image as integers; under guidance the conditions of the reference follow.
        batch: of the image in the raster frame. With several stages there is one number of particles in all rows.
        order, transform: as they are for samples.
        mask: levels that each sub-pixel may have; its draws are weighted.
        on_row: called with the number of pixels that are known, in rows of the image, and with the levels `[n c h w]`
            in the raster frame, where those that are not drawn yet are 0.

    Example:
        draw_particles_by_stages(model, inputs, batch, model.order())
        batch.log_evidence
    """
    programs, count = model.stage_programs(order), len(batch.levels)
    known, certain = np.zeros(batch.levels.shape[2:], bool), (batch.roles == CERTAIN).all(0)
    repeated = {name: np.repeat(array, count, 0) for name, array in inputs.items()}
    for number, stage in enumerate(model.stages):
        new, steps = ~stage.grid(known), stage.step
        if not new.any():
            continue
        first = not known.any()
        if not first:
            row, column = np.argwhere(new)[0] * steps
            _resample(batch, mask, int(row), int(column))
        if mask is not None:
            frames = (order.array_from_raster(array) for array in (batch.levels, known | certain))
            mask.begin_stage(order, steps, *frames)
        part = _part_of(batch, stage, new)
        draw_particles(
            programs[number],
            stage_inputs(model.stages, programs, number, batch.levels, inputs if first else repeated),
            part,
            transform,
            mask=mask,
            on_row=None if on_row is None else _report(batch, part, stage, known, on_row),
            executor=model.executor,
            resamples=first,
        )
        stage.grid(batch.levels)[...] = part.levels
        batch.weights = part.weights
        stage.grid(known)[...] = True


def _resample(batch: ParticleBatch, mask: LevelMask | None, row: int, column: int) -> None:
    """Draw the particles again before a pixel where their effective sample size is low; none has a state now."""
    ancestors = batch.resample(row, column)
    if ancestors is not None:
        batch.levels[...] = batch.levels[ancestors]
        if mask is not None:
            mask.select(ancestors)


def _part_of(batch: ParticleBatch, stage: IntegerStage, new: np.ndarray) -> ParticleBatch:
    """Return the particles on the grid of a stage: pixels of earlier stages are certain, and the evidence is shared."""
    rows = slice(None, None, stage.step[0])
    return ParticleBatch(
        levels=np.array(stage.grid(batch.levels), order="C"),
        roles=np.where(new, stage.grid(batch.roles), CERTAIN).astype(np.int8),
        counts=batch.counts[rows],
        uniforms=np.ascontiguousarray(stage.grid(batch.uniforms)),
        draws=np.concatenate([stage.grid(batch.draws[:, :-1]), batch.draws[rows, -1:]], axis=1),
        weights=batch.weights,
        marginal=batch.marginal,
    )


def _report(
    batch: ParticleBatch,
    part: ParticleBatch,
    stage: IntegerStage,
    known: np.ndarray,
    on_row: Callable[[int, IntArray], None],
) -> Callable[[int], None]:
    """Return what is called with the rows that a stage has finished."""
    shown, before = np.where(known | (batch.roles != DRAWN), batch.levels, 0), known.copy()

    def finished(rows: int) -> None:
        # the library draws on: later rows are not final
        stage.grid(shown)[:, :, :rows] = part.levels[:, :, :rows]
        stage.grid(before)[:rows] = True
        on_row(int(np.count_nonzero(before)) // before.shape[1], shown)

    return finished
