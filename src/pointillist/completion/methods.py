"""The methods of completion, and the choice of one by what the model can do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool

from pointillist.completion.sequential import complete_sequentially
from pointillist.completion.smc import complete_by_smc
from pointillist.completion.task import CompletionTask, Draws, sub_pixel_rank
from pointillist.conditioning import OBSERVED
from pointillist.errors import ConfigError
from pointillist.images.ordering import PixelOrder
from pointillist.model.protocols import LikelihoodModel


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
    complete: Callable[[CompletionTask, int], Draws]
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
    model: LikelihoodModel, known: Bool[np.ndarray, "c h w"], name: str = "auto", order: str | None = None
) -> tuple[Method, PixelOrder]:
    """Choose a method and a generation order for a mask.

    Args:
        known: sub-pixels that are known.
        name: name of the method; `auto` for the first in `METHODS` that the model can do.
        order: name of the order; None for the one in which fewest known sub-pixels come after an unknown one.

    Raises:
        ConfigError: if there is no such method or order, or the model cannot do it for this mask.

    Example:
        choose_method(model, known)[0].name  # "order", where the hole is the lower half
    """
    if not isinstance(name, str) or name not in (*METHODS, "auto"):
        raise ConfigError(f"`method` (={name!r}) must be auto, {', '.join(METHODS)}.")
    chosen = model.order(order) if order is not None else best_order(model, known)
    if name == "auto":
        return next(m for m in METHODS.values() if _obstacle(m, model, known, chosen) is None), chosen
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
