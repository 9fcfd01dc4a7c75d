"""Draw the unknown sub-pixels one after the other in generation order, and weight each completion.

A drawn sub-pixel depends on all that come before it, known or drawn, and on the conditions. Known sub-pixels that come
after it are ignored; the importance weight of a completion is their likelihood. With no such sub-pixel the draws follow
p(unknown | known) exactly: that is the method `order`. A model that completes images has them among its conditions:
that is the method `known`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pointillist.completion.result import Completions
from pointillist.engine.constraints.masks import LevelMask
from pointillist.engine.particles import Scaled
from pointillist.engine.program import IntArray
from pointillist.images.array_types import Float, Int
from pointillist.images.pictures import sum_images
from pointillist.sampling.draws import Draws
from pointillist.sampling.masks import draw_until_accepted
from pointillist.sampling.methods import UNWEIGHTED

_SCORED_AT_ONCE = 16 * 28 * 28  # pixels in a scoring pass: sampling itself needs far less memory for each


def complete_sequentially(draws: Draws, candidate: int = 0) -> tuple[Completions, Float[np.ndarray, " n"]]:
    """Draw one completion of each image.

    Args:
        candidate: number of the candidate of each; see `best_of`.

    Returns:
        the completions, with their log-likelihood, and how much of it is not of the unknown sub-pixels: everything that
        is not a condition counts where candidates or weights need it.
    """
    size = draws.config.batch_size
    batches = np.split(np.arange(draws.count), range(size, draws.count, size))
    parts = [_draw_batch(draws, rows, candidate) for rows in batches]
    levels, nats, log_weights, tries = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    not_drawn = np.zeros(len(levels))
    # else no known sub-pixel weighs the others, and candidates are not compared as whole images
    if draws.method not in UNWEIGHTED or draws.config.best_of > 1:
        maps = log_prob_maps(draws, levels)
        nats, not_drawn = sum_images(maps), sum_images(np.where(draws.started, 0.0, maps))
        # sub-pixels that are conditions are certain, and weigh nothing
        log_weights = log_weights + maps[:, draws.started & draws.known].sum(1)
    weights = Scaled.ones(len(log_weights))
    weights.multiply_exp(log_weights)
    out = completions(
        draws,
        levels,
        nats,
        log_weights=log_weights,
        ess=weights.effective_size(),
        tries=None if draws.config.rules is None else tries,
    )
    return out, not_drawn + float(weights.mean().logs()[0])


def completions(
    draws: Draws, levels: Int[np.ndarray, "n c h w"], nats: Float[np.ndarray, " n"], **drawn: Any
) -> Completions:
    """Describe completions, with their log-likelihood."""
    return Completions(
        levels=levels,
        nats=nats,
        methods=(draws.method or "",),
        orders=(draws.order.name,),
        known=np.broadcast_to(draws.known, levels.shape),
        numbers=np.arange(draws.count),
        **drawn,
        **draws.facts(),
    )


def _draw_batch(
    draws: Draws, rows: IntArray, candidate: int
) -> tuple[Int[np.ndarray, "b c h w"], Float[np.ndarray, " b"], Float[np.ndarray, " b"], Int[np.ndarray, " b"]]:
    """Draw some images until they obey the rules; return levels, nats, the mass of allowed levels, and the tries."""
    if draws.mask is None:
        return *draws.part(rows, candidate).drawn(), np.zeros(len(rows)), np.ones(len(rows), np.int64)

    def draw(some: IntArray, mask: LevelMask) -> tuple[np.ndarray, ...]:
        return *draws.part(rows[some], candidate, mask).drawn(), mask.mass

    tries = 1 if draws.config.parsed_rules is None else draws.config.parsed_rules.tries
    (levels, nats, mass), needed = draw_until_accepted(draws.mask, len(rows), tries, draw)
    return levels, nats, mass, needed


def log_prob_maps(draws: Draws, levels: Int[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n c h w"]:
    """Log-probability of each sub-pixel given those before it, in nats, float64, a few images at a time.

    Example:
        log_prob_maps(draws, draws.sample().levels).shape
    """
    step = max(1, _SCORED_AT_ONCE // levels[0, 0].size)
    parts, score = (slice(i, i + step) for i in range(0, len(levels), step)), draws.scorer.unchecked_log_prob_map
    return np.concatenate([score(levels[part], draws.inputs[part], draws.order) for part in parts])
