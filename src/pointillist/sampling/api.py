"""Public `sample`. Needs no torch for a model that is sampled from its integer program."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Unpack

from pointillist.conditioning import Label, count_images
from pointillist.data.options import parse_size
from pointillist.errors import not_a_model
from pointillist.model.folder.opening import open_by_name
from pointillist.model.protocols import GenerativeModel, is_generative
from pointillist.model.vocabulary import log_prompts
from pointillist.sampling.config import SampleKwargs
from pointillist.sampling.generative import OnBatchRow
from pointillist.sampling.plan import SamplePlan
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
    model: GenerativeModel | str | Path,
    n: int | None = None,
    label: Label = None,
    text: Any = None,
    *,
    on_row: OnBatchRow | None = None,
    **settings: Unpack[SampleCallKwargs],
) -> Samples:
    """Sample `n` images.

    Args:
        model: a model, or the name or folder of one; a hierarchy is sampled scale by scale.
        n: number of images; None for one image for each value of the conditions, or a single one.
        label, text: conditions, one value for all images or one for each; None samples without. See
            `ModelConditions.inputs`. A prompt may mean a name that the model shows: see `resolve_prompts`.
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
    requested_size = settings.get("size")
    size = None if requested_size is None else parse_size(requested_size)
    opened = open_by_name(model, settings.get("engine", "auto"), size)
    if not is_generative(opened):
        raise not_a_model(model)
    n = count_images({"label": label, "text": text, **settings}) if n is None else n
    plan = SamplePlan.of(opened, n, label, text, at_once=True, **settings)
    log_prompts(opened, text, n)
    return plan.sample(on_row)
