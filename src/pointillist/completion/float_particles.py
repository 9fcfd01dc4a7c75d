"""Draw particles in floating point, by the steps of any engine of torch or numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pointillist.completion.task import CompletionTask
from pointillist.engine.particles import ParticleBatch
from pointillist.engine.program import IntArray
from pointillist.engine.weights import inference_mode
from pointillist.images.array_types import Float, Int
from pointillist.sampling.loop import ObservedPixels, autoregressive_loop
from pointillist.sampling.state import Site, UniformSampler

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


def draw_particles_by_loop(
    task: CompletionTask, image: int, batch: ParticleBatch, mask: LevelMask | None
) -> Int[np.ndarray, "n c h w"]:
    model: Any = task.model
    (_, height, width), count = task.shape, len(batch.levels)
    uniforms = task.order.from_raster(torch.from_numpy(batch.uniforms))
    levels = torch.from_numpy(np.array(task.levels[image]))
    sampler = ParticleSampler(uniforms, mask, task, levels, batch)
    copies = np.full(count, image)
    both = sampler.duplicate_for_guidance(task.inputs[copies], task.negative(copies))
    before = torch.from_numpy((task.known & ~task.weighed).all(0))
    observed = ObservedPixels(levels.expand(len(both), -1, -1, -1), before)
    shape = (len(both), height, width)
    with inference_mode(model):
        condition = model.encode(both, len(both))
        drawn = autoregressive_loop(model, condition, sampler, shape, task.config, known=observed, on_row=task.on_row)
    batch.drop_dead(mask)
    return drawn.numpy()


class ParticleSampler(UniformSampler):
    """Draw the unknown sub-pixels of particles, weigh them by the known ones, and resample.

    It does for any engine what `engine.sampler` does in integers. Particles beyond those in use are copies.
    """

    def __init__(
        self, uniforms: Tensor, mask: LevelMask | None, task: CompletionTask, levels: Tensor, batch: ParticleBatch
    ) -> None:
        known = levels.expand(len(batch.levels), -1, -1, -1), task.known
        super().__init__(uniforms, task.config.transform, mask, known)
        self._levels, self._weighed, self._soft, self._batch = levels, task.weighed, task.soft, batch

    def __call__(self, site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """Choose a level for each particle of the engine's batch."""
        index, weights = (site.channel, site.row, site.column), self._batch.weights
        chosen = super().__call__(site, log_probs)
        if self.mask is not None:
            weights.multiply_scaled(self.mask.take_mass()[: len(weights)])
        if self._weighed[index]:
            weights.multiply_exp(log_probs[: len(weights), int(self._levels[index])].double().cpu().numpy())
        if self._soft is not None:
            weights.multiply(self._soft[site.row, site.column, chosen[: len(weights)].numpy()])
        return chosen

    def resample(self, row: int, column: int) -> IntArray | None:
        """Resample before a pixel of the raster frame if the effective sample size is low."""
        chosen = self._batch.select(row, column, self.mask)
        if chosen is None or not self.transform.is_guided:
            return chosen
        return np.concatenate([chosen, chosen + len(chosen)])
