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

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from pointillist.completion.moves import move_sub_pixels
from pointillist.completion.result import Completions
from pointillist.completion.sequential import completions, log_prob_maps
from pointillist.engine.particles import CERTAIN, DRAWN, WEIGHED, ParticleBatch, systematic_resampling
from pointillist.engine.program import IntArray
from pointillist.errors import ConfigError, counted
from pointillist.images.array_types import Float, Int
from pointillist.images.pictures import sum_images
from pointillist.model.portable import ProgramModel
from pointillist.sampling.draws import Draws, guided_inputs
from pointillist.sampling.uniforms import seeded_uniforms
from pointillist.system import check_memory

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask

ABOVE, BELOW, SHARE = 3, 2, 8
"""Rows above and below the edge between unknown and known pixels that get `SHARE` times as many particles."""
_BYTES_PER_LEVEL = 48  # a level, its uniform, their copies in the raster frame, and what resampling gathers


def complete_by_smc(draws: Draws, candidate: int = 0) -> tuple[Completions, Float[np.ndarray, " n"]]:
    """Draw completions from particles: all from the same ones, or of each image from its own where images differ.

    Returns:
        as `complete_sequentially`.
    """
    count = draws.count
    groups = [slice(0, count)] if same_for_all(draws) else [slice(i, i + 1) for i in range(count)]
    parts = [
        _complete_group(draws, number, rows, candidate) for number, rows in enumerate(groups, draws.uniforms.first)
    ]
    images, log_evidence, sizes, accepted = zip(*parts, strict=True)
    levels = np.concatenate(images)
    maps = log_prob_maps(draws, levels)
    if draws.soft is not None:
        maps += np.log(np.take_along_axis(draws.soft[None], np.moveaxis(levels, 1, 3), 3)).transpose(0, 3, 1, 2)
    moved = [share for share in accepted if share is not None]
    out = completions(
        draws,
        levels,
        sum_images(maps),
        log_weights=np.zeros(count),
        ess=min(sizes),
        acceptance=sum(moved) / len(moved) if moved else None,
    )
    return out, sum_images(np.where(draws.started, 0.0, maps)) + np.array(log_evidence)


def _complete_group(
    draws: Draws, number: int, rows: slice, candidate: int
) -> tuple[Int[np.ndarray, "n c h w"], float, float, float | None]:
    """Draw the completions of equal images; return them, the log-evidence, the sample size and the share of moves."""
    particles = run_particles(draws, number, rows.start, candidate)
    rng = np.random.default_rng([draws.uniforms.seed or 0, number, candidate, 2])
    count, weights, acceptance = len(draws.levels[rows]), particles.weights, None
    chosen = particles.levels[systematic_resampling(weights.relative(), count, rng.random())]
    # moves leave the model's own conditional unchanged, which differs under other settings and by soft data
    if draws.request.moves and draws.config.transform.is_identity and draws.soft is None:
        chosen, acceptance = move_sub_pixels(draws, chosen, draws.inputs[rows], rng)
    return chosen, particles.log_evidence, weights.effective_size(), acceptance


def run_particles(draws: Draws, number: int = 0, image: int = 0, candidate: int = 0) -> ParticleBatch:
    """Draw the particles of one image; return those in use at its end, with levels in the orientation of the image.

    Args:
        number: number of the run, from which uniforms follow.
        image: index of the image.
        candidate: number of the candidate; see `best_of`.
    """
    batch = _particle_batch(draws, number, image, candidate)
    count = len(batch.levels)
    mask = None if draws.mask is None else draws.mask.known(draws.levels[image], draws.known).repeat(count)
    if isinstance(draws.scorer, ProgramModel):
        inputs, transform = guided_inputs(draws.scorer, draws.part(np.array([image])))
        levels = draws.scorer.draw_particles(batch, inputs, draws.order, transform, mask=mask, on_row=draws.on_row)
    else:
        from pointillist.completion.float_particles import draw_particles_by_loop

        levels = draw_particles_by_loop(draws, image, batch, mask)
    _check_alive(draws, batch, mask)
    return replace(batch, levels=levels[: len(batch.weights)])


def _check_alive(draws: Draws, batch: ParticleBatch, mask: LevelMask | None) -> None:
    """Check that a particle obeys the rules, and has levels of a probability above 0.

    Raises:
        ConfigError: if none does.
    """
    if batch.weights.mantissas.any():
        return
    if draws.soft is not None:
        raise ConfigError("No particle has a level that `soft` allows: raise `particles`, or give no probability of 0.")
    if mask is not None:
        reasons = " and ".join(sorted({*mask.reasons} - {""})) or "of neighbours"
        raise ConfigError(f"No particle obeys the rules ({reasons}): raise `particles` (={len(batch.levels)}).")


def _particle_batch(draws: Draws, number: int, image: int, candidate: int) -> ParticleBatch:
    """Prepare the particles of one image, in the raster frame."""
    order = draws.order
    roles = np.where(draws.known, np.where(draws.weighed, WEIGHED, CERTAIN), DRAWN).astype(np.int8)
    roles = np.ascontiguousarray(order.array_to_raster(roles))
    flat = draws.allowed is not None or draws.soft is not None or draws.model.stage_count(*draws.size) > 1
    particles = draws.request.particles if draws.soft is None else max(draws.request.particles, len(draws.levels))
    counts = np.full(roles.shape[1], particles) if flat else particles_by_row(particles, roles)
    most, seed, shape = int(counts.max()), draws.uniforms.seed or 0, draws.known.shape
    what = f"{counted(most, 'particle')} of {roles.size:,} levels (`particles` (={draws.request.particles}))"
    check_memory(most * roles.size * _BYTES_PER_LEVEL, what, "take fewer, or use the method sequential")
    uniforms = seeded_uniforms(seed, range(number * most, (number + 1) * most), shape, candidate)
    rng = np.random.default_rng([seed, number, candidate, 1])
    levels = order.array_to_raster(np.broadcast_to(draws.levels[image], (most, *shape)))
    soft = draws.soft
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


def same_for_all(draws: Draws) -> bool:
    """Return True if all images have the same known pixels and conditions.

    Example:
        same_for_all(draws)  # one set of particles then serves all completions
    """
    arrays = [draws.levels, *(array for part in draws.inputs.parts.values() for array in (part.values, part.known))]
    return all(bool((array == array[:1]).all()) for array in arrays)
