"""Complete images: the public call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from pointillist.completion.cells import CELL_FILES, ObservedCells, read_cells
from pointillist.completion.result import Completions
from pointillist.completion.sequential import complete_sequentially
from pointillist.completion.smc import complete_by_smc
from pointillist.conditioning import Label
from pointillist.errors import ConfigError
from pointillist.files.reading import check_file
from pointillist.images.array_types import Bool, Float
from pointillist.model.folder.image_sources import SingleImage, read_image
from pointillist.model.folder.opening import open_scored
from pointillist.model.protocols import LikelihoodModel
from pointillist.model.vocabulary import log_notes
from pointillist.sampling.config import OnRow, SampleKwargs
from pointillist.sampling.draws import Draws, best_of
from pointillist.sampling.methods import SOFT
from pointillist.sampling.request import Request

_OF_REQUEST = ("first", "particles", "moves", "soft", "on_row")
"""Keywords of `inpaint` that are fields of `Request`, apart from its arguments."""


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
    request = completion_request(n, method, seed=seed, uniforms=uniforms, **settings)
    draws = replace(request, known=(read.levels, known), allowed=allowed).resolve(model, at_once=True)
    log_notes(draws.prompts)
    out = complete(draws)
    return replace(out if realises else out.sorted(), picture=read.picture)


def completion_request(
    n: int, method: str = "auto", *, seed: int | None = None, uniforms: Any = None, **settings: Unpack[InpaintKwargs]
) -> Request:
    """Make a request of keywords of `inpaint`, before it is said what is known.

    Raises:
        TypeError: for a keyword that is neither a setting nor a condition.

    Example:
        completion_request(4, label=3, seed=0)
    """
    keywords: Any = {name: value for name, value in settings.items() if name not in _OF_REQUEST}
    further: Any = {name: value for name, value in settings.items() if name in _OF_REQUEST}
    return replace(Request.of(n, seed=seed, uniforms=uniforms, **keywords), method=method, **further)


def observed_cells(
    model: LikelihoodModel, cells: Any, size: tuple[int, int] | None = None, **grid: Any
) -> ObservedCells:
    """Return observed cells, or read them from a table; `grid` has the `origin` and the side of a `cell`.

    Raises:
        ConfigError: if it is something else, or the model has another size.
        DataError: if the table cannot be read; see `read_cells`.

    Example:
        observed_cells(model, "holes.csv", (100, 100)).known.sum()
    """
    if isinstance(cells, (str, Path)):
        if Path(cells).suffix.lower() in CELL_FILES:
            return read_cells(cells, model.image, size, **grid)
        check_file(Path(cells))
    if not isinstance(cells, ObservedCells):
        raise ConfigError(
            f"`known` is missing: say which pixels of the image to keep, or give observed cells, such as a table "
            f"({', '.join(CELL_FILES)})."
        )
    model.check_array(cells.levels[None])
    return cells


def complete(draws: Draws) -> Completions:
    """Draw the completions of a resolved request, the best of several candidates each where it asks for them; unsorted.

    Raises:
        ConfigError, EngineError: as `inpaint`.

    Example:
        complete(replace(completion_request(4, seed=0), known=(levels, mask)).resolve(model))
    """
    offset = np.zeros(draws.count)

    def draw(candidate: int) -> Completions:
        method = complete_by_smc if draws.method in ("smc", SOFT) else complete_sequentially
        out, not_drawn = method(draws, candidate)
        if candidate == 0:
            offset[:] = not_drawn
        return out

    out = best_of(draws, draw)
    return replace(out, nats=out.nats - offset)
