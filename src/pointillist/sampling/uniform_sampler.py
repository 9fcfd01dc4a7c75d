"""Draw levels by inverse CDF from given uniforms, within a mask where there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.conditioning import ConditionInputs
from pointillist.distributions.sampling_transforms import apply_guidance, sample_level
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.loop import Site

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


class UniformSampler:
    """Draw a level for every image at a pixel position, and add up its log-likelihood under the model.

    Attributes:
        uniforms: numbers in [0, 1), `[n c h w]`.
        nats: log-likelihood of each image at guidance 1 and temperature 1, in nats, float64 `[n]`.
        passes: computations of a row of the batch by engine `jacobi`; 0 for the others.
        guided: whether the engine's batch holds every image twice, conditional and then the reference of guidance.
        mask: levels that each sub-pixel may have; None for all.
    """

    def __init__(
        self, uniforms: Float[Tensor, "n c h w"], config: SamplingConfig | None = None, mask: LevelMask | None = None
    ) -> None:
        self.uniforms, self.mask = uniforms, mask
        self.config = config or SamplingConfig()
        self.guidance, self.temperature, self.top_p = self.config.guidance, self.config.temperature, self.config.top_p
        self.nats = torch.zeros(len(uniforms), dtype=torch.float64)
        self.passes = 0
        self.guided = False

    def duplicate_for_guidance(
        self, inputs: ConditionInputs, negative: ConditionInputs | None = None
    ) -> ConditionInputs:
        """Return the inputs of the engine's batch: under guidance, every image twice.

        The second time it is unconditional, or conditioned on `negative`. Both copies see the same levels. Call it
        before the first pixel.
        """
        reference = inputs.unconditional() if negative is None else negative
        self.guided = self.guidance != 1.0 and (inputs.is_conditional or reference.is_conditional)
        return ConditionInputs.concat([inputs, reference]) if self.guided else inputs

    def __call__(self, site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """Choose levels `[b]` for the engine's batch: those of the images, and under guidance the same once more.

        Where there is a mask, the distribution is renormalised over the levels that it allows.
        """
        uniforms = self.uniforms[:, site.channel, site.row, site.column]
        if self.mask is None:
            levels, nats = sample_level(
                log_probs, uniforms, self.guidance, self.temperature, self.top_p, guided=self.guided
            )
        else:
            levels, nats = self._draw_in_mask(self.mask, site, log_probs, uniforms)
        self.nats += nats
        return levels.repeat(2) if self.guided else levels

    def _draw_in_mask(
        self, mask: LevelMask, site: Site, log_probs: Float[Tensor, "b k"], uniforms: Float[Tensor, " n"]
    ) -> tuple[Int[Tensor, " n"], Float[Tensor, " n"]]:
        count = len(uniforms)
        own = log_probs[:count]
        guided = apply_guidance(own, log_probs[count:], self.guidance) if self.guided else own
        tables = [t.double().cpu().numpy() for t in (own, guided)]
        transform = np.array([self.guidance, self.temperature, self.top_p])
        u = np.ascontiguousarray(uniforms.double().numpy())
        levels = torch.from_numpy(mask.draw(site.channel, (site.row, site.column), tables[0], tables[1], u, transform))
        return levels, own.cpu().gather(1, levels[:, None])[:, 0].double()
