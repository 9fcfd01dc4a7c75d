"""Sample a pixel model with torch: by the loop, and by the engines that sample whole images."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from pointillist.conditioning.inputs import ConditionInputs
from pointillist.distributions.sampling_transforms import apply_guidance, apply_temperature_top_p
from pointillist.engine.constraints.masks import LevelMask
from pointillist.engine.weights import inference_mode
from pointillist.images.array_types import Float, Int
from pointillist.model.batches import check_likelihood
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.config import OnRow, SamplingConfig
from pointillist.sampling.engines import Site, UniformSampler, encode_each
from pointillist.sampling.loop import ObservedPixels, autoregressive_loop
from pointillist.sampling.masks import Known
from pointillist.sampling.uniforms import UniformIntervals

GuidedInputs = tuple[ConditionInputs, ConditionInputs | None]
"""Conditions of images, and negative prompts as conditions; None without."""


def draw_by_loop(
    model: PixelModel,
    uniforms: Float[np.ndarray, "n c h w"],
    inputs: GuidedInputs,
    config: SamplingConfig,
    *,
    observed: Known | None,
    mask: LevelMask | None,
    on_row: OnRow | None,
    outputs: Float[np.ndarray, "n h2 w2 p"] | None,
) -> tuple[Int[np.ndarray, "n c h w"], Float[np.ndarray, " n"]]:
    """Draw images in floating point; see `Draws`. Return their levels, and their log-likelihood in nats.

    Raises:
        CheckpointError: if a likelihood is not a number.
    """
    sampler = UniformSampler(torch.from_numpy(uniforms), config.transform, mask)
    batch, pixels = sampler.duplicate_for_guidance(*inputs), None
    if observed is not None:
        levels, known = torch.from_numpy(np.array(observed[0])), observed[1]
        # pixels that are known in all channels cost nothing; the sampler keeps known channels of the others
        whole = known.all(0)
        pixels = ObservedPixels(levels.repeat(len(batch) // len(levels), 1, 1, 1), torch.from_numpy(whole))
        if (known != whole).any():  # an engine samples whole images for a plain sampler
            sampler.known = levels, known
    filled = None if outputs is None else torch.from_numpy(outputs).movedim(-1, 1)
    with inference_mode(model):
        condition = encode_each(model, batch)
        shape = (len(batch), *uniforms.shape[2:])
        drawn = autoregressive_loop(
            model, condition, sampler, shape, config, known=pixels, on_row=on_row, outputs=filled
        )
    check_likelihood(sampler.nats.numpy())
    return drawn[: len(uniforms)].numpy(), sampler.nats.numpy()


def invert_floats(
    model: PixelModel,
    x: Int[np.ndarray, "1 c h w"],
    inputs: GuidedInputs,
    config: SamplingConfig,
    intervals: UniformIntervals,
) -> None:
    """Note the intervals of an image under a pixel model, by the engine of its draw."""
    sampler = UniformSampler(torch.zeros(x.shape), config.transform)
    batch = sampler.duplicate_for_guidance(*inputs)
    transform = sampler.transform

    def inverted(site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        level, conditional = int(x[0, site.channel, site.row, site.column]), log_probs[:1]
        if transform.is_guided:
            conditional = apply_guidance(conditional, log_probs[1:], transform.guidance)
        sharpened = apply_temperature_top_p(conditional, transform.temperature, transform.top_p)
        cdf = sharpened.double().exp().cumsum(1)[0].cpu().numpy()
        intervals.note(site.channel, site.row, site.column, level, cdf)
        return torch.full((len(log_probs),), level)

    with inference_mode(model):
        autoregressive_loop(model, model.encode(batch, len(batch)), inverted, (len(batch), *x.shape[2:]), config)
