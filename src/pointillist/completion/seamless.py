"""Public `sample_seamless`: images that tile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np

from pointillist.completion.canvas import Painter, Sides, check_sides, tile
from pointillist.completion.result import Completions
from pointillist.completion.sequential import log_prob_maps
from pointillist.conditioning import Label
from pointillist.errors import ConfigError
from pointillist.images.pictures import sum_images
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.api import SampleCallKwargs, open_draws
from pointillist.sampling.config import OnBatchRow
from pointillist.sampling.draws import Draws


def sample_seamless(
    model: LikelihoodModel | str | Path,
    n: int | None = None,
    label: Label = None,
    text: Any = None,
    *,
    sides: Sides = "both",
    on_row: OnBatchRow | None = None,
    **settings: Unpack[SampleCallKwargs],
) -> Completions:
    """Sample `n` images that tile.

    An image is sampled and rolled by half, so that its edges meet in the middle; the band of a quarter of the side
    across this seam is drawn again, from the distribution of its pixels given all others. With `both`, rows follow
    columns, and at last the place where the seams cross. Each of these draws follows the exact conditional where
    `inpaint` is exact (`methods` says how each was drawn); the image as a whole follows the model on each window, not
    one distribution on the torus, which a model in generation order does not define.

    Args:
        n, label, text, settings: see `sample`; `uniforms` cannot be given, as some pixels are drawn twice.
        sides: `x`, `y` or `both` for images that tile from left to right, from top to bottom, or both.
        on_row: called after each row of an image, before its seams are drawn; see `sample`.

    Returns:
        the images, with their log-likelihood in nats.

    Raises:
        ConfigError, ShapeError, EngineError, DataError: as `sample` and `inpaint`.

    Example:
        pt.sample_seamless("tiles", 4, sides="x", seed=0)[0].save("tile.png")
    """
    if settings.get("uniforms") is not None:
        raise ConfigError(
            "`uniforms` cannot be used for images that tile, as some pixels are drawn twice: give a seed."
        )
    return sample_tiling(open_draws(model, n, label, text, settings), sides, on_row)


def sample_tiling(draws: Draws, sides: Sides, on_row: OnBatchRow | None = None) -> Completions:
    """Sample the images of a resolved request so that they tile; see `sample_seamless`.

    Example:
        sample_tiling(Request.of(4, seed=1).resolve(model), "x")
    """
    check_sides(sides)
    samples, settings = draws.sample(on_row), dict(draws.request.settings)
    settings.pop("best_of", None)
    completing = replace(
        draws.request,
        prompts=draws.prompts,
        settings=settings,
        defaults=draws.model.generation_config.sampling,
        method="auto",
        seed=samples.seed,
    )
    tiles = tile(Painter(draws.model, samples.levels, completing), sides)
    nats = sum_images(log_prob_maps(replace(draws, inputs=draws.encoded), tiles.levels))
    sampled = np.zeros(tiles.levels.shape, bool)  # every pixel
    return replace(tiles, nats=nats, known=sampled, order=samples.order, texts=samples.texts)
