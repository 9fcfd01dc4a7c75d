"""Choose the best of N candidates of each image. Needs no torch.

The score of a candidate is exact, from the model itself: log p(x | conditions) - 0.5 log p(x). With all of the last
term it would be the pointwise mutual information, which prefers odd images (docs/decisions/experiments.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any, TypeVar

import numpy as np

from pointillist.conditioning.inputs import ConditionInputs
from pointillist.errors import ConfigError
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.images.spec import sum_images
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.config import SamplingConfig

UNCONDITIONAL_SHARE = 0.5  # chosen on 60 concepts, 40 others agree (docs/decisions/experiments.md)
_SCORED_AT_ONCE = 16  # images in the pass that scores candidates: sampling itself needs far less memory for each

Result = TypeVar("Result", bound=Any)
"""A dataclass of images with `nats` and `gain`; its arrays have an entry for each image."""


def check_best_of(config: SamplingConfig, *, conditional: bool, seeded: bool) -> None:
    """Check that candidates differ, and that there is a condition to choose by.

    Raises:
        ConfigError: naming the remedy.
    """
    if config.best_of == 1:
        return
    if not conditional:
        raise ConfigError(
            f"`best_of` (={config.best_of}) chooses by the bits that a condition saves, and there is none: "
            "give a prompt or a label, or leave it out."
        )
    if not seeded:
        raise ConfigError(f"`best_of` (={config.best_of}) draws its candidates from a seed: leave out `uniforms`.")


def best_of(count: int, draw: Callable[[int], Result], unconditional_nats: Callable[[Any], Any]) -> Result:
    """Keep, for each image, the candidate with the largest score; two are in memory at a time.

    Args:
        count: number of candidates; 1 means no choice, and no gain is computed.
        draw: samples the batch of candidate number k, from 0.
        unconditional_nats: log-likelihood of levels without their conditions, in nats, one for each image.

    Example:
        best_of(4, draw, batch.unconditional_nats).gain
    """
    if count == 1:
        return draw(0)

    def scored(number: int) -> tuple[Result, Float[np.ndarray, " n"]]:
        result = draw(number)
        without = unconditional_nats(result.levels)
        return replace(result, gain=result.nats - without), np.asarray(result.nats - UNCONDITIONAL_SHARE * without)

    best, score = scored(0)
    for number in range(1, count):
        other, other_score = scored(number)
        best = _keep_better(best, other, other_score > score)
        score = np.maximum(score, other_score)
    return best


def _keep_better(best: Result, other: Result, is_better: Bool[np.ndarray, " n"]) -> Result:
    """Take everything that is given for each image from `other` where `is_better`."""
    values: dict[str, Any] = {}
    for name in (f.name for f in fields(best)):
        old = getattr(best, name)
        if isinstance(old, np.ndarray) and old.shape[:1] == is_better.shape:
            values[name] = old.copy()
            values[name][is_better] = getattr(other, name)[is_better]
    return replace(best, **values)


def unconditional_nats(
    scorer: LikelihoodModel, levels: Int[np.ndarray, "n c h w"], inputs: ConditionInputs, order: PixelOrder
) -> Float[np.ndarray, " n"]:
    """Compute the log-likelihood of each image without its conditions, in nats, float64."""
    parts = []
    for start in range(0, len(levels), _SCORED_AT_ONCE):
        rows = slice(start, start + _SCORED_AT_ONCE)
        parts.append(sum_images(scorer.unchecked_log_prob_map(levels[rows], inputs[rows].unconditional(), order)))
    return np.concatenate(parts)
