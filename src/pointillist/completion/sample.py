"""Sample images, also such that tile: the public call."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack, cast

import numpy as np
from jaxtyping import Float
from torch import Tensor

from pointillist.completion.api import InpaintKwargs, log_prompts
from pointillist.completion.canvas import Sides, check_sides, make_seamless
from pointillist.completion.sequential import log_prob_maps
from pointillist.conditioning import Label, count_images
from pointillist.errors import ConfigError
from pointillist.model.folder.portable import PortableModel
from pointillist.model.folder.pretrained import as_model
from pointillist.model.integer import compare_weights_once
from pointillist.model.pixel_model import PixelModel
from pointillist.sampling.config import SampleKwargs, SamplingConfig
from pointillist.sampling.generative import GenerativeModel, OnBatchRow, SelfSampling
from pointillist.sampling.plan import SamplePlan
from pointillist.sampling.samples import Samples


class SampleCallKwargs(SampleKwargs, total=False):
    """Keywords of `sample`: sampling settings and conditions, and where images begin.

    Attributes:
        seed: image i depends on (seed, i) alone, not on `n` or `batch_size`; None draws a new seed.
        uniforms: numbers in [0, 1), one for each sub-pixel, `[n c h w]`, instead of a seed.
        size: 32, 48x64 or `(height, width)` instead of the model's own.
    """

    seed: int | None
    uniforms: Float[Tensor, "n c h w"] | np.ndarray | None
    size: int | str | tuple[int, int] | None


def sample(
    model: GenerativeModel | str | Path,
    n: int | None = None,
    label: Label = None,
    text: Any = None,
    *,
    seamless: Sides | None = None,
    on_row: OnBatchRow | None = None,
    **settings: Unpack[SampleCallKwargs],
) -> Samples:
    """Sample `n` images.

    Args:
        model: a model, or the name or folder of one; a hierarchy is sampled scale by scale.
        n: number of images; None for one image for each value of the conditions, or a single one.
        label, text: conditions, one value for all images or one for each; None samples without. See
            `ModelConditions.inputs`. A prompt may mean a name that the model shows: see `resolve_prompts`.
        seamless: `x`, `y` or `both` for images that tile from left to right, from top to bottom, or both. An image is
            sampled and rolled by half, so that its edges meet in the middle; the band of a quarter of the side across
            this seam is drawn again, from the distribution of its pixels given all others. With `both`, rows follow
            columns, and at last the place where the seams cross. Each of these draws follows the exact conditional
            where `inpaint` is exact (`methods` says how each was drawn); the image as a whole follows the model on
            each window, not one distribution on the torus, which a model in generation order does not define.
        on_row: called after each row of a stage (each column, where the order runs along columns) with the number of
            images finished before this batch, the rows done (in rows of the raster frame), and the batch's levels.
        settings: `seed`, `uniforms`, `size` (see `SampleCallKwargs`); `guidance`, `temperature`, `top_p` (where left
            out, the model's own: `generation_config`), `engine`, `order`, `threads`, `batch_size` (see
            `SamplingConfig`), and conditions other than `label` and `text` (see `ConditionKwargs`).

    Returns:
        the images, with their log-likelihood in nats; with `seamless`, `Canvases`. A prompt that the model was not
        measured to show is logged as a warning, with the nearest names that it shows.

    Raises:
        ConfigError, ShapeError, EngineError: naming the argument that is wrong.
        DataError: if the images do not fit in memory.

    Example:
        model = pt.load("digits")
        pt.sample(model, 16, label=3, guidance=2.0, seed=0).save("threes.png")
        pt.sample("icons", text=["heart", "home"])[1]  # a picture of the second
    """
    if not isinstance(model, (PortableModel, SelfSampling)):
        model = as_model(model)  # type: ignore[arg-type]
    n = count_images({"label": label, "text": text, **settings}) if n is None else n
    if seamless is not None:
        if not isinstance(model, PixelModel):
            raise ConfigError(f"`seamless` (={seamless}) needs a pixel model, loaded with torch: leave it out.")
        if settings.get("uniforms") is not None:
            raise ConfigError("`uniforms` cannot be used with `seamless`, which draws some pixels twice: give a seed.")
        check_sides(seamless)
    with compare_weights_once():
        plan = SamplePlan.of(model, n, label, text, at_once=True, **settings)
        log_prompts(model, text, n)
        result = Samples.of(plan.sample(on_row))
    if seamless is None or not isinstance(model, PixelModel):
        return result
    sampling = {k: v for k, v in settings.items() if k not in ("seed", "uniforms", "size", "best_of")}
    keywords = {**model.generation_config.sampling, **sampling, "label": label, "text": text}
    tiles = make_seamless(model, result.levels, seamless, n, seed=result.seed, **cast(InpaintKwargs, keywords))
    config, conditions = SamplingConfig.split(cast(SampleKwargs, sampling), model.generation_config)
    inputs = model.conditions.inputs(label, n, plan.texts, size=result.image.shape[1:], **conditions)
    maps = log_prob_maps(model, tiles.levels, inputs, model.order(config.order), result.engine)
    return replace(tiles, nats=maps.flatten(1).sum(1), order=result.order, texts=result.texts)
