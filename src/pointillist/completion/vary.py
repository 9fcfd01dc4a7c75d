"""Variations of an image: a share of its pixels is drawn again, given all others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from pointillist.completion.api import InpaintKwargs, complete, completion_request
from pointillist.completion.result import Completions
from pointillist.errors import ABOVE_0, ConfigError, Range, member_of
from pointillist.files.arrays import boolean_array
from pointillist.files.suggestions import arguments
from pointillist.images.array_types import Bool
from pointillist.model.folder.image_sources import SingleImage, read_image
from pointillist.model.folder.opening import open_scored
from pointillist.model.protocols import LikelihoodModel
from pointillist.model.vocabulary import log_notes
from pointillist.sampling.request import Request
from pointillist.sampling.uniforms import check_count, seed_of

_REACH = 2
"""Pixels over which noise is averaged in each direction: connected regions are about this large."""


_PURPOSE = 2
"""Last number of the seed of a mask; a candidate of `best_of` has others."""


def _regions(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Average noise over squares, twice, so that its highest places are connected."""
    noise = rng.random((size[0] + 4 * _REACH, size[1] + 4 * _REACH))
    for _ in range(2):
        height, width = noise.shape[0] - 2 * _REACH, noise.shape[1] - 2 * _REACH
        rows = np.stack([noise[i : i + height] for i in range(2 * _REACH + 1)]).sum(0)
        noise = np.stack([rows[:, j : j + width] for j in range(2 * _REACH + 1)]).sum(0)
    return np.asarray(noise)


PATTERNS: Mapping[str, Callable[[np.random.Generator, tuple[int, int]], np.ndarray]] = {
    "regions": _regions,
    "scattered": np.random.Generator.random,
}
"""Function that ranks pixels by name: the highest are drawn again."""


def vary(
    model: LikelihoodModel | str | Path,
    image: Any,
    share: float = 0.3,
    n: int = 8,
    pattern: str = "regions",
    keep: Bool[np.ndarray, "h w"] | None = None,
    *,
    seed: int | None = None,
    **settings: Unpack[InpaintKwargs],
) -> Completions:
    """Draw variations of an image: a share of its pixels again, from their distribution given the others.

    Args:
        image: levels `[c h w]`, a picture or a path, as for `inpaint`.
        share: share of the pixels that are drawn again, in (0, 1].
        n: number of variations.
        pattern: `regions` draws connected regions again, `scattered` single pixels; both by the seed.
        keep: pixels that always stay, bool.
        seed: variation i depends on (seed, i) alone, its pixels too; None draws a new seed.
        settings: as for `inpaint`; `rules` hold in every variation.

    Raises:
        ShapeError, DataError, ConfigError, EngineError: naming the argument that is wrong.

    Example:
        pt.vary("digits", "seven.png", 0.3, n=20, label=7, seed=0).images[0]
    """
    model = open_scored(model, settings.get("engine", "auto"))
    return redraw(model, read_image(model, image), completion_request(n, seed=seed, **settings), share, pattern, keep)


@arguments(
    share=Range(ABOVE_0, 1, "lie in (0, 1]: the share of pixels that are drawn again"),
    pattern=member_of("Unknown `pattern`", PATTERNS),
)
def redraw(
    model: LikelihoodModel,
    read: SingleImage,
    request: Request,
    share: float,
    pattern: str = "regions",
    keep: Bool[np.ndarray, "h w"] | None = None,
) -> Completions:
    """Draw the variations of an image that a request asks for; see `vary`.

    Example:
        redraw(model, read_image(model, "seven.png"), completion_request(20, seed=0), 0.3)
    """
    x, n = read.levels, request.n
    check_count(n, x.shape[1:])
    size = (x.shape[2], x.shape[3])
    fixed = np.zeros(size, bool) if keep is None else boolean_array("keep", keep, size)
    if fixed.all():
        raise ConfigError(f"`keep` (={int(fixed.sum())} pixels) leaves no pixel to draw again: clear some.")
    begin, first = seed_of(request.seed), request.first
    each, results = replace(request, n=1, first=0, size=None), list[Completions]()
    for number in range(first, first + n):
        rng = np.random.default_rng([begin, number, _PURPOSE])
        known = ~draw_hole(rng, size, share, pattern, fixed)
        draws = replace(each, known=(x, known), seed=int(rng.integers(2**53))).resolve(model)
        if draws.prompts is not None and number == first:
            log_notes(draws.prompts)
            each = replace(each, prompts=draws.prompts)
        results.append(complete(draws))
    return replace(
        Completions.concat(results),
        methods=tuple(result.method for result in results),
        orders=tuple(result.order for result in results),
        numbers=np.arange(first, first + n),
        seed=begin,
        ess=float(n),
        picture=read.picture,
    )


def draw_hole(
    rng: np.random.Generator, size: tuple[int, int], share: float, pattern: str, keep: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"]:
    """Choose the pixels that are drawn again: a share of those that need not stay, at least one.

    Example:
        draw_hole(np.random.default_rng(0), (8, 8), 0.25, "regions", np.zeros((8, 8), bool)).sum()  # 16
    """
    ranks = np.where(keep, -np.inf, PATTERNS[pattern](rng, size)).reshape(-1)
    count = max(1, round(share * int((~keep).sum())))
    hole = np.zeros(ranks.size, bool)
    hole[np.argsort(-ranks, kind="stable")[:count]] = True
    return hole.reshape(size)
