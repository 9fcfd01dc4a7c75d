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

_SCORED_AT_ONCE = 16 * 28 * 28  # pixels in a scoring pass: sampling itself needs far less memory for each


def complete_sequentially(draws: Draws, candidate: int = 0) -> tuple[Completions, Float[np.ndarray, " n"]]:
    """Draw one completion of each image.

    Args:
        candidate: number of the candidate of each; see `best_of`.

    Returns:
        the completions, with the log-likelihood of everything that is not a condition, and how much of it is not of the
        unknown sub-pixels.
    """
    size = draws.config.batch_size
    batches = np.split(np.arange(draws.count), range(size, draws.count, size))
    parts = [_draw_batch(draws, rows, candidate) for rows in batches]
    levels, mass, tries = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    maps = log_prob_maps(draws, levels)
    # sub-pixels that are conditions are certain, and weigh nothing
    log_weights = mass + maps[:, draws.started & draws.known].sum(1)
    weights = Scaled.ones(len(log_weights))
    weights.multiply_exp(log_weights)
    out = completions(
        draws,
        levels,
        maps,
        log_weights=log_weights,
        ess=weights.effective_size(),
        tries=None if draws.config.rules is None else tries,
    )
    return out, sum_images(np.where(draws.started, 0.0, maps)) + float(weights.mean().logs()[0])


def completions(
    draws: Draws, levels: Int[np.ndarray, "n c h w"], maps: Float[np.ndarray, "n c h w"], **drawn: Any
) -> Completions:
    """Describe completions, with the log-likelihood of everything that is not a condition."""
    return Completions(
        levels=levels,
        nats=sum_images(maps),
        method=draws.method or "",
        known=draws.known,
        numbers=np.arange(draws.count),
        **drawn,
        **draws.facts(),
    )


def _draw_batch(
    draws: Draws, rows: IntArray, candidate: int
) -> tuple[Int[np.ndarray, "b c h w"], Float[np.ndarray, " b"], Int[np.ndarray, " b"]]:
    """Draw some images until they obey the rules; return the levels, the mass of the allowed ones, and the tries."""
    if draws.mask is None:
        return draws.part(rows, candidate).drawn()[0], np.zeros(len(rows)), np.ones(len(rows), np.int64)

    def draw(some: IntArray, mask: LevelMask) -> tuple[Int[np.ndarray, "m c h w"], Float[np.ndarray, " m"]]:
        return draws.part(rows[some], candidate, mask).drawn()[0], mask.mass

    tries = 1 if draws.config.parsed_rules is None else draws.config.parsed_rules.tries
    (levels, mass), needed = draw_until_accepted(draws.mask, len(rows), tries, draw)
    return levels, mass, needed


def log_prob_maps(draws: Draws, levels: Int[np.ndarray, "n c h w"]) -> Float[np.ndarray, "n c h w"]:
    """Log-probability of each sub-pixel given those before it, in nats, float64, a few images at a time.

    Example:
        log_prob_maps(draws, draws.sample().levels).shape
    """
    step = max(1, _SCORED_AT_ONCE // levels[0, 0].size)
    parts, score = (slice(i, i + step) for i in range(0, len(levels), step)), draws.scorer.unchecked_log_prob_map
    return np.concatenate([score(levels[part], draws.inputs[part], draws.order) for part in parts])
