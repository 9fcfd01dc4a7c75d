"""Moments of the distribution of a sub-pixel: of the information of its level, and of its PIT. Needs no torch."""

from __future__ import annotations

import numpy as np

from pointillist.images.array_types import Float, Int


def entropy_and_variance(
    probs: Float[np.ndarray, "b k h w"],
) -> tuple[Float[np.ndarray, "b h w"], Float[np.ndarray, "b h w"]]:
    """Compute the mean and the variance of -log p over the levels, in nats and nats squared.

    A level of probability 0 adds nothing to either.

    Example:
        entropy, variance = entropy_and_variance(distributions.probs(channel=0))
    """
    log_probs = np.log(np.maximum(probs, np.finfo(probs.dtype).tiny))
    entropy = -(probs * log_probs).sum(1)
    return entropy, (probs * (log_probs + entropy[:, None]) ** 2).sum(1)


def moments_of_frequencies(
    frequencies: Int[np.ndarray, "n k"], precision: int
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Compute the same of frequencies that sum to `2 ** precision`; of many levels nearly all have 1, and are counted.

    Example:
        moments_of_frequencies(np.array([[1, 1, 14]]), 4)[0]  # the entropy of 1/16, 1/16 and 14/16
    """
    flat = frequencies.reshape(-1)
    places = np.flatnonzero(flat != 1)
    rows, probs = places // frequencies.shape[1], flat[places] / 2.0**precision
    log_probs, alone = np.log(np.maximum(probs, np.finfo(np.float64).tiny)), precision * np.log(2.0)
    count = len(frequencies)
    share = (frequencies.shape[1] - np.bincount(rows, minlength=count)) / 2.0**precision
    entropy = share * alone - np.bincount(rows, probs * log_probs, count)
    spread = np.bincount(rows, probs * (log_probs + entropy[rows]) ** 2, count)
    return entropy, share * (entropy - alone) ** 2 + spread


def centred_pit(
    probs: Float[np.ndarray, "b k h w"], levels: Int[np.ndarray, "b h w"]
) -> tuple[Float[np.ndarray, "b h w"], Float[np.ndarray, "b h w"]]:
    """Compute F(x - 1) + p(x) / 2 - 1/2 of each level, and the variance that it has under `probs`.

    The mean over the random part of the PIT (Czado, Gneiting, Held 2009), less 1/2. Under `probs` its expectation is 0
    and its variance (1 - sum p^3) / 12, exactly. So nothing needs to be drawn, and values of different sub-pixels are
    uncorrelated if the model is right, because each is conditioned on all before it.

    Example:
        pit, variance = centred_pit(distributions.probs(channel=0), x[:, 0])
    """
    index = levels[:, None]
    observed = np.take_along_axis(probs, index, 1)[:, 0]
    pit = np.take_along_axis(probs.cumsum(1), index, 1)[:, 0] - 0.5 * observed - 0.5
    cubes = np.einsum("bkhw,bkhw,bkhw->bhw", probs, probs, probs)
    return pit, (1 - cubes).clip(min=0) / 12
