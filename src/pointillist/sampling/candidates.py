"""Draw images more than once: the best of N candidates, and each again until it obeys the rules. Needs no torch.

The score of a candidate is exact, from the model itself: log p(x | conditions) - 0.5 log p(x). With all of the last
term it would be the pointwise mutual information, which prefers odd images (docs/decisions/experiments.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, runtime_checkable

import numpy as np

from pointillist.conditioning.inputs import ConditionInputs
from pointillist.conditioning.readers import ConditionReaders
from pointillist.engine.program import IntArray
from pointillist.errors import ConfigError
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.images.spec import sum_images
from pointillist.model.protocols import ScoringModel
from pointillist.sampling.config import SamplingConfig

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask
    from pointillist.images import ImageSpec
    from pointillist.rules.config import Rules

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
    scorer: ScoringModel, levels: Int[np.ndarray, "n c h w"], inputs: ConditionInputs, order: PixelOrder
) -> Float[np.ndarray, " n"]:
    """Compute the log-likelihood of each image without its conditions, in nats, float64."""
    parts = []
    for start in range(0, len(levels), _SCORED_AT_ONCE):
        rows = slice(start, start + _SCORED_AT_ONCE)
        parts.append(sum_images(scorer.unchecked_log_prob_map(levels[rows], inputs[rows].unconditional(), order)))
    return np.concatenate(parts)


def negative_inputs(
    conditions: ConditionReaders, prompts: str | Sequence[str] | None, count: int, size: tuple[int, int]
) -> ConditionInputs | None:
    """Return the conditions of the reference distribution of guidance: negative prompts; None for no condition.

    Raises:
        ConfigError, ShapeError: if the model takes no text, or their number is wrong.
    """
    return None if prompts is None else conditions.inputs(None, count, prompts, size=size)


@runtime_checkable
class RecordedModel(Protocol):
    """A model of maps, with the pairs of neighbours of its training maps in its record."""

    @property
    def image(self) -> ImageSpec:
        """Meaning of the integers."""

    @property
    def training_record(self) -> dict[str, Any]:
        """Record of its training."""


def open_image_mask(
    model: RecordedModel,
    rules: Rules | None,
    size: tuple[int, int],
    allowed: Bool[np.ndarray, "c h w k"] | None = None,
    *,
    weighted: bool = False,
) -> LevelMask | None:
    """Make the mask of one image; None where nothing restricts its levels.

    Args:
        size: height and width of the image.
        allowed: levels that each sub-pixel may have; None for all.
        weighted: see `LevelMask.open`.

    Raises:
        ConfigError: if the rules do not fit the model, or cannot be met.
        EngineError: if this platform has no library in C.
    """
    if rules is None and allowed is None:
        return None
    from pointillist.engine.constraints.masks import LevelMask

    if rules is None:
        assert allowed is not None
        return LevelMask.open(allowed, weighted=weighted)
    from pointillist.rules.adjacency import RECORD
    from pointillist.rules.opening import open_mask

    record = model.training_record.get(RECORD)
    return open_mask(rules, model.image.resized(*size), record, allowed, weighted=weighted)


def draw_until_accepted(
    template: LevelMask, count: int, tries: int, draw: Callable[[IntArray, LevelMask], tuple[Any, ...]]
) -> tuple[tuple[Any, ...], Int[np.ndarray, " n"]]:
    """Draw `count` images until each obeys the rules of a mask.

    Args:
        template: mask with which each image begins.
        tries: how often each is drawn at most.
        draw: draws the images of these numbers within a mask; returns arrays with an entry for each.

    Returns:
        the arrays, and how often each image was drawn.

    Raises:
        ConfigError: naming the rule that failed most often.

    Example:
        (levels, nats), tries = draw_until_accepted(mask, 16, 100, draw)
    """
    from pointillist.engine.constraints.solver import ALIVE

    pending, reasons = np.arange(count), Counter[str]()
    result: tuple[Any, ...] = ()
    needed = np.zeros(count, np.int64)
    for attempt in range(tries):
        mask = template.repeat(len(pending), attempt)
        drawn = draw(pending, mask)
        result = result or tuple(np.array(part) for part in drawn)
        accepted = mask.status == ALIVE
        for whole, part in zip(result, drawn, strict=True):
            whole[pending[accepted]] = part[accepted]
        needed[pending] += 1
        reasons.update(reason for reason, passed in zip(mask.reasons, accepted, strict=True) if not passed)
        pending = pending[~accepted]
        if not len(pending):
            return result, needed
    name = reasons.most_common(1)[0][0] or "a dead end of the rules between neighbours"
    raise ConfigError(
        f"{len(pending)} of {count} maps did not obey the rules in {tries} tries (most often {name}): loosen the rule, "
        "or raise `tries`."
    )
