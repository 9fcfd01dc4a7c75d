"""Draw levels by inverse CDF from given uniforms, within a mask where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.conditioning import ConditionInputs
from pointillist.distributions.sampling_transforms import sample_level
from pointillist.distributions.transform import IDENTITY, Transform
from pointillist.sampling.loop import Site

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


class UniformSampler:
    """Draw a level for every image at a pixel position, and add up its log-likelihood under the model.

    Attributes:
        uniforms: numbers in [0, 1), `[n c h w]`.
        nats: log-likelihood of each image at guidance 1 and temperature 1, in nats, float64 `[n]`.
        passes: computations of a row of the batch by engine `jacobi`; 0 for the others.
        transform: guidance, temperature and top-p. Under guidance the engine's batch holds every image twice,
            conditional and then the reference of guidance.
        mask: levels that each sub-pixel may have; None for all.
    """

    def __init__(
        self, uniforms: Float[Tensor, "n c h w"], transform: Transform = IDENTITY, mask: LevelMask | None = None
    ) -> None:
        self.uniforms, self.transform, self.mask = uniforms, transform, mask
        self.nats = torch.zeros(len(uniforms), dtype=torch.float64)
        self.passes = 0

    def duplicate_for_guidance(
        self, inputs: ConditionInputs, negative: ConditionInputs | None = None
    ) -> ConditionInputs:
        """Return the inputs of the engine's batch: under guidance, every image twice.

        The second time it is unconditional, or conditioned on `negative`. Both copies see the same levels. Images
        without conditions are drawn without guidance. Call it before the first pixel.
        """
        reference = inputs.unconditional() if negative is None else negative
        if not (inputs.is_conditional or reference.is_conditional):
            self.transform = self.transform.unguided()
        return ConditionInputs.concat([inputs, reference]) if self.transform.is_guided else inputs

    def __call__(self, site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """Choose levels `[b]` for the engine's batch: those of the images, and under guidance the same once more.

        Where there is a mask, the distribution is renormalised over the levels that it allows.
        """
        uniforms = self.uniforms[:, site.channel, site.row, site.column]
        if self.mask is None:
            levels, nats = sample_level(log_probs, uniforms, self.transform)
        else:
            levels, nats = self._draw_in_mask(self.mask, site, log_probs, uniforms)
        self.nats += nats
        return levels.repeat(1 + self.transform.is_guided)

    def _draw_in_mask(
        self, mask: LevelMask, site: Site, log_probs: Float[Tensor, "b k"], uniforms: Float[Tensor, " n"]
    ) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
        tables, u = log_probs.double().cpu().numpy(), np.ascontiguousarray(uniforms.double().numpy())
        place = site.row * self.uniforms.shape[3] + site.column
        levels = torch.from_numpy(mask.draw(site.channel, place, tables, u, self.transform))
        return levels, log_probs[: len(levels)].cpu().gather(1, levels[:, None])[:, 0].double()
