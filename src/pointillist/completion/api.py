"""Complete images: the public call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from pointillist.completion.cells import CELL_FILES, ObservedCells, read_cells
from pointillist.completion.methods import Method, choose_method, parse_soft, with_soft_data
from pointillist.completion.result import Completions
from pointillist.completion.task import CompletionTask
from pointillist.conditioning import Label, labels_from_input, parse_mask
from pointillist.errors import ConfigError
from pointillist.files.reading import check_file
from pointillist.images.array_types import Bool, Float, Int
from pointillist.model.batches import SingleImage, read_image
from pointillist.model.folder.opening import open_scored
from pointillist.model.protocols import LikelihoodModel
from pointillist.model.vocabulary import log_notes, read_prompts
from pointillist.sampling.candidates import best_of, unconditional_nats
from pointillist.sampling.config import SampleKwargs, SamplingConfig, choose_model_engine, split_keywords
from pointillist.sampling.request import Request
from pointillist.sampling.task import OnRow
from pointillist.sampling.uniforms import check_count

_REQUEST: Mapping[str, Any] = {"label": None, "text": None, "first": 0, "soft": None, "defaults": None}
"""Keywords of `inpaint` that are not settings of sampling, with their defaults."""
_OWN = (*_REQUEST, "particles", "moves", "on_row")


class InpaintKwargs(SampleKwargs, total=False):
    """Keywords of `inpaint`: conditions, settings of sampling and of Sequential Monte Carlo.

    Attributes:
        label, text: conditions, one value for all completions or one for each.
        first: number of the first completion, from which its uniforms follow; 0.
        particles: mean number, in a row, of the histories that `smc` draws together; 64.
        moves: single-pixel moves of each completion after `smc`; 4.
        soft: soft data, `[h w k]`: a factor of the probability of each level at each pixel, 1 where nothing is known.
        on_row: called after each row of a batch and each move, as in `sample`; an exception that it raises ends
            the work.
    """

    label: Label
    text: Any
    first: int
    particles: int
    moves: int
    on_row: OnRow | None
    soft: Float[np.ndarray, "h w k"] | None
    defaults: Mapping[str, Any] | None


def inpaint(
    model: LikelihoodModel | str | Path,
    image: Any,
    known: Bool[np.ndarray, "h w"] | Bool[np.ndarray, "c h w"] | None = None,
    n: int = 8,
    method: str = "auto",
    allowed: Bool[np.ndarray, "h w k"] | Bool[np.ndarray, "c h w k"] | None = None,
    *,
    seed: int | None = None,
    uniforms: Float[np.ndarray, "n c h w"] | None = None,
    **settings: Unpack[InpaintKwargs],
) -> Completions:
    """Draw `n` completions of an image from the distribution of its unknown pixels given the known ones.

    Args:
        image: levels `[c h w]`, a picture (PIL, uint8 `[h w]` or `[h w 3]`) or a path; read where it is known. Its
            levels are kept to the bit there, and the colours of a picture too. Without `known`, `ObservedCells`, or a
            table of them (`read_cells`): hard and soft data by coordinates.
        known: pixels `[h w]` or sub-pixels `[c h w]` to keep, boolean; None for observed cells.
        n: number of completions.
        method: how they are drawn; `auto` takes the first that the model can do.
            `known`: by a model that was trained to complete images (`train --completion`); exact for any mask.
            `order`: in a generation order of the model in which the hole comes last; exact.
            `smc`: by Sequential Monte Carlo, for any model; exact in the limit of many particles.
            `sequential`: in generation order, ignoring known pixels that come later; `log_weights` correct for it.
        allowed: levels that each pixel `[h w k]` or sub-pixel `[c h w k]` may have, boolean. A draw is renormalised
            over them, and the weights correct for it.
        seed: completion i depends on (seed, i) alone, except with `smc`; None draws a new seed.
        uniforms: numbers in [0, 1), one for each sub-pixel, instead of a seed. The same uniforms draw the same levels
            from the same distributions, whatever is known.
        settings: `label`, `text` and further conditions; `guidance`, `temperature`, `top_p`, `engine`, `order`, ...
            (see `SamplingConfig`); `particles` and `moves` of `smc`; `soft` data.

    Returns:
        the completions, the most probable one first; of observed cells in the order in which they were drawn, so that
        the first of them are a sample, too.

    Raises:
        ShapeError, DataError, ConfigError, EngineError: naming the argument that is wrong.

    Example:
        known = np.zeros((28, 28), bool)
        known[:14] = True
        pt.inpaint(model, "half.png", known, n=4, seed=0).images[0].save("whole.png")
        pt.inpaint(model, "holes.csv", n=100, seed=0).nats  # log p(all unknown cells | holes) of each realisation
    """
    model = open_scored(model, settings.get("engine", "auto"))
    realises = known is None
    if known is None:
        cells = observed_cells(model, image)
        read, known = SingleImage(cells.levels[None]), cells.known
        settings["soft"] = cells.soft
    else:
        read = read_image(model, image)
    check_count(n, read.levels.shape[1:])
    x = np.broadcast_to(read.levels, (n, *read.levels.shape[1:]))
    log_notes(read_prompts(model, settings.get("text"), n))
    out = complete_images(model, x, known, method, allowed, seed=seed, uniforms=uniforms, **settings)
    return replace(out if realises else out.sorted(), picture=read.picture)


def observed_cells(model: LikelihoodModel, cells: Any, size: tuple[int, int] | None = None) -> ObservedCells:
    """Return observed cells, or read them from a table.

    Raises:
        ConfigError: if it is something else, or the model has another size.
        DataError: if the table cannot be read; see `read_cells`.

    Example:
        observed_cells(model, "holes.csv", (100, 100)).known.sum()
    """
    if isinstance(cells, (str, Path)):
        check_file(Path(cells))
    if isinstance(cells, (str, Path)) and Path(cells).suffix.lower() in CELL_FILES:
        cells = read_cells(cells, model.image, size)
    if not isinstance(cells, ObservedCells):
        raise ConfigError(
            f"`known` is missing: say which pixels of the image to keep, or give observed cells, such as a table "
            f"({', '.join(CELL_FILES)})."
        )
    model.check_array(cells.levels[None])
    return cells


def complete_images(
    model: LikelihoodModel,
    levels: Int[np.ndarray, "n c h w"],
    known: Any,
    method: str = "auto",
    allowed: Any = None,
    *,
    seed: int | None = None,
    uniforms: Any = None,
    **settings: Unpack[InpaintKwargs],
) -> Completions:
    """Draw one completion of each of several images, which share the mask; unsorted.

    Args:
        levels: checked images.
        known, method, allowed, seed, uniforms, settings: as for `inpaint`.

    Raises:
        ShapeError, ConfigError, EngineError: as `inpaint`.

    Example:
        complete_images(model, images, known, seed=0).levels
    """
    n, shape = len(levels), (levels.shape[1], levels.shape[2], levels.shape[3])
    mask = parse_mask(known, (1, *shape))[0]
    own: dict[str, Any] = {name: value for name, value in settings.items() if name in _OWN}
    label, text, first, soft, defaults = (own.pop(name, default) for name, default in _REQUEST.items())
    drawing: Any = {name: value for name, value in settings.items() if name not in _OWN}
    sampling, conditions = split_keywords(drawing)
    request = Request(
        n=n,
        conditions={"label": label, "text": text, **conditions},
        settings=sampling,
        defaults=defaults,
        seed=seed,
        uniforms=uniforms,
        first=first,
        size=shape[1:],
        known=(levels, mask),
        allowed=allowed,
    )
    config = SamplingConfig(**{**(defaults or {}), **sampling})
    engine = choose_model_engine(model, config.engine, shape[1:]).engine
    chosen, order = choose_method(model, mask, method, config.order, engine)
    draws = request.resolve(model, order=order, observes=chosen.uses_observed, weighted=True, at_once=True)
    if soft is not None:
        soft = parse_soft(soft, mask, model.image.levels)
        chosen = with_soft_data(chosen, draws.mask, config)
    task = CompletionTask.from_draws(draws, **own, soft=soft)
    return replace(run_task(task, chosen), texts=None if task.texts is None else tuple(task.texts))


def run_task(task: CompletionTask, method: Method) -> Completions:
    """Draw the completions of a task, the best of several candidates each where its config says so; unsorted.

    Raises:
        ConfigError, EngineError: as `inpaint`.
    """
    model, count = task.model, len(task.levels)
    offset = np.zeros(count)

    def draw(candidate: int) -> Completions:
        draws = method.complete(task, candidate)
        if candidate == 0:
            offset[:] = draws.whole_nats - draws.nats + draws.log_evidence
        return Completions(
            levels=draws.levels,
            nats=draws.whole_nats,
            image=model.image.resized(*task.shape[1:]),
            labels=labels_from_input(task.inputs.parts.get("label"), count),
            seed=task.uniforms.seed,
            engine=task.config.engine,
            order=task.order.name,
            tileset=model.tileset,
            method=method.name,
            known=task.known,
            numbers=np.arange(count),
            log_weights=draws.log_weights,
            ess=draws.ess,
            acceptance=draws.acceptance,
            tries=draws.tries,
        )

    out = best_of(
        task.config.best_of, draw, lambda levels: unconditional_nats(task.scorer, levels, task.inputs, task.order)
    )
    return replace(out, nats=out.nats - offset)
