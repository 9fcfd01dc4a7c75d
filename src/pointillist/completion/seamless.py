"""Public `sample_seamless`: images that tile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack, cast

from pointillist.completion.api import InpaintKwargs
from pointillist.completion.canvas import Canvases, Sides, check_sides, make_seamless
from pointillist.completion.sequential import log_prob_maps
from pointillist.conditioning import Label, count_images
from pointillist.conditioning.inputs import has_prompt
from pointillist.errors import ConfigError
from pointillist.model.folder.opening import open_by_name
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.api import SampleCallKwargs, sample
from pointillist.sampling.config import SampleKwargs, SamplingConfig
from pointillist.sampling.generative import OnBatchRow


def sample_seamless(
    model: LikelihoodModel | str | Path,
    n: int | None = None,
    label: Label = None,
    text: Any = None,
    *,
    sides: Sides = "both",
    on_row: OnBatchRow | None = None,
    **settings: Unpack[SampleCallKwargs],
) -> Canvases:
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
    check_sides(sides)
    opened: Any = open_by_name(model, settings.get("engine", "auto"))
    arguments: Mapping[str, Any] = {"label": label, "text": text, **settings}
    n = count_images(arguments) if n is None else n
    samples = sample(opened, n, label, text, on_row=on_row, **settings)
    sampling = {k: v for k, v in settings.items() if k not in ("seed", "uniforms", "size", "best_of")}
    config, conditions = SamplingConfig.split(cast(SampleKwargs, sampling), opened.generation_config)
    inputs = opened.conditions.inputs(label, n, samples.texts, size=samples.image.shape[1:], **conditions)
    defaults = dict(opened.generation_config.sampling)
    if not (inputs.is_conditional or has_prompt(config.negative_prompt)):
        defaults.pop("guidance", None)  # which a call that completes takes for the user's
    keywords = {**defaults, **sampling, "label": label, "text": text}
    tiles = make_seamless(opened, samples.levels, sides, n, seed=samples.seed, **cast(InpaintKwargs, keywords))
    scorer = opened.scorer("integer" if samples.engine == "integer" else "torch", samples.image.shape[1:])
    maps = log_prob_maps(scorer, tiles.levels, inputs, opened.order(config.order))
    return replace(tiles, nats=maps.reshape(n, -1).sum(1), order=samples.order, texts=samples.texts)
