"""Sequential Monte Carlo: complete images by any model, in any order.

Particles are histories that are drawn together in generation order. A known sub-pixel that they pass multiplies the
weight of each by its probability there. When the effective sample size falls below half, and something is still to be
drawn, histories are resampled in proportion to their weights, and the engine copies their state. At the end as many
completions as wanted are drawn from the particles, and moved (`moves.py`).

A level that is drawn just above a known row is judged only when the particles pass that row. So the same work is spent
where it counts: one particle before the hole, and `SHARE` times as many as elsewhere in the rows next to known pixels
that lie under unknown ones. Any number in any row leaves the estimates unbiased; the error of a row's particles is
proportional to its variance over its number.

References:
    Doucet, de Freitas & Gordon 2001, "Sequential Monte Carlo Methods in Practice".
    Lee & Whiteley 2018, "Variance estimation in the particle filter" (numbers of particles that differ in time).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pointillist.completion.moves import move_sub_pixels
from pointillist.completion.sequential import log_prob_maps
from pointillist.completion.task import CompletionTask, Drawn
from pointillist.engine.particles import (
    CERTAIN,
    DRAWN,
    WEIGHED,
    ParticleBatch,
    Scaled,
    check_particles,
    systematic_resampling,
)
from pointillist.engine.program import IntArray
from pointillist.errors import ConfigError
from pointillist.images.array_types import Int
from pointillist.model.folder.portable import ProgramModel
from pointillist.sampling.task import guided_inputs
from pointillist.sampling.uniforms import seeded_uniforms

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask

ABOVE, BELOW, SHARE = 3, 2, 8
"""Rows above and below the edge between unknown and known pixels that get `SHARE` times as many particles."""


@dataclass(frozen=True)
class Particles:
    """Weighted completions of one image.

    Attributes:
        levels: int64 `[n c h w]`.
        weights: of each.
        log_evidence: unbiased estimate, before the logarithm, of the likelihood of what is known or allowed after the
            first unknown sub-pixel.
    """

    levels: Int[np.ndarray, "n c h w"]
    weights: Scaled
    log_evidence: float


def complete_by_smc(task: CompletionTask, candidate: int = 0) -> Drawn:
    """Draw completions from particles: all from the same ones, or of each image from its own where images differ.

    Raises:
        ConfigError: if uniforms are given instead of a seed.
        EngineError: if the engine cannot be used.
    """
    if task.uniforms.array is not None:
        raise ConfigError("`uniforms` cannot be used with the method smc, which draws many histories: give a seed.")
    count = len(task.levels)
    groups = [slice(0, count)] if same_for_all(task) else [slice(i, i + 1) for i in range(count)]
    parts = [_complete_group(task, number, rows, candidate) for number, rows in enumerate(groups, task.uniforms.first)]
    levels = np.concatenate([part.levels for part in parts])
    maps = log_prob_maps(task.scorer, levels, task.inputs, task.order)
    if task.soft is not None:
        maps += np.log(np.take_along_axis(task.soft[None], np.moveaxis(levels, 1, 3), 3)).transpose(0, 3, 1, 2)
    log_norms = np.array([part.log_evidence for part in parts])
    accepted = [part.acceptance for part in parts if part.acceptance is not None]
    return Drawn(
        levels=levels,
        nats=maps[:, task.started].sum(1),
        whole_nats=maps.reshape(count, -1).sum(1),
        log_weights=np.zeros(count),
        log_evidence=np.broadcast_to(log_norms, count),
        ess=min(part.ess for part in parts),
        acceptance=sum(accepted) / len(accepted) if accepted else None,
    )


@dataclass(frozen=True)
class _Group:
    levels: Int[np.ndarray, "n c h w"]
    log_evidence: float
    ess: float
    acceptance: float | None


def _complete_group(task: CompletionTask, number: int, rows: slice, candidate: int) -> _Group:
    """Draw the completions of equal images."""
    particles = run_particles(task, number, rows.start, candidate)
    rng = np.random.default_rng([task.seed, number, candidate, 2])
    count, weights, config = len(task.levels[rows]), particles.weights, task.config
    chosen = particles.levels[systematic_resampling(weights.relative(), count, rng.random())]
    acceptance = None
    # moves leave the model's own conditional unchanged, which differs under other settings and by soft data
    if task.moves and config.transform.is_identity and task.soft is None:
        chosen, acceptance = move_sub_pixels(task, chosen, task.inputs[rows], rng)
    return _Group(chosen, particles.log_evidence, weights.effective_size(), acceptance)


def run_particles(task: CompletionTask, number: int = 0, image: int = 0, candidate: int = 0) -> Particles:
    """Draw the particles of one image of a task.

    Args:
        number: number of the run, from which uniforms follow.
        image: index of the image.
        candidate: number of the candidate; see `best_of`.
    """
    batch = _particle_batch(task, number, image, candidate)
    count = len(batch.levels)
    mask = None if task.mask is None else task.mask.known(task.levels[image], task.known).repeat(count)
    if isinstance(task.scorer, ProgramModel):
        levels = _draw_by_program(task.scorer, task, image, batch, mask)
    else:
        from pointillist.completion.float_particles import draw_particles_by_loop

        levels = draw_particles_by_loop(task, image, batch, mask)
    _check_alive(task, batch, mask)
    return Particles(levels[: len(batch.weights)], batch.weights, batch.log_evidence)


def _draw_by_program(
    scorer: ProgramModel, task: CompletionTask, image: int, batch: ParticleBatch, mask: LevelMask | None
) -> Int[np.ndarray, "n c h w"]:
    """Draw the particles of an image by the integer program of the model, in place; return their levels."""
    inputs, transform = guided_inputs(scorer, task.task(np.array([image])))
    return scorer.integers.draw_particles(batch, inputs, task.order, transform, mask=mask, on_row=task.on_row)


def _check_alive(task: CompletionTask, batch: ParticleBatch, mask: LevelMask | None) -> None:
    """Check that a particle obeys the rules, and has levels of a probability above 0.

    Raises:
        ConfigError: if none does.
    """
    if batch.weights.mantissas.any():
        return
    if task.soft is not None:
        raise ConfigError("No particle has a level that `soft` allows: raise `particles`, or give no probability of 0.")
    if mask is not None:
        reasons = " and ".join(sorted({*mask.reasons} - {""})) or "of neighbours"
        raise ConfigError(f"No particle obeys the rules ({reasons}): raise `particles` (={len(batch.levels)}).")


def _particle_batch(task: CompletionTask, number: int, image: int, candidate: int) -> ParticleBatch:
    """Prepare the particles of one image, in the raster frame."""
    order = task.order
    roles = np.where(task.known, np.where(task.weighed, WEIGHED, CERTAIN), DRAWN).astype(np.int8)
    roles = np.ascontiguousarray(order.array_to_raster(roles))
    flat = task.allowed is not None or task.soft is not None or task.model.stage_count(*task.shape[1:]) > 1
    particles = task.particles if task.soft is None else max(task.particles, len(task.levels))
    counts = np.full(roles.shape[1], particles) if flat else particles_by_row(particles, roles)
    most = int(counts.max())
    check_particles(most, roles.size, task.particles)
    uniforms = seeded_uniforms(task.seed, range(number * most, (number + 1) * most), task.shape, candidate)
    rng = np.random.default_rng([task.seed, number, candidate, 1])
    levels = order.array_to_raster(np.broadcast_to(task.levels[image], (most, *task.shape)))
    soft = task.soft
    if soft is not None:
        soft = np.ascontiguousarray(np.moveaxis(order.array_to_raster(np.moveaxis(soft, 2, 0)), 0, 2))
    return ParticleBatch(
        levels=np.array(levels, np.int64, order="C"),
        roles=roles,
        counts=counts,
        uniforms=np.ascontiguousarray(order.array_to_raster(uniforms)),
        draws=rng.random((roles.shape[1], roles.shape[2] + 1)),
        factors=soft,
    )


def particles_by_row(particles: int, roles: np.ndarray) -> IntArray:
    """Share the work of so many particles in every row out to the rows of an image, `[h]`.

    Args:
        particles: mean number in a row.
        roles: of each sub-pixel in the raster frame, `[c h w]`; see `ParticleBatch`.

    Example:
        particles_by_row(64, roles)  # one before the hole, most of them at its lower edge
    """
    drawn = (roles == DRAWN).any(0)
    rows = np.arange(len(drawn))
    share = np.ones(len(drawn))
    for row in np.flatnonzero((drawn[:-1] & ~drawn[1:]).any(1)) + 1:
        share[(rows >= row - ABOVE) & (rows < row + BELOW)] = SHARE
    share[: int(drawn.any(1).argmax())] = 0
    counts: IntArray = np.maximum(particles * len(drawn) * share / share.sum(), 1).astype(np.int64)
    return counts


def same_for_all(task: CompletionTask) -> bool:
    """Return True if all images have the same known pixels and conditions.

    Example:
        same_for_all(task)  # one set of particles then serves all completions
    """
    arrays = [task.levels, *(array for part in task.inputs.parts.values() for array in (part.values, part.known))]
    return all(bool((array == array[:1]).all()) for array in arrays)
