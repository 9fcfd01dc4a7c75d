"""Sequential Monte Carlo: complete images by any model, in any order.

Particles are histories that are drawn together in generation order. A known sub-pixel that they pass multiplies the
weight of each by its probability there. When the effective sample size falls below half, histories are drawn anew in
proportion to their weights (systematic resampling), and the engine copies their state. At the end as many completions
as wanted are drawn from the particles, and moved (`moves.py`).

References:
    Doucet, de Freitas & Gordon 2001, "Sequential Monte Carlo Methods in Practice".
    Carpenter, Clifford & Fearnhead 1999, "Improved particle filter for nonlinear problems" (systematic resampling).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.completion.moves import move_sub_pixels
from pointillist.completion.sequential import ConstrainedSampler, log_prob_maps
from pointillist.completion.task import CompletionTask, Draws, effective_sample_size, log_mean_exp
from pointillist.engine.program import IntArray
from pointillist.errors import ConfigError
from pointillist.model.pixel_model import inference_mode
from pointillist.sampling.api import UniformSampler, negative_inputs, seeded_uniforms
from pointillist.sampling.loop import ObservedPixels, Site, autoregressive_loop


@dataclass(frozen=True)
class Particles:
    """Weighted completions of one image.

    Attributes:
        levels: int64 `[n c h w]`.
        log_weights: logarithms of their weights, float64 `[n]`.
        log_evidence: unbiased estimate, before the logarithm, of the likelihood of what is known or allowed after the
            first unknown sub-pixel.
    """

    levels: Int[Tensor, "n c h w"]
    log_weights: Float[Tensor, " n"]
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
    parts = [_complete_group(task, number, rows, candidate) for number, rows in enumerate(groups)]
    maps = log_prob_maps(task.model, torch.cat([part.levels for part in parts]), task.inputs, task.order)
    started = torch.from_numpy(task.started)
    evidence = torch.tensor([part.log_evidence for part in parts], dtype=torch.float64)
    accepted = [part.acceptance for part in parts if part.acceptance is not None]
    return Draws(
        levels=torch.cat([part.levels for part in parts]),
        nats=maps[:, started].sum(1),
        whole_nats=maps.flatten(1).sum(1),
        log_weights=torch.zeros(count, dtype=torch.float64),
        log_evidence=evidence.expand(count) if len(evidence) == 1 else evidence,
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
    """Draw the completions of images that are alike."""
    particles = run_particles(task, number, rows.start, candidate)
    rng = np.random.default_rng([task.seed or 0, number, candidate, 2])
    count = len(task.levels[rows])
    chosen = particles.levels[torch.from_numpy(systematic_resampling(particles.log_weights, count, rng.random()))]
    ess, config = effective_sample_size(particles.log_weights), task.config
    acceptance = None
    # moves leave the model's own conditional unchanged, which is not that of other settings
    if task.moves and (config.guidance, config.temperature, config.top_p) == (1, 1, 1):
        chosen, acceptance = move_sub_pixels(task, chosen, task.inputs[rows], rng)
    return _Group(chosen, particles.log_evidence, ess, acceptance)


def run_particles(task: CompletionTask, number: int = 0, image: int = 0, candidate: int = 0) -> Particles:
    """Draw the particles of one image of a task.

    Args:
        number: number of the run, from which uniforms follow.
        image: index of the image.
        candidate: number of the candidate; see `best_of`.
    """
    model, count, (_, height, width) = task.model, task.particles, task.shape
    numbers = range(number * count, (number + 1) * count)
    uniforms = torch.from_numpy(seeded_uniforms(task.seed or 0, numbers, task.shape, candidate))
    inputs = task.inputs[np.full(count, image)]
    negative = negative_inputs(model, task.config.negative_prompt, len(task.levels), (height, width))
    reference = None if negative is None else negative[np.full(count, image)].with_evidence(inputs)
    sampler = UniformSampler(uniforms, task.config)
    batch = sampler.duplicate_for_guidance(inputs, reference)
    rng = np.random.default_rng([task.seed or 0, number, candidate, 1])
    particles = ParticleSampler(sampler, task, image, rng)
    before = torch.from_numpy((task.known & ~task.started).all(0))
    kept = ObservedPixels(task.levels[image].expand(len(batch), -1, -1, -1), before)
    with inference_mode(model):
        condition = model.encode(batch, len(batch))
        levels = autoregressive_loop(model, condition, particles, (len(batch), height, width), task.config, known=kept)
    log_weights = particles.log_weights
    return Particles(levels[:count], log_weights, particles.log_evidence + log_mean_exp(log_weights))


class ParticleSampler:
    """Draw the unknown sub-pixels of particles, weight them by the known ones, and resample (`ResamplingChooser`).

    Attributes:
        log_weights: logarithms of the weights since the last resampling, float64 `[n]`.
        log_evidence: logarithm of the product of the mean weights at each resampling.
    """

    def __init__(self, sampler: UniformSampler, task: CompletionTask, image: int, rng: np.random.Generator) -> None:
        count = len(sampler.uniforms)
        self.levels, self.known, self.started = task.levels[image], task.known, task.started
        self.constrained = ConstrainedSampler(sampler, self.levels.expand(count, -1, -1, -1), task.known, task.allowed)
        self.log_weights = torch.zeros(count, dtype=torch.float64)
        self.log_evidence = 0.0
        self._rng = rng

    def __call__(self, site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """Choose a level for each particle of the engine's batch."""
        index, count = (site.channel, site.row, site.column), len(self.log_weights)
        self.constrained.log_mass.zero_()
        chosen = self.constrained(site, log_probs)
        self.log_weights += self.constrained.log_mass
        if self.known[index] and self.started[index]:
            self.log_weights += log_probs[:count, int(self.levels[index])].double()
        return chosen

    def resample(self) -> IntArray | None:
        """Draw the particles anew where their effective sample size is below half."""
        count = len(self.log_weights)
        if effective_sample_size(self.log_weights) >= count / 2:
            return None
        self.log_evidence += log_mean_exp(self.log_weights)
        chosen = systematic_resampling(self.log_weights, count, self._rng.random())
        self.log_weights.zero_()
        return np.concatenate([chosen, chosen + count]) if self.constrained.sampler.guided else chosen


def systematic_resampling(log_weights: Float[Tensor, " n"], count: int, uniform: float) -> IntArray:
    """Draw indices in proportion to weights by one uniform: each occurs as often as expected, rounded up or down.

    Example:
        systematic_resampling(torch.zeros(3), 3, 0.5)  # [0, 1, 2]
    """
    cumulative = (log_weights - log_weights.max()).exp().cumsum(0).numpy()
    points = (np.arange(count) + uniform) / count * cumulative[-1]
    found: IntArray = np.minimum(np.searchsorted(cumulative, points, side="right"), len(cumulative) - 1)
    return found


def _all_alike(task: CompletionTask) -> bool:
    """Return True if all images have the same known pixels and conditions."""
    tensors = [task.levels, *(t for part in task.inputs.parts.values() for t in (part.values, part.known))]
    return all(torch.equal(t, t[:1].expand_as(t)) for t in tensors)
