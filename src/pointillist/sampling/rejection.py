"""Masks of a batch: open them from rules, and draw each image again from other uniforms until it obeys them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from pointillist.engine.program import IntArray
from pointillist.errors import ConfigError, EngineError
from pointillist.model.pixel_model import PixelModel
from pointillist.rules.config import Rules

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


def open_image_mask(
    model: PixelModel, rules: Rules | None, size: tuple[int, int], allowed: Bool[np.ndarray, "c h w k"] | None = None,
    *, weighted: bool = False,
) -> LevelMask | None:  # fmt: skip
    """Make the mask of one image; None where nothing restricts its levels.

    Args:
        size: height and width of the image.
        allowed: levels that each sub-pixel may have; None for all.
        weighted: see `LevelMask.open`.

    Raises:
        ConfigError: if the rules do not fit the model, or cannot be met.
        EngineError: if numba is not installed.
    """
    if rules is None and allowed is None:
        return None
    if find_spec("numba") is None:
        raise EngineError("Masks on levels need numba, which is not installed: run `pip install numba`.")
    from pointillist.engine.constraints.masks import LevelMask

    if rules is None:
        assert allowed is not None
        return LevelMask.open(allowed, weighted=weighted)
    from pointillist.rules.adjacency import RECORD
    from pointillist.rules.opening import open_mask

    record = model.training_record.get(RECORD)
    return open_mask(rules, model.image.resized(*size), record, allowed, weighted=weighted)


def draw_until_accepted(
    template: LevelMask, count: int, tries: int, draw: Callable[[IntArray, LevelMask], tuple[Tensor, ...]]
) -> tuple[tuple[Tensor, ...], Int[Tensor, " n"]]:
    """Draw `count` images until each obeys the rules of a mask.

    Args:
        template: mask with which each image begins.
        tries: how often each is drawn at most.
        draw: draws the images of these numbers within a mask; returns tensors with an entry for each.

    Returns:
        the tensors, and how often each image was drawn.

    Raises:
        ConfigError: naming the rule that failed most often.

    Example:
        (levels, nats), tries = draw_until_accepted(mask, 16, 100, draw)
    """
    from pointillist.engine.constraints.domains import ALIVE

    pending, reasons = np.arange(count), Counter[str]()
    result: tuple[Tensor, ...] = ()
    needed = torch.zeros(count, dtype=torch.int64)
    for attempt in range(tries):
        mask = template.repeat(len(pending), attempt)
        drawn = draw(pending, mask)
        result = result or tuple(torch.zeros_like(part) for part in drawn)
        accepted = mask.status == ALIVE
        for whole, part in zip(result, drawn, strict=True):
            whole[torch.from_numpy(pending[accepted])] = part[torch.from_numpy(accepted)]
        needed[torch.from_numpy(pending)] += 1
        reasons.update(reason for reason, passed in zip(mask.reasons, accepted, strict=True) if not passed)
        pending = pending[~accepted]
        if not len(pending):
            return result, needed
    name = reasons.most_common(1)[0][0] or "a dead end of the rules between neighbours"
    raise ConfigError(
        f"{len(pending)} of {count} maps did not obey the rules in {tries} tries (most often {name}): loosen the rule, "
        "or raise `tries`."
    )
