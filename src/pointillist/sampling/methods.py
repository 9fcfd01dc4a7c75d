"""Choice of a method of completion and of an order, by what the model can do; soft data.

With soft data, factors s_i of the probability of a level at some pixels, completions are drawn from

    p(unknown | known) prod_i s_i(x_i) / Z

by particles (`completion/smc.py`), whose weights each soft pixel multiplies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pointillist.conditioning.known import OBSERVED
from pointillist.errors import ConfigError, ShapeError, check_name
from pointillist.files.arrays import number_array
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.model.protocols import LikelihoodModel

METHODS = ("known", "order", "smc", "sequential")
"""Methods of `inpaint`; `auto` takes the first that the model can do."""
UNWEIGHTED = ("known", "order")
"""Methods that draw from the conditional itself, so that no weight corrects them."""
SOFT = "soft"
"""Name of the method in the result, where soft data weigh the particles."""


def choose_method(
    model: LikelihoodModel,
    known: Bool[np.ndarray, "c h w"],
    name: str = "auto",
    order: str | None = None,
    engine: str = "integer",
) -> tuple[str, PixelOrder]:
    """Choose a method and a generation order for a mask.

    Args:
        known: sub-pixels that are known.
        name: one of `METHODS`; `auto` for the first that the model can do.
        order: name of the order; None for the one in which fewest known sub-pixels come after an unknown one.
        engine: name of the engine, resolved. In floating point each particle has a table of all levels at each pixel,
            which of 16 bits takes minutes and gigabytes: `auto` then draws in order.

    Raises:
        ConfigError: if there is no such method or order, or the model cannot do it for this mask.

    Example:
        choose_method(model, known)[0]  # "order", where the hole is the lower half
    """
    check_name("Unknown `method`", name, ("auto", *METHODS))
    if order is not None:
        chosen = model.order(order)
    else:
        chosen = min(map(model.order, model.orders), key=lambda each: num_late(model, known, each))
    if name != "auto":
        obstacle = _obstacle(name, model, known, chosen)
        if obstacle is not None:
            raise ConfigError(f"`method` (={name!r}) cannot complete this image: {obstacle}")
        return name, chosen
    too_slow = {"smc"} if model.image.is_deep and engine != "integer" else {}
    able = (each for each in METHODS if _obstacle(each, model, known, chosen) is None)
    return next(each for each in able if each not in too_slow), chosen


def num_late(model: LikelihoodModel, known: Bool[np.ndarray, "c h w"], order: PixelOrder) -> int:
    """Count the known sub-pixels that come after the first unknown one in a generation order."""
    rank = sub_pixel_rank(model, known.shape, order)
    return int((rank[known] > rank[~known].min(initial=rank.size)).sum())


def sub_pixel_rank(model: LikelihoodModel, shape: Sequence[int], order: PixelOrder) -> Int[np.ndarray, "c h w"]:
    """Rank of each sub-pixel in the generation order, from 0.

    Example:
        sub_pixel_rank(model, (3, 8, 8), model.order())[:, 0, 0]  # [0, 1, 2]
    """
    channels, height, width = shape
    pixel_rank = model.generation_rank(height, width, order)
    return pixel_rank[None] * channels + np.arange(channels)[:, None, None]


def _obstacle(name: str, model: LikelihoodModel, known: Bool[np.ndarray, "c h w"], order: PixelOrder) -> str | None:
    """Say why a method cannot complete an image; None if it can."""
    if name == "known" and OBSERVED not in model.conditions.readers:
        return "the model was not trained to, with `--completion`. Use auto."
    if name == "order" and num_late(model, known, order):
        return f"known pixels come after unknown ones in the order {order.name}. Use auto."
    return None


def parse_soft(soft: Any, known: Bool[np.ndarray, "c h w"], levels: int) -> Float[np.ndarray, "h w k"]:
    """Parse factors of the probabilities of levels, `[h w k]`; they are 1 where the level is known.

    Raises:
        ShapeError: if they have another shape, or the image has several channels.
        ConfigError: if one is negative or not finite, or a pixel has none above 0.

    Example:
        parse_soft(np.ones((8, 8, 3)), np.zeros((1, 8, 8), bool), 3)
    """
    array = number_array("soft", soft, "an array of probabilities, (h, w, levels)")
    channels, *size = known.shape
    if channels != 1 or array.shape != (*size, levels):
        raise ShapeError(
            f"`soft` of shape {array.shape} must be {(*size, levels)}, and channels (={channels}) must be 1."
        )
    limited = np.where(array < 2.0**-900, array.clip(max=0.0), array.clip(max=2.0**900))  # as weights take them
    if not (np.isfinite(array).all() and (array >= 0).all() and (limited > 0).any(-1).all()):
        raise ConfigError("`soft` must hold probabilities from 0 on, one of them above 0 at each pixel.")
    return np.where(known[0][..., None], 1.0, limited)
