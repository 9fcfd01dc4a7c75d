"""Masks of the levels of images, by rules and allowed levels, and images that are drawn until they obey. No torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.conditioning.inputs import unique_items
from pointillist.engine.program import IntArray
from pointillist.errors import ConfigError
from pointillist.files.arrays import boolean_array
from pointillist.images.array_types import Bool, Int
from pointillist.model.protocols import LikelihoodModel

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask
    from pointillist.sampling.rules.config import Rules

Known = tuple[Int[np.ndarray, "n c h w"], Bool[np.ndarray, "c h w"]]
"""Levels of images, and which of their sub-pixels are kept."""


def open_image_mask(
    model: LikelihoodModel, rules: Rules | None, size: tuple[int, int], allowed: Any = None, known: Known | None = None
) -> LevelMask | None:
    """Make the mask of one image; None where nothing restricts its levels.

    Args:
        size: height and width of the image.
        allowed: levels that each pixel or sub-pixel may have, see `parse_allowed`; None for all.
        known: known pixels, around which draws are weighted; None without any.

    Raises:
        ShapeError, ConfigError: if rules or `allowed` do not fit the model and its image, cannot be met, or its known
            pixels do not obey them.
        EngineError: if this platform has no library in C.
    """
    if known is None:
        return _open_mask(model, rules, size, None, weighted=False)
    images, mask = known
    allowed = parse_allowed(allowed, model.image.levels, images, mask)
    for image in unique_items(images)[0] if rules is not None else ():
        fixed = np.arange(model.image.levels) == image[..., None]
        within = np.where(mask[..., None], fixed, True if allowed is None else allowed)
        _open_mask(model, rules, size, within, weighted=False)  # an error where the known pixels break a rule
    return _open_mask(model, rules, size, allowed, weighted=True)


def _open_mask(
    model: LikelihoodModel, rules: Rules | None, size: tuple[int, int], allowed: np.ndarray | None, *, weighted: bool
) -> LevelMask | None:
    if rules is not None:
        from pointillist.sampling.rules.opening import open_mask

        record = model.training_record.adjacency
        return open_mask(rules, model.image.resized(*size), record, allowed, weighted=weighted)
    from pointillist.engine.constraints.masks import LevelMask

    return None if allowed is None else LevelMask.open(allowed, weighted=weighted)


def parse_allowed(
    allowed: Any, levels: int, images: Int[np.ndarray, "n c h w"], known: Bool[np.ndarray, "c h w"]
) -> Bool[np.ndarray, "c h w k"] | None:
    """Parse the levels that each pixel `[h w k]` or sub-pixel `[c h w k]` may have.

    Args:
        levels: number of levels.
        images, known: the known levels, and where they are.

    Raises:
        ShapeError: if it is not boolean, or has another shape.
        ConfigError: if a pixel may have no level, or not the one that is known.
    """
    if allowed is None:
        return None
    shape = (*known.shape, levels)
    result = np.broadcast_to(boolean_array("allowed", allowed, shape[1:], shape), shape)
    none = np.argwhere(~result.any(-1))
    if len(none):
        raise ConfigError(f"`allowed` leaves no level at {_position(none[0])}: allow at least one.")
    for image in unique_items(images)[0]:
        own = np.take_along_axis(result, image[..., None], 3)[..., 0]
        wrong = np.argwhere(known & ~own)
        if len(wrong):
            level, where = image[tuple(wrong[0])], _position(wrong[0])
            raise ConfigError(
                f"`allowed` excludes level {level}, which is known at {where}: allow it, or leave the pixel unknown."
            )
    return result


def _position(index: np.ndarray) -> str:
    channel, row, column = index.tolist()
    return f"row {row}, column {column}, channel {channel}"


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
