"""The methods of completion, the choice of one by what the model can do, and soft data.

With soft data, factors s_i of the probability of a level at some pixels, completions are drawn from

    p(unknown | known) prod_i s_i(x_i) / Z

by particles (`smc.py`), whose weights each soft pixel multiplies.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.completion.sequential import complete_sequentially
from pointillist.completion.smc import complete_by_smc
from pointillist.completion.task import CompletionTask, Drawn, sub_pixel_rank
from pointillist.conditioning import OBSERVED
from pointillist.errors import ConfigError, ShapeError, check_name
from pointillist.files.arrays import number_array
from pointillist.images.array_types import Bool, Float
from pointillist.images.ordering import PixelOrder
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.config import SamplingConfig

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


@dataclass(frozen=True)
class Method:
    """A method of completion.

    Attributes:
        name: as `inpaint` takes it.
        complete: draws the completions of a task, candidate k of each.
        uses_observed: True if the known pixels are a condition of the model.
        needs_last_hole: True if all unknown sub-pixels must come after all known ones in the generation order.
    """

    name: str
    complete: Callable[[CompletionTask, int], Drawn]
    uses_observed: bool = False
    needs_last_hole: bool = False


METHODS = {
    method.name: method
    for method in (
        Method("known", complete_sequentially, uses_observed=True),
        Method("order", complete_sequentially, needs_last_hole=True),
        Method("smc", complete_by_smc),
        Method("sequential", complete_sequentially),
    )
}
"""Methods by name; `auto` takes the first that the model can do."""


def choose_method(
    model: LikelihoodModel,
    known: Bool[np.ndarray, "c h w"],
    name: str = "auto",
    order: str | None = None,
    engine: str = "integer",
) -> tuple[Method, PixelOrder]:
    """Choose a method and a generation order for a mask.

    Args:
        known: sub-pixels that are known.
        name: name of the method; `auto` for the first in `METHODS` that the model can do.
        order: name of the order; None for the one in which fewest known sub-pixels come after an unknown one.
        engine: name of the engine, resolved. In floating point each particle has a table of all levels at each pixel,
            which of 16 bits takes minutes and gigabytes: `auto` then draws in order.

    Raises:
        ConfigError: if there is no such method or order, or the model cannot do it for this mask.

    Example:
        choose_method(model, known)[0].name  # "order", where the hole is the lower half
    """
    check_name("Unknown `method`", name, ("auto", *METHODS))
    chosen = model.order(order) if order is not None else best_order(model, known)
    if name == "auto":
        too_slow = {"smc"} if model.image.is_deep and engine != "integer" else {}
        able = (m for m in METHODS.values() if _obstacle(m, model, known, chosen) is None)
        return next(m for m in able if m.name not in too_slow), chosen
    method = METHODS[name]
    obstacle = _obstacle(method, model, known, chosen)
    if obstacle is not None:
        raise ConfigError(f"`method` (={name!r}) cannot complete this image: {obstacle}")
    return method, chosen


def best_order(model: LikelihoodModel, known: Bool[np.ndarray, "c h w"]) -> PixelOrder:
    """Choose the order of a model in which fewest known sub-pixels come after the first unknown one.

    Example:
        best_order(model, known).name  # "raster-bl", where the upper half is unknown
    """
    orders = [model.order(name) for name in model.orders]
    return min(orders, key=lambda order: num_late(model, known, order))


def num_late(model: LikelihoodModel, known: Bool[np.ndarray, "c h w"], order: PixelOrder) -> int:
    """Count the known sub-pixels that come after the first unknown one in a generation order."""
    rank = sub_pixel_rank(model, known.shape, order)
    return int((rank[known] > rank[~known].min(initial=rank.size)).sum())


def _obstacle(
    method: Method, model: LikelihoodModel, known: Bool[np.ndarray, "c h w"], order: PixelOrder
) -> str | None:
    """Say why a method cannot complete an image; None if it can."""
    if method.uses_observed and OBSERVED not in model.conditions.readers:
        return "the model was not trained to, with `--completion`. Use auto."
    if method.needs_last_hole and num_late(model, known, order):
        return f"known pixels come after unknown ones in the order {order.name}. Use auto."
    return None


NAME = "soft"
"""Name of the method in the result."""


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


def with_soft_data(method: Method, mask: LevelMask | None, config: SamplingConfig) -> Method:
    """Return the method by particles, which soft data weigh, with the condition of another method.

    Args:
        mask: levels that each sub-pixel may have; None for all.

    Raises:
        ConfigError: if the method is `sequential`, or the levels are restricted too.
    """
    if method.name == "sequential":
        raise ConfigError("`soft` weighs particles, and the method sequential draws none: use auto.")
    if mask is not None or config.best_of > 1:
        raise ConfigError("`soft` cannot be used with `allowed`, `rules` or `best_of`: give levels the probability 0.")
    return replace(method, name=NAME, complete=complete_by_smc)
