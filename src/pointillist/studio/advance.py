"""Draw images in advance: maps that obey rules, the best of several candidates, images that tile, variations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Int

from pointillist.completion.canvas import Sides, make_seamless
from pointillist.completion.vary import vary
from pointillist.studio.conversion import condition_keywords
from pointillist.studio.jobs import SamplingJob


def draw_in_advance(job: SamplingJob, check: Callable[[], None]) -> Int[np.ndarray, "n c h w"]:
    """Draw the images of a job: the same images as `pointillist.sample`.

    Args:
        check: called after every row; an exception that it raises ends the job.

    Raises:
        ConfigError: if no map obeys the rules.
    """
    if job.request.redraws:
        return np.concatenate([_redrawn(job, number, check) for number in range(len(job.request.samples))])

    levels: Int[np.ndarray, "n c h w"] = job.draw(lambda rows, x: check()).levels
    if job.request.seamless is None:
        return levels
    return np.concatenate(
        [_seamless(job, i, levels[i : i + 1], job.request.seamless, check) for i in range(len(levels))]
    )


def _redrawn(job: SamplingJob, number: int, check: Callable[[], None]) -> Int[np.ndarray, "1 c h w"]:
    """Draw regions of an image again: variation `index` of `pointillist.vary` with its seed."""
    request, variation = job.request, job.request.samples[number].variation
    assert variation is not None  # all samples of such a job are variations by regions
    assert variation.levels is not None
    return vary(
        job.model,
        variation.levels.array().astype(np.int64),
        variation.strength,
        1,
        rules=None if request.rules is None else request.rules.to_dict(),
        **_keywords(job, number, check),
    ).levels


def _seamless(
    job: SamplingJob, number: int, levels: Int[np.ndarray, "1 c h w"], sides: Sides, check: Callable[[], None]
) -> Int[np.ndarray, "1 c h w"]:
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
