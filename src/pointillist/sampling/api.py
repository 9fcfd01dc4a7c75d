"""Public `sample`: images from any model, by inverse CDF from given uniforms.

So any two engines can be compared, and any range of the images can be drawn by itself. Needs no torch for a model that
is sampled from its integer program.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

from pointillist.conditioning import Label, count_images
from pointillist.data.options import parse_size
from pointillist.model.folder.opening import open_scored
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.config import OnBatchRow, SampleKwargs
from pointillist.sampling.draws import Draws
from pointillist.sampling.request import Request
from pointillist.sampling.samples import Samples


class SampleCallKwargs(SampleKwargs, total=False):
    """Keywords of `sample`: sampling settings and conditions, and where images begin.

    Attributes:
        seed: image i depends on (seed, i) alone, not on `n` or `batch_size`; None draws a new seed.
        uniforms: numbers in [0, 1), one for each sub-pixel, `[n c h w]`, an array or a tensor, instead of a seed.
        size: 32, 48x64 or `(height, width)` instead of the model's own.
    """

    seed: int | None
    uniforms: Any
    size: int | str | tuple[int, int] | None


def sample(
    model: LikelihoodModel | str | Path,
    n: int | None = None,
    label: Label = None,
    text: Any = None,
    *,
    on_row: OnBatchRow | None = None,
    **settings: Unpack[SampleCallKwargs],
) -> Samples:
    """Sample `n` images.

    Args:
        model: a model, or the name or folder of one.
        n: number of images; None for one image for each value of the conditions, or a single one.
        label, text: conditions, one value for all images or one for each; None samples without. See
            `ModelConditions.inputs`. A prompt may mean a name that the model shows: see `read_prompts`.
        on_row: called after each row of a stage (each column, where the order runs along columns) with the number of
            images finished before this batch, the rows done (in rows of the raster frame), and the batch's levels.
        settings: `seed`, `uniforms`, `size` (see `SampleCallKwargs`); `guidance`, `temperature`, `top_p` (where left
            out, the model's own: `generation_config`), `engine`, `order`, `threads`, `batch_size` (see
            `SamplingConfig`), and conditions other than `label` and `text` (see `ConditionKwargs`).

    Returns:
        the images, with their log-likelihood in nats. A prompt that the model was not
        measured to show is logged as a warning, with the nearest names that it shows.

    Raises:
        ConfigError, ShapeError, EngineError: naming the argument that is wrong.
        DataError: if the images do not fit in memory.

    Example:
        model = pt.load("digits")
        pt.sample(model, 16, label=3, guidance=2.0, seed=0).save("threes.png")
        pt.sample("icons", text=["heart", "home"])[1]  # a picture of the second
    """
    return open_draws(model, n, label, text, settings).sample(on_row)


def open_draws(
    model: LikelihoodModel | str | Path, n: int | None, label: Label, text: Any, settings: SampleCallKwargs
) -> Draws:
    """Open the model of a call of `sample`, resolve its request, and log what is said about its prompts.

    Example:
        open_draws("digits", 4, 3, None, {"seed": 0}).sample()
    """
    keywords: Any = dict(settings)
    requested_size = keywords.pop("size", None)
    size = None if requested_size is None else parse_size(requested_size)
    opened = open_scored(model, keywords.get("engine", "auto"), size)
    n = count_images({"label": label, "text": text, **keywords}) if n is None else n
    draws = replace(Request.of(n, label, text, **keywords), size=size).resolve(opened, at_once=True)
    if draws.prompts is not None:
        from pointillist.model.vocabulary import log_notes

        log_notes(draws.prompts)
    return draws
