"""Mask of a completion: levels that are allowed, rules, and known pixels that must obey them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Int

from pointillist.errors import ConfigError, ShapeError
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.candidates import open_image_mask
from pointillist.sampling.config import SamplingConfig

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


def parse_mask_on_levels(
    model: LikelihoodModel,
    config: SamplingConfig,
    allowed: Any,
    images: Int[np.ndarray, "n c h w"],
    known: Bool[np.ndarray, "c h w"],
) -> LevelMask | None:
    """Make the mask of an image from `allowed` and the rules; None where nothing restricts its levels.

    Raises:
        ShapeError, ConfigError: if they do not fit the image, or its known pixels do not obey them.
    """
    result, size = parse_allowed(allowed, model.image.levels, images, known), (known.shape[1], known.shape[2])
    if config.parsed_rules is not None:
        for image in np.unique(images, axis=0):
            fixed = np.arange(model.image.levels) == image[..., None]
            within = np.where(known[..., None], fixed, True if result is None else result)
            open_image_mask(model, config.parsed_rules, size, within)  # an error where the known pixels break a rule
    return open_image_mask(model, config.parsed_rules, size, result, weighted=True)


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
    result, shape = np.asarray(allowed), known.shape
    wanted = ((*shape, levels), (*shape[1:], levels))
    if result.dtype != np.bool_ or result.shape not in wanted:
        raise ShapeError(
            f"`allowed` ({result.dtype}, shape {result.shape}) must be boolean, {wanted[1]} or {wanted[0]}."
        )
    result = np.broadcast_to(result, wanted[0])
    none = np.argwhere(~result.any(-1))
    if len(none):
        raise ConfigError(f"`allowed` leaves no level at {_position(none[0])}: allow at least one.")
    for image in np.unique(images, axis=0):
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
