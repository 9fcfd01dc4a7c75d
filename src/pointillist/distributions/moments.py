"""Moments of the distribution of a sub-pixel: of the information of its level, and of its PIT. Needs no torch."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Int


def entropy_and_variance(
    probs: Float[np.ndarray, "b k h w"],
) -> tuple[Float[np.ndarray, "b h w"], Float[np.ndarray, "b h w"]]:
    """Compute the mean and the variance of -log p over the levels, in nats and nats squared.

    A level of probability 0 adds nothing to either.

    Example:
        entropy, variance = entropy_and_variance(likelihood.probs(params, x, channel=0))
    """
    log_probs = np.log(np.maximum(probs, np.finfo(probs.dtype).tiny))
    entropy = -(probs * log_probs).sum(1)
    return entropy, (probs * (log_probs + entropy[:, None]) ** 2).sum(1)


def centred_pit(
    probs: Float[np.ndarray, "b k h w"], levels: Int[np.ndarray, "b h w"]
) -> tuple[Float[np.ndarray, "b h w"], Float[np.ndarray, "b h w"]]:
    """Compute F(x - 1) + p(x) / 2 - 1/2 of each level, and the variance that it has under `probs`.

    The mean over the random part of the PIT (Czado, Gneiting, Held 2009), less 1/2. Under `probs` its expectation is 0
    and its variance (1 - sum p^3) / 12, exactly. So nothing needs to be drawn, and values of different sub-pixels are
    uncorrelated if the model is right, because each is conditioned on all before it.

    Example:
        pit, variance = centred_pit(likelihood.probs(params, x, channel=0), x[:, 0])
    """
    index = levels[:, None]
    observed = np.take_along_axis(probs, index, 1)[:, 0]
    pit = np.take_along_axis(probs.cumsum(1), index, 1)[:, 0] - 0.5 * observed - 0.5
    cubes = np.einsum("bkhw,bkhw,bkhw->bhw", probs, probs, probs)
    return pit, (1 - cubes).clip(min=0) / 12
