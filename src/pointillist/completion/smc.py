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
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.completion.moves import move_sub_pixels
from pointillist.completion.sequential import ConstrainedSampler, log_prob_maps
from pointillist.completion.task import CompletionTask, Draws
from pointillist.conditioning import ConditionInputs
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
from pointillist.engine.sampler import draw_particles
from pointillist.errors import ConfigError
from pointillist.model.pixel_model import inference_mode
from pointillist.sampling.loop import ObservedPixels, Site, UniformSampler, autoregressive_loop
from pointillist.sampling.pixel import negative_inputs
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

    levels: Int[Tensor, "n c h w"]
    weights: Scaled
    log_evidence: float


def complete_by_smc(task: CompletionTask, candidate: int = 0) -> Draws:
    """Draw completions from particles: all from the same ones, or of each image from its own where images differ.

    Raises:
        ConfigError: if uniforms are given instead of a seed.
        EngineError: if the engine cannot be used.
    """
    if task.uniforms is not None:
        raise ConfigError("`uniforms` cannot be used with the method smc, which draws many histories: give a seed.")
    count = len(task.levels)
    groups = [slice(0, count)] if _all_alike(task) else [slice(i, i + 1) for i in range(count)]
    parts = [_complete_group(task, number, rows, candidate) for number, rows in enumerate(groups, task.first)]
    levels = torch.cat([part.levels for part in parts])
    maps = log_prob_maps(task.model, levels, task.inputs, task.order, task.config.engine)
    started = torch.from_numpy(task.started)
    log_evidence = torch.tensor([part.log_evidence for part in parts], dtype=torch.float64)
    accepted = [part.acceptance for part in parts if part.acceptance is not None]
    return Draws(
        levels=levels,
        nats=maps[:, started].sum(1),
        whole_nats=maps.flatten(1).sum(1),
        log_weights=torch.zeros(count, dtype=torch.float64),
        log_evidence=log_evidence.expand(count) if len(log_evidence) == 1 else log_evidence,
        ess=min(part.ess for part in parts),
        acceptance=sum(accepted) / len(accepted) if accepted else None,
    )


@dataclass(frozen=True)
class _Group:
    levels: Int[Tensor, "n c h w"]
    log_evidence: float
    ess: float
    acceptance: float | None


def _complete_group(task: CompletionTask, number: int, rows: slice, candidate: int) -> _Group:
    """Draw the completions of equal images."""
    particles = run_particles(task, number, rows.start, candidate)
    rng = np.random.default_rng([task.seed or 0, number, candidate, 2])
    count, weights, config = len(task.levels[rows]), particles.weights, task.config
    chosen = particles.levels[torch.from_numpy(systematic_resampling(weights.relative(), count, rng.random()))]
    acceptance = None
    # moves leave the model's own conditional unchanged, which is not that of other settings
    if task.moves and config.transform.is_identity:
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
    mask = None if task.mask is None else task.mask.known(task.levels[image].numpy(), task.known).repeat(count)
    with inference_mode(task.model):
        if task.config.engine == "integer" and not _has_stages(task):
            levels = _draw_integers(task, image, batch, mask)
        else:
            levels = _draw_by_loop(task, image, batch, mask)
    _check_alive(task, batch, mask)
    return Particles(levels[: len(batch.weights)], batch.weights, batch.log_evidence)


def _has_stages(task: CompletionTask) -> bool:
    _, height, width = task.shape
    return len(task.model.stages(*task.order.raster_size(height, width))) > 1


def _draw_integers(
    task: CompletionTask, image: int, batch: ParticleBatch, mask: LevelMask | None
) -> Int[Tensor, "n c h w"]:
    """Draw the particles of an image by the integer program of the model, in place; return their levels."""
    model, order, (_, height, width) = task.model, task.order, task.shape
    inputs = task.inputs[np.array([image])]
    sampler = UniformSampler(torch.zeros(1, *task.shape), task.config.transform)
    both = sampler.duplicate_for_guidance(inputs, _reference(task, image, 1))
    integers = model.integer_model((height, width))
    if mask is not None:
        levels = np.repeat(task.levels[image : image + 1].numpy(), len(batch.levels), 0)
        before = (task.known & ~task.started).all(0)
        mask.begin_stage(order, (1, 1), levels, before)

    def finished(rows: int) -> None:
        if task.on_row is not None:
            task.on_row(rows, order.from_raster(torch.from_numpy(batch.levels)))

    draw_particles(
        integers.integers.program(order),
        integers.inputs(both, len(both), (height, width), order),
        batch,
        sampler.transform,
        mask=mask,
        on_row=finished,
        executor=integers.integers.executor,
    )
    return order.from_raster(torch.from_numpy(batch.levels))


def _draw_by_loop(
    task: CompletionTask, image: int, batch: ParticleBatch, mask: LevelMask | None
) -> Int[Tensor, "n c h w"]:
    """Draw the particles of an image by the steps of any engine; return their levels."""
    model, (_, height, width), count = task.model, task.shape, len(batch.levels)
    uniforms = task.order.from_raster(torch.from_numpy(batch.uniforms))
    sampler = UniformSampler(uniforms, task.config.transform, mask)
    both = sampler.duplicate_for_guidance(task.inputs[np.full(count, image)], _reference(task, image, count))
    condition = model.scorer(task.config.engine).encode(both, len(both))
    before = torch.from_numpy((task.known & ~task.started).all(0))
    kept = ObservedPixels(task.levels[image].expand(len(both), -1, -1, -1), before)
    chooser, shape = ParticleSampler(sampler, task, image, batch), (len(both), height, width)
    levels = autoregressive_loop(model, condition, chooser, shape, task.config, known=kept, on_row=task.on_row)
    chooser.drop_dead()
    return levels


def _reference(task: CompletionTask, image: int, count: int) -> ConditionInputs | None:
    """Return the negative prompts of an image, `count` times; None for none."""
    negative = negative_inputs(task.model, task.config.negative_prompt, len(task.levels), task.shape[1:])
    return None if negative is None else negative[np.full(count, image)]


def _check_alive(task: CompletionTask, batch: ParticleBatch, mask: LevelMask | None) -> None:
    """Check that a particle obeys the rules.

    Raises:
        ConfigError: if none does.
    """
    if mask is not None and not batch.weights.mantissas.any():
        reasons = " and ".join(sorted({*mask.reasons} - {""})) or "of neighbours"
        raise ConfigError(f"No particle obeys the rules ({reasons}): raise `particles` (={len(batch.levels)}).")


def _particle_batch(task: CompletionTask, number: int, image: int, candidate: int) -> ParticleBatch:
    """Prepare the particles of one image, in the raster frame."""
    order = task.order
    roles = np.where(task.known, np.where(task.started, WEIGHED, CERTAIN), DRAWN).astype(np.int8)
    roles = np.ascontiguousarray(order.to_raster(torch.from_numpy(roles)).numpy())
    flat = task.allowed is not None or len(task.model.stages(*roles.shape[1:])) > 1
    counts = np.full(roles.shape[1], task.particles) if flat else particles_by_row(task.particles, roles)
    most = int(counts.max())
    check_particles(most, roles.size, task.particles)
    uniforms = seeded_uniforms(task.seed or 0, range(number * most, (number + 1) * most), task.shape, candidate)
    rng = np.random.default_rng([task.seed or 0, number, candidate, 1])
    levels = order.to_raster(task.levels[image].expand(most, -1, -1, -1))
    return ParticleBatch(
        levels=levels.numpy().copy(order="C"),
        roles=roles,
        counts=counts,
        uniforms=np.ascontiguousarray(order.to_raster(torch.from_numpy(uniforms)).numpy()),
        draws=rng.random((roles.shape[1], roles.shape[2] + 1)),
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


class ParticleSampler:
    """Draw the unknown sub-pixels of particles, weigh them by the known ones, and resample (`ResamplingChooser`).

    It does for any engine what `engine.sampler` does in integers. Particles beyond those in use are copies.
    """

    def __init__(self, sampler: UniformSampler, task: CompletionTask, image: int, batch: ParticleBatch) -> None:
        slots = len(batch.levels)
        self.levels, self.known, self.started = task.levels[image], task.known, task.started
        self.constrained = ConstrainedSampler(sampler, self.levels.expand(slots, -1, -1, -1), task.known)
        self.mask, self.nats = sampler.mask, sampler.nats
        self.batch, self._slots = batch, slots

    def __call__(self, site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """Choose a level for each particle of the engine's batch."""
        index, weights = (site.channel, site.row, site.column), self.batch.weights
        chosen = self.constrained(site, log_probs)
        if self.mask is not None:
            weights.multiply_scaled(self.mask.take_mass()[: len(weights)])
        if self.known[index] and self.started[index]:
            weights.multiply_exp(log_probs[: len(weights), int(self.levels[index])].double().cpu().numpy())
        return chosen

    def resample(self, row: int, column: int) -> IntArray | None:
        """Resample before a pixel of the raster frame if the effective sample size is low."""
        batch = self.batch
        self.drop_dead()
        if batch.counts[row] != len(batch.weights):
            result: IntArray | None = batch.regroup(row)
        elif (batch.roles[:, row, column] == DRAWN).any():
            result = batch.resample(row, column)
        else:
            result = None
        if result is None:
            return None
        chosen = np.resize(result, self._slots)
        if self.mask is not None:
            self.mask.select(chosen)
        return (
            np.concatenate([chosen, chosen + self._slots]) if self.constrained.sampler.transform.is_guided else chosen
        )

    def drop_dead(self) -> None:
        """Give no weight to particles that break a rule or have come to a dead end."""
        if self.mask is not None:
            weights = self.batch.weights
            weights.mantissas[self.mask.status[: len(weights)] != 0] = 0


def _all_alike(task: CompletionTask) -> bool:
    """Return True if all images have the same known pixels and conditions."""
    tensors = [task.levels, *(t for part in task.inputs.parts.values() for t in (part.values, part.known))]
    return all(torch.equal(t, t[:1].expand_as(t)) for t in tensors)
