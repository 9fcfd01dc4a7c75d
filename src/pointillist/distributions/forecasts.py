"""Moments of the distribution of a sub-pixel: expected surprisal and its variance, and the centred PIT of a level."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def entropy_and_variance(probs: Float[Tensor, "b k h w"]) -> tuple[Float[Tensor, "b h w"], Float[Tensor, "b h w"]]:
    """Compute the mean and the variance of -log p over the levels, in nats and nats squared.

    A level of probability 0 adds nothing to either.

    Example:
        entropy, variance = entropy_and_variance(likelihood.probs(params, x, channel=0))
    """
    log_probs = probs.clamp(min=torch.finfo(probs.dtype).tiny).log_()
    entropy = -(probs * log_probs).sum(1)
    deviation = log_probs.add_(entropy.unsqueeze(1)).square_()
    return entropy, deviation.mul_(probs).sum(1)


def centred_pit(
    probs: Float[Tensor, "b k h w"], levels: Int[Tensor, "b h w"]
) -> tuple[Float[Tensor, "b h w"], Float[Tensor, "b h w"]]:
    """Compute F(x - 1) + p(x) / 2 - 1/2 of each level, and the variance that it has under `probs`.

    The mean over the random part of the PIT (Czado, Gneiting, Held 2009), less 1/2. Under `probs` its expectation is 0
    and its variance (1 - sum p^3) / 12, exactly. So nothing needs to be drawn, and values of different sub-pixels are
    uncorrelated if the model is right, because each is conditioned on all before it.

    Example:
        pit, variance = centred_pit(likelihood.probs(params, x, channel=0), x[:, 0])
    """
    index = levels.unsqueeze(1)
    observed = probs.gather(1, index)[:, 0]
    pit = probs.cumsum(1).gather(1, index)[:, 0] - 0.5 * observed - 0.5
    cubes = torch.einsum("bkhw,bkhw,bkhw->bhw", probs, probs, probs)
    return pit, (1 - cubes).clamp(min=0) / 12
