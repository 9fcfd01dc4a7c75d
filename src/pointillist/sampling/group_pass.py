"""Sample all new pixels of a stage at once, where they are independent of each other given what is known."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.distributions.sampling_transforms import sample_level
from pointillist.model.pixel_model import PixelModel
from pointillist.networks import Stage
from pointillist.nn import Condition
from pointillist.nn.passes import FullPass, channels_last
from pointillist.sampling.state import SamplingState, UniformSampler

MAX_NUMBERS = 2**20
"""Log-probabilities that are computed together: 8 MB in float64, and as much for each component of a mixture."""


def sample_group(
    model: PixelModel, stage: Stage, condition: Condition, sampler: UniformSampler, state: SamplingState
) -> None:
    """Fill `state` where it is not known: one pass of the stage's network for each sub-pixel.

    The levels are those that an engine draws pixel by pixel from the same uniforms.

    Args:
        stage: one whose pixels are independent, as `prove_independent` shows.
        condition: condition of its network.
        sampler: in the orientation of the image; the state is in the raster frame of its order.
    """
    levels, known = stage.grid(state.levels), stage.grid(state.known)
    new, device = ~known, model.device
    count = len(sampler.uniforms)
    uniforms = stage.grid(state.order.to_raster(sampler.uniforms))[:, :, new]  # (n, c, m)
    result = levels[:, :, new].to(device)  # (b, c, m): zeros, of which the network reads the earlier channels
    maps = None if condition.map is None else condition.map[:, :, None, new.to(device)]  # (b, m, 1, m)
    for channel in range(result.shape[1]):
        if channel == 0 or not model.likelihood.coupled:
            params = _params(model, stage, replace(condition, map=maps), result)
        chosen = _draw(model, sampler, params, result, channel, uniforms[:, channel].to(device))
        result[:, channel] = chosen.repeat(len(result) // count, 1)
        levels[:, channel, new] = result[:, channel].to(levels.device)
        if state.outputs is not None:
            share = model.likelihood.own_params(channel)
            stage.grid(state.outputs)[:, share, new] = params[: len(state.outputs), share].to(state.outputs)
    known[new] = True
    state.report()


def _params(
    model: PixelModel, stage: Stage, condition: Condition, levels: Int[Tensor, "b c m"]
) -> Float[Tensor, "b p m"]:
    """Run the network image by image: torch may round the same image otherwise in another batch.

    It reads no pixel but its own, so the new pixels alone, in a row, are an image to it.
    """
    canvas, ctx = model.canvas(levels[:, :, None]), FullPass(channels_last=model.channels_last)
    images = [canvas[i : i + 1] for i in range(len(canvas))]
    images = [channels_last(image) for image in images] if model.channels_last else images
    return torch.cat([stage.network(image, ctx, condition.image(i)) for i, image in enumerate(images)])[:, :, 0]


def _draw(
    model: PixelModel, sampler: UniformSampler, params: Tensor, levels: Tensor, channel: int, uniforms: Tensor
) -> Tensor:
    """Draw the levels `[n m]` of a sub-pixel of every new pixel, and add their log-likelihood."""
    drawn, size = [], max(1, MAX_NUMBERS // (len(params) * model.image.levels))
    for start in range(0, uniforms.shape[1], size):
        part = slice(start, start + size)
        table = model.likelihood.conditional(params[:, :, part, None], levels[:, :, part, None], channel)[..., 0]
        log_probs = table.transpose(1, 2).flatten(0, 1)  # (b m, k), of which the second half is unconditional
        chosen, nats = sample_level(log_probs, uniforms[:, part].flatten(), sampler.transform)
        drawn.append(chosen.view(len(uniforms), -1))
        sampler.nats += nats.view(len(uniforms), -1).sum(1).to(sampler.nats.device)
    return torch.cat(drawn, 1)
