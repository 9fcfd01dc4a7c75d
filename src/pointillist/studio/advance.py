"""Draw images in advance: maps that obey rules, the best of several candidates, images that tile, variations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.completion.canvas import Sides, make_seamless
from pointillist.completion.vary import vary
from pointillist.engine.program import IntArray
from pointillist.model.pixel_model import inference_mode
from pointillist.sampling.candidates import best_of, draw_until_accepted
from pointillist.sampling.config import SamplingConfig
from pointillist.sampling.engines import encode_each
from pointillist.sampling.loop import UniformSampler, autoregressive_loop
from pointillist.sampling.pixel import unconditional_nats
from pointillist.studio.conversion import condition_keywords
from pointillist.studio.jobs import SamplingJob

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


@dataclass(frozen=True)
class _Candidates:
    """A candidate of each image: levels, their log-likelihood, and what the conditions add to it."""

    levels: Int[Tensor, "n c h w"]
    nats: Float[Tensor, " n"]
    gain: Float[Tensor, " n"] | None = None


def draw_in_advance(job: SamplingJob, config: SamplingConfig, check: Callable[[], None]) -> Int[Tensor, "n c h w"]:
    """Draw the images of a job, which are those of `pointillist.sample`.

    Args:
        config: settings of the job, with its threads.
        check: called after every row; an exception that it raises ends the job.

    Raises:
        ConfigError: if no map obeys the rules.
    """
    if job.request.redraws:
        return torch.cat([_redrawn(job, number, check) for number in range(len(job.request.samples))])

    def draw(candidate: int) -> _Candidates:
        return _candidates(job, config, candidate, check)

    def without(levels: Int[Tensor, "n c h w"]) -> Float[Tensor, " n"]:
        return unconditional_nats(job.model, levels, job.conditions, config)

    levels: Int[Tensor, "n c h w"] = best_of(config.best_of, draw, without).levels
    if job.request.seamless is None:
        return levels
    return torch.cat([_seamless(job, i, levels[i : i + 1], job.request.seamless, check) for i in range(len(levels))])


def _candidates(job: SamplingJob, config: SamplingConfig, candidate: int, check: Callable[[], None]) -> _Candidates:
    """Draw a candidate of each image; where there are rules, until it obeys them."""
    uniforms = job.uniforms(candidate)

    def draw(rows: IntArray, mask: LevelMask | None) -> tuple[Tensor, Tensor]:
        chooser = UniformSampler(uniforms[rows], config.transform, mask)
        negative = None if job.negative is None else job.negative[rows]
        carried = chooser.duplicate_for_guidance(job.conditions[rows], negative)
        condition = encode_each(job.model, carried, job.request.engine)
        shape = (len(carried), *job.size)
        with inference_mode(job.model):
            levels = autoregressive_loop(job.model, condition, chooser, shape, config, on_row=lambda done, x: check())
        return levels[: len(rows)], chooser.nats

    rules, count = config.parsed_rules, len(uniforms)
    if job.mask is None or rules is None:
        return _Candidates(*draw(torch.arange(count).numpy(), None))
    (levels, nats), _ = draw_until_accepted(job.mask, count, rules.tries, draw)
    return _Candidates(levels, nats)


def _redrawn(job: SamplingJob, number: int, check: Callable[[], None]) -> Int[Tensor, "1 c h w"]:
    """Draw regions of an image again: variation `index` of `pointillist.vary` with its seed."""
    request, variation = job.request, job.request.samples[number].variation
    assert variation is not None  # all samples of such a job are variations by regions
    assert variation.levels is not None
    return vary(
        job.model,
        torch.from_numpy(variation.levels.array().astype(np.int64)),
        variation.strength,
        1,
        rules=None if request.rules is None else request.rules.to_dict(),
        **_keywords(job, number, check),
    ).levels


def _seamless(
    job: SamplingJob, number: int, levels: Int[Tensor, "1 c h w"], sides: Sides, check: Callable[[], None]
) -> Int[Tensor, "1 c h w"]:
    """Make an image tile: image `index` of `pointillist.sample` with its seed."""
    return make_seamless(
        job.model,
        levels,
        sides,
        1,
        **_keywords(job, number, check),
    ).levels


def _keywords(job: SamplingJob, number: int, check: Callable[[], None]) -> dict[str, Any]:
    """Return the keywords of a call that draws the image of a sample alone, as if with those before it."""
    spec, request = job.request.samples[number], job.request
    return {
        "seed": spec.seed,
        "first": spec.index,
        "guidance": request.guidance,
        "temperature": request.temperature,
        "top_p": request.top_p,
        "negative_prompt": request.negative_prompt,
        # completions choose their engine as in Python, unless floating point is requested
        "engine": "auto" if request.engine == "integer" else request.engine,
        "on_row": lambda done, x: check(),
        **condition_keywords(job.model, spec.conditions),
    }
