"""Draw particles in floating point, by the steps of any engine of torch or numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from pointillist.engine.particles import ParticleBatch
from pointillist.engine.program import IntArray
from pointillist.engine.weights import inference_mode
from pointillist.images.array_types import Float, Int
from pointillist.sampling.draws import Draws
from pointillist.sampling.engines import Site, UniformSampler
from pointillist.sampling.loop import ObservedPixels, autoregressive_loop

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


def draw_particles_by_loop(
    draws: Draws, image: int, batch: ParticleBatch, mask: LevelMask | None
) -> Int[np.ndarray, "n c h w"]:
    model: Any = draws.model
    (height, width), count = draws.size, len(batch.levels)
    uniforms = draws.order.from_raster(torch.from_numpy(batch.uniforms))
    levels = torch.from_numpy(np.array(draws.levels[image]))
    sampler = ParticleSampler(uniforms, mask, draws, levels, batch)
    part, copies = draws.part(np.array([image])), np.zeros(count, np.int64)
    reference = part.reference
    both = sampler.duplicate_for_guidance(part.inputs[copies], None if reference is None else reference[copies])
    before = torch.from_numpy((draws.known & ~draws.weighed).all(0))
    observed = ObservedPixels(levels.expand(len(both), -1, -1, -1), before)
    shape = (len(both), height, width)
    with inference_mode(model):
        condition = model.encode(both, len(both))
        drawn = autoregressive_loop(model, condition, sampler, shape, draws.config, known=observed, on_row=draws.on_row)
    batch.drop_dead(mask)
    return drawn.numpy()


class ParticleSampler(UniformSampler):
    """Draw the unknown sub-pixels of particles, weigh them by the known ones, and resample.

    It does for any engine what `engine.sampler` does in integers. Particles beyond those in use are copies.
    """

    def __init__(
        self, uniforms: Tensor, mask: LevelMask | None, draws: Draws, levels: Tensor, batch: ParticleBatch
    ) -> None:
        known = levels.expand(len(batch.levels), -1, -1, -1), draws.known
        super().__init__(uniforms, draws.config.transform, mask, known)
        self._levels, self._weighed, self._soft, self._batch = levels, draws.weighed, draws.soft, batch

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
