"""Draw the unknown sub-pixels one after the other in generation order, and weight each completion.

A drawn sub-pixel depends on all that come before it, known or drawn, and on the conditions. Known sub-pixels that come
after it are ignored; the importance weight of a completion is their likelihood. With no such sub-pixel the draws follow
p(unknown | known) exactly: that is the method `order`. A model that completes images has them among its conditions:
that is the method `known`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pointillist.completion.task import CompletionTask, Draws
from pointillist.conditioning import ConditionInputs
from pointillist.engine.particles import effective_sample_size, log_mean_exp
from pointillist.engine.program import IntArray
from pointillist.images.ordering import PixelOrder
from pointillist.model.pixel_model import PixelModel, inference_mode
from pointillist.sampling.candidates import draw_until_accepted
from pointillist.sampling.loop import ChooseLevel, ObservedPixels, Site, UniformSampler, autoregressive_loop
from pointillist.sampling.pixel import negative_inputs
from pointillist.system import single_threaded

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask

_SCORED_AT_ONCE = 16 * 28 * 28  # pixels in a scoring pass: sampling itself needs far less memory for each


def complete_sequentially(task: CompletionTask, candidate: int = 0) -> Draws:
    """Draw one completion for each image of a task.

    Args:
        task: the images; with an order.
        candidate: number of the candidate of each; see `best_of`.

    Raises:
        ConfigError, EngineError: if the order or the engine cannot be used.
    """
    uniforms, size = task.draw_uniforms(candidate), task.config.batch_size
    batches = np.split(np.arange(len(task.levels)), range(size, len(task.levels), size))
    parts = [_draw_batch(task, rows, uniforms) for rows in batches]
    levels, mass = (torch.cat([part[i] for part in parts]) for i in range(2))
    nats = log_prob_maps(task.model, levels, task.inputs, task.order, task.config.engine)
    started, known = torch.from_numpy(task.started), torch.from_numpy(task.known)
    # sub-pixels that are conditions are certain, and weigh nothing
    log_weights = mass + nats[:, started & known].sum(1)
    return Draws(
        levels=levels,
        nats=nats[:, started].sum(1),
        whole_nats=nats.flatten(1).sum(1),
        log_weights=log_weights,
        log_evidence=log_mean_exp(log_weights.numpy()),
        ess=effective_sample_size(log_weights.numpy()),
        tries=torch.cat([part[2] for part in parts]) if task.config.rules is not None else None,
    )


def _draw_batch(
    task: CompletionTask, rows: IntArray, uniforms: Float[np.ndarray, "n c h w"]
) -> tuple[Int[Tensor, "b c h w"], Float[Tensor, " b"], Int[Tensor, " b"]]:
    """Draw some images until they obey the rules; return the levels, the mass of the allowed ones, and the tries."""
    if task.mask is None:
        return *draw_unknown(task, rows, uniforms[rows]), torch.ones(len(rows), dtype=torch.int64)
    tries = 1 if task.config.parsed_rules is None else task.config.parsed_rules.tries
    (levels, mass), needed = draw_until_accepted(
        task.mask, len(rows), tries, lambda some, mask: draw_unknown(task, rows[some], uniforms[rows[some]], mask)
    )
    return levels, mass, torch.from_numpy(needed)


def draw_unknown(
    task: CompletionTask, rows: IntArray, uniforms: Float[np.ndarray, "b c h w"], mask: LevelMask | None = None
) -> tuple[Int[Tensor, "b c h w"], Float[Tensor, " b"]]:
    """Draw the unknown sub-pixels of some images; return the levels, and the log-probability of the allowed ones."""
    model, config = task.model, task.config
    inputs, x, (_, height, width) = task.inputs[rows], task.levels[rows], task.shape
    negative = negative_inputs(model, config.negative_prompt, len(task.inputs), (height, width))
    reference = None if negative is None else negative[rows]
    sampler = UniformSampler(torch.from_numpy(np.ascontiguousarray(uniforms)), config.transform, mask)
    batch = sampler.duplicate_for_guidance(inputs, reference)
    # pixels that are known in all channels cost nothing; `ConstrainedSampler` keeps the known channels of the others
    whole = task.known.all(0)
    kept = ObservedPixels(x.repeat(len(batch) // len(x), 1, 1, 1), torch.from_numpy(whole))
    # an engine samples whole images for a plain sampler
    plain = bool((task.known == whole).all())
    choose: ChooseLevel = sampler if plain else ConstrainedSampler(sampler, x, task.known)
    with inference_mode(model):
        condition = model.scorer(config.engine).encode(batch, len(batch))
        levels = autoregressive_loop(
            model, condition, choose, (len(batch), height, width), config, known=kept, on_row=task.on_row
        )
    mass = torch.zeros(len(x), dtype=torch.float64) if mask is None else torch.from_numpy(mask.mass)
    return levels[: len(x)], mass


def log_prob_maps(
    model: PixelModel, levels: Int[Tensor, "n c h w"], inputs: ConditionInputs, order: PixelOrder, engine: str
) -> Float[Tensor, "n c h w"]:
    """Log-probability of each sub-pixel given those before it, in nats, float64, a few images at a time.

    It is that of the engine that sampled the images: of the integer program, or of the model in floating point.

    Example:
        log_prob_maps(model, samples.levels, model.conditions.inputs(count=8), model.order(), samples.engine).shape
    """
    scorer = model.scorer(engine)
    step = max(1, _SCORED_AT_ONCE // levels[0, 0].numel())
    parts = (slice(i, i + step) for i in range(0, len(levels), step))
    with inference_mode(model), single_threaded():  # threads that wait for each other would cost more than they save
        return torch.cat(
            [
                scorer.unchecked_log_prob_map(levels[part].to(model.device), inputs[part], order).double().cpu()
                for part in parts
            ]
        )


class ConstrainedSampler:
    """Take the level of an image where it is known, and draw one elsewhere.

    Args:
        sampler: draws the levels that are not known.
        levels: integers `[n c h w]`, valid where `known` is set.
        known: sub-pixels to keep.
    """

    def __init__(
        self,
        sampler: UniformSampler,
        levels: Int[Tensor, "n c h w"],
        known: Bool[np.ndarray, "c h w"],
    ) -> None:
        self.sampler, self.levels, self.known = sampler, levels, known
        self.mask, self.nats = sampler.mask, sampler.nats

    def __call__(self, site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """Choose a level for each image of the engine's batch."""
        index = (site.channel, site.row, site.column)
        if self.known[index]:
            result = self.levels[:, site.channel, site.row, site.column]
            return result.repeat(len(log_probs) // len(result))
        return self.sampler(site, log_probs)
