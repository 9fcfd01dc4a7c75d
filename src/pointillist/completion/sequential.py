"""Draw the unknown sub-pixels one after the other in generation order, and weight each completion.

A drawn sub-pixel depends on all that come before it, known or drawn, and on the conditions. Known sub-pixels that come
after it are ignored; the importance weight of a completion is their likelihood. With no such sub-pixel the draws follow
p(unknown | known) exactly: that is the method `order`. A model that completes images has them among its conditions:
that is the method `known`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pointillist.completion.task import CompletionTask, Drawn
from pointillist.conditioning import ConditionInputs
from pointillist.engine.particles import effective_sample_size, log_mean_exp
from pointillist.engine.program import IntArray
from pointillist.images.array_types import Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.masks import draw_until_accepted
from pointillist.sampling.request import draw_images

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask

_SCORED_AT_ONCE = 16 * 28 * 28  # pixels in a scoring pass: sampling itself needs far less memory for each


def complete_sequentially(task: CompletionTask, candidate: int = 0) -> Drawn:
    """Draw one completion for each image of a task.

    Args:
        task: the images; with an order.
        candidate: number of the candidate of each; see `best_of`.

    Raises:
        ConfigError, EngineError: if the order or the engine cannot be used.
    """
    uniforms, size = task.uniforms.of(range(task.count), candidate), task.config.batch_size
    batches = np.split(np.arange(len(task.levels)), range(size, len(task.levels), size))
    parts = [_draw_batch(task, rows, uniforms) for rows in batches]
    levels, mass = (np.concatenate([part[i] for part in parts]) for i in range(2))
    nats = log_prob_maps(task.scorer, levels, task.inputs, task.order)
    started, known = task.started, task.known
    # sub-pixels that are conditions are certain, and weigh nothing
    log_weights = mass + nats[:, started & known].sum(1)
    return Drawn(
        levels=levels,
        nats=nats[:, started].sum(1),
        whole_nats=nats.reshape(len(nats), -1).sum(1),
        log_weights=log_weights,
        log_evidence=log_mean_exp(log_weights),
        ess=effective_sample_size(log_weights),
        tries=np.concatenate([part[2] for part in parts]) if task.config.rules is not None else None,
    )


def _draw_batch(
    task: CompletionTask, rows: IntArray, uniforms: Float[np.ndarray, "n c h w"]
) -> tuple[Int[np.ndarray, "b c h w"], Float[np.ndarray, " b"], Int[np.ndarray, " b"]]:
    """Draw some images until they obey the rules; return the levels, the mass of the allowed ones, and the tries."""
    if task.mask is None:
        return *draw_unknown(task, rows, uniforms[rows]), np.ones(len(rows), np.int64)
    tries = 1 if task.config.parsed_rules is None else task.config.parsed_rules.tries
    (levels, mass), needed = draw_until_accepted(
        task.mask, len(rows), tries, lambda some, mask: draw_unknown(task, rows[some], uniforms[rows[some]], mask)
    )
    return levels, mass, needed


def draw_unknown(
    task: CompletionTask, rows: IntArray, uniforms: Float[np.ndarray, "b c h w"], mask: LevelMask | None = None
) -> tuple[Int[np.ndarray, "b c h w"], Float[np.ndarray, " b"]]:
    """Draw the unknown sub-pixels of some images; return the levels, and the log-probability of the allowed ones."""
    levels = draw_images(task.scorer, task.task(rows, uniforms, mask)).levels
    return levels, np.zeros(len(rows)) if mask is None else mask.mass


def log_prob_maps(
    scorer: LikelihoodModel, levels: Int[np.ndarray, "n c h w"], inputs: ConditionInputs, order: PixelOrder
) -> Float[np.ndarray, "n c h w"]:
    """Log-probability of each sub-pixel given those before it, in nats, float64, a few images at a time.

    Example:
        log_prob_maps(model.scorer(), samples.levels, model.conditions.inputs(count=8), model.order()).shape
    """
    step = max(1, _SCORED_AT_ONCE // levels[0, 0].size)
    parts = (slice(i, i + step) for i in range(0, len(levels), step))
    return np.concatenate([scorer.unchecked_log_prob_map(levels[part], inputs[part], order) for part in parts])
