"""The methods of completion, the choice of one by what the model can do, and soft data.

With soft data, factors s_i of the probability of a level at some pixels, completions are drawn from

    p(unknown | known) prod_i s_i(x_i) / Z

by particles of an exact method, drawn by the model alone. In generation order each soft pixel weighs them; where the
effective sample size falls below half of them, they are resampled, and all later pixels are drawn again (Doucet, de
Freitas & Gordon 2001).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.completion.sequential import complete_sequentially, draw_unknown, log_prob_maps
from pointillist.completion.smc import complete_by_smc, same_for_all
from pointillist.completion.task import CompletionTask, Drawn, sub_pixel_rank
from pointillist.conditioning import OBSERVED
from pointillist.engine.particles import effective_sample_size, log_mean_exp, systematic_resampling
from pointillist.errors import ConfigError, ShapeError, check_name
from pointillist.files.arrays import number_array
from pointillist.images.array_types import Bool, Float, Int
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


def parse_soft(soft: Any, shape: tuple[int, int, int], levels: int) -> Float[np.ndarray, "h w k"]:
    """Parse factors of the probabilities of levels, `[h w k]`.

    Raises:
        ShapeError: if they have another shape, or the image has several channels.
        ConfigError: if one is negative or not finite, or a pixel has none above 0.

    Example:
        parse_soft(np.ones((8, 8, 3)), (1, 8, 8), 3)
    """
    array = number_array("soft", soft, "an array of probabilities, (h, w, levels)")
    if shape[0] != 1 or array.shape != (*shape[1:], levels):
        raise ShapeError(
            f"`soft` of shape {array.shape} must be {(*shape[1:], levels)}, and channels (={shape[0]}) must be 1."
        )
    if not (np.isfinite(array).all() and (array >= 0).all() and (array > 0).any(-1).all()):
        raise ConfigError("`soft` must hold probabilities from 0 on, one of them above 0 at each pixel.")
    return array


def with_soft_data(method: Method, mask: LevelMask | None, config: SamplingConfig) -> Method:
    """Return a method by particles of an exact one.

    Args:
        mask: levels that each sub-pixel may have; None for all.

    Raises:
        ConfigError: if the method is not exact, or the levels are restricted too.
    """
    if method.name not in ("known", "order"):
        raise ConfigError(
            f"`soft` needs a model that was trained to complete (`known`): the method {method.name} is not exact."
        )
    if mask is not None or config.best_of > 1:
        raise ConfigError("`soft` cannot be used with `allowed`, `rules` or `best_of`: give levels the probability 0.")
    return replace(method, name=NAME, complete=complete_by_soft_data)


def complete_by_soft_data(task: CompletionTask, candidate: int = 0) -> Drawn:
    """Draw completions given soft data, from `task.particles` particles or one for each completion, if that is more.

    Raises:
        ConfigError: if uniforms are given, completions have different conditions, or no particle fits.
    """
    if task.uniforms.array is not None or not same_for_all(task):
        raise ConfigError("`soft` weighs completions of one image by a seed: leave out `uniforms`, and give one label.")
    assert task.soft is not None
    soft = task.soft
    n, count = len(task.levels), max(len(task.levels), task.particles)
    task = task.copies(np.zeros(count, np.int64))
    rank = task.model.generation_rank(task.shape[1], task.shape[2], task.order)
    cells = np.argwhere((soft != soft[..., :1]).any(-1))
    cells = cells[np.argsort(rank[cells[:, 0], cells[:, 1]], kind="stable")]
    rng = np.random.default_rng([task.seed, task.uniforms.first, candidate, 3])
    levels, passes = _draw_after(task, np.zeros_like(task.known), candidate), 1
    weights, log_norm = np.zeros(count), 0.0
    while len(cells):
        logs = weights[:, None] + np.cumsum(_log_factors(soft, levels, cells), axis=1)
        low = [j for j in range(len(cells) - 1) if _size(logs[:, j]) < count / 2]
        if not low:
            weights = logs[:, -1]
            break
        log_norm += log_mean_exp(logs[:, low[0]])
        ancestors = systematic_resampling(_relative(logs[:, low[0]]), count, rng.random())
        before = rank <= rank[tuple(cells[low[0]])]
        levels = _draw_after(replace(task, observed=(levels[ancestors], task.known)), before[None], passes)
        weights, cells, passes = np.zeros(count), cells[low[0] + 1 :], passes + 1
    return _chosen(task, levels, weights, log_norm, rng.random(), n)


def _chosen(
    task: CompletionTask,
    levels: Int[np.ndarray, "n c h w"],
    weights: Float[np.ndarray, " n"],
    log_norm: float,
    uniform: float,
    n: int,
) -> Drawn:
    """Draw `n` completions from the weighted particles."""
    assert task.soft is not None
    size, log_norm = _size(weights), log_norm + log_mean_exp(weights)
    chosen = levels[systematic_resampling(_relative(weights), n, uniform)]
    inputs = task.inputs[np.zeros(len(chosen), np.int64)]
    maps = log_prob_maps(task.scorer, chosen, inputs, task.order)
    factors = _log_factors(task.soft, chosen, np.argwhere(np.ones(task.shape[1:], bool))).sum(1)
    return Drawn(
        levels=chosen,
        nats=maps[:, task.started].sum(1) + factors,
        whole_nats=maps.reshape(len(maps), -1).sum(1) + factors,
        log_weights=np.zeros(len(chosen)),
        log_evidence=log_norm,
        ess=size,
    )


def _draw_after(task: CompletionTask, before: Bool[np.ndarray, "c h w"], number: int) -> Int[np.ndarray, "n c h w"]:
    """Draw the unknown pixels of all particles, but for pixels that were drawn `before`."""
    held = replace(task, observed=(task.levels, task.known | before))
    count = len(task.levels)
    uniforms = task.uniforms.of(range(count), number)
    parts = np.split(np.arange(count), range(task.config.batch_size, count, task.config.batch_size))
    return np.concatenate([draw_unknown(held, rows, uniforms[rows])[0] for rows in parts])


def _log_factors(
    soft: Float[np.ndarray, "h w k"], levels: Int[np.ndarray, "n c h w"], cells: Int[np.ndarray, "m 2"]
) -> Float[np.ndarray, "n m"]:
    rows, columns = cells.T
    with np.errstate(divide="ignore"):
        result: np.ndarray = np.log(soft[rows, columns, levels[:, 0, rows, columns]])
    return result


def _relative(logs: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return weights over the largest of them.

    Raises:
        ConfigError: if all are 0.
    """
    best = logs.max()
    if best == -np.inf:
        raise ConfigError("No particle has a level that `soft` allows: raise `particles`, or give no probability of 0.")
    weights: np.ndarray = np.exp(logs - best)
    return weights


def _size(logs: Float[np.ndarray, " n"]) -> float:
    return 0.0 if logs.max() == -np.inf else effective_sample_size(logs)
