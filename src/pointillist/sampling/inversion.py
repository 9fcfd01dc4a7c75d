"""Invert sampling: the uniforms that give an image, and uniforms near them.

An image follows from its uniforms by inverse CDF, sub-pixel by sub-pixel. So the uniforms of an image are known up to
an interval each: u lies in [F(x - 1), F(x)), where F is the distribution that its level x was drawn from. Sampling with
such uniforms gives the image again; with some of them, or with uniforms near them, it gives a variation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist
from typing import Any, Unpack

import numpy as np
from jaxtyping import Float, Int

from pointillist.conditioning import ConditionInputs, Label
from pointillist.engine.head.transform import transform_frequencies
from pointillist.errors import ConfigError, EngineError
from pointillist.model.batches import single_image
from pointillist.model.folder.opening import open_scored
from pointillist.model.protocols import LikelihoodModel
from pointillist.portable.scorer import ProgramScorer
from pointillist.sampling.api import SamplePlan
from pointillist.sampling.candidates import negative_inputs
from pointillist.sampling.config import SampleKwargs, SamplingConfig, resolve_engine
from pointillist.sampling.program import as_program, guided_inputs
from pointillist.sampling.uniforms import INTERVAL_TOLERANCE, UniformIntervals, seeded_uniforms

_MOST_REPAIRS = 200


def recover_uniforms(
    model: LikelihoodModel | str | Path,
    image: Any,
    label: Label = None,
    text: Any = None,
    *,
    seed: int = 0,
    **settings: Unpack[SampleKwargs],
) -> Float[np.ndarray, "1 c h w"]:
    """Find uniforms from which `sample` draws an image, by inverting its distributions.

    Args:
        model: a model, or the name or folder of one.
        image: levels `[c h w]`, a PIL image or a path.
        label, text: conditions with which it is to be sampled.
        seed: chooses the uniforms, within the interval that gives each level.
        settings: further conditions and sampling settings, as for `sample`; the model's own where left out.

    Returns:
        one number in [0, 1) for each sub-pixel; the image was sampled from them and compared.

    Raises:
        ConfigError: if a level has probability zero under the settings.
        EngineError: if the engine does not draw the image from any uniforms.
        ShapeError, DataError: naming the argument that is wrong.

    Example:
        uniforms = pt.recover_uniforms("digits", "three.png", label=3)
        pt.sample("digits", 1, label=3, uniforms=uniforms).levels  # those of three.png
    """
    given = settings.get("engine", "auto")
    opened = open_scored(model, given)
    x = single_image(opened, image)
    config, conditions = SamplingConfig.split(settings, opened.generation_config)
    if config.best_of != 1:
        raise ConfigError(f"`best_of` (={config.best_of}) chooses between images: leave it out to invert one.")
    size = (x.shape[2], x.shape[3])
    config = replace(config, engine=resolve_engine(opened, config.engine, size))
    inputs = opened.conditions.inputs(label, 1, text, size=size, **conditions)
    negative = negative_inputs(opened.conditions, config.negative_prompt, 1, size)
    intervals = UniformIntervals.of(x.shape, config.transform)
    if config.engine == "integer":
        scorer = as_program(opened.scorer("integer", size))
        _invert_program(scorer, x, inputs, negative, config, intervals)
    else:
        from pointillist.sampling.pixel import invert_floats

        invert_floats(opened, x, inputs, negative, config, intervals)  # type: ignore[arg-type]

    def draw(uniforms: np.ndarray) -> Int[np.ndarray, "1 c h w"]:
        return SamplePlan.of(opened, 1, label, text, uniforms=uniforms, size=size, **settings).draw(0, 1).levels

    order = opened.generation_rank(*size, opened.order(config.order))
    return _repaired(intervals, seeded_uniforms(seed, [0], x.shape[1:]), x, order, draw)


def _invert_program(
    scorer: ProgramScorer,
    x: Int[np.ndarray, "1 c h w"],
    inputs: ConditionInputs,
    negative: ConditionInputs | None,
    config: SamplingConfig,
    intervals: UniformIntervals,
) -> None:
    """Note the intervals of an image under an integer program, in integers."""
    size, order = (x.shape[2], x.shape[3]), scorer.integers.order(config.order)
    encoded, transform = guided_inputs(scorer, inputs, negative, size, order, config.transform)
    copies = 1 + transform.is_guided
    steps = scorer.integers.steps(copies, size, encoded, order)
    while not steps.done:
        raster_row, raster_column, channel = steps.site
        row, column = order.site(raster_row, raster_column, *size)
        level = int(x[0, channel, row, column])
        cdf = transform_frequencies(steps.frequencies(), transform)[0].cumsum().astype(np.float64)
        intervals.note(channel, row, column, level, cdf)
        steps.observe(np.full(copies, level))


def _repaired(
    intervals: UniformIntervals,
    shares: np.ndarray,
    levels: np.ndarray,
    order: np.ndarray,
    draw: Callable[[np.ndarray], np.ndarray],
) -> Float[np.ndarray, "1 c h w"]:
    """Move uniforms whose interval is narrower than the rounding of the engine, until it draws the image."""
    uniforms = intervals.choose(shares)
    low, high = np.maximum(intervals.low - INTERVAL_TOLERANCE, 0), np.minimum(intervals.high + INTERVAL_TOLERANCE, 1)
    for _ in range(_MOST_REPAIRS):
        result = draw(uniforms)
        wrong = np.argwhere(result != levels)
        if not len(wrong):
            return uniforms
        # later differences may follow from the first one
        index = tuple(wrong[np.lexsort((wrong[:, 1], order[wrong[:, 2], wrong[:, 3]]))[0]])
        if result[index] < levels[index]:
            low[index] = uniforms[index]
        else:
            high[index] = uniforms[index]
        uniforms[index] = min((low[index] + high[index]) / 2, np.nextafter(1.0, 0.0))
    raise EngineError(
        "The uniforms of this image cannot be found: one of its levels is so improbable that no number draws it."
    )


def interpolate_uniforms(
    uniforms: Float[np.ndarray, "*shape"], others: Float[np.ndarray, "*shape"], strength: float
) -> Float[np.ndarray, "*shape"]:
    """Mix two arrays of independent uniforms to one that is uniform again, as correlated normal variables.

    Args:
        strength: 0 gives `uniforms`, 1 gives `others`.

    Raises:
        ConfigError: if `strength` is not in [0, 1].

    Example:
        interpolate_uniforms(pt.recover_uniforms(model, image), np.random.rand(1, 1, 28, 28), 0.2)
    """
    check_strength(strength)
    if strength == 0:
        return np.array(uniforms)
    angle = strength * np.pi / 2
    ends = np.finfo(np.float64).tiny, np.nextafter(1.0, 0.0)
    normal = NormalDist()
    a, b = (np.vectorize(normal.inv_cdf, otypes=[float])(np.clip(u, *ends)) for u in (uniforms, others))
    mixed: np.ndarray = np.vectorize(normal.cdf, otypes=[float])(np.cos(angle) * a + np.sin(angle) * b)
    return np.asarray(np.clip(mixed, 0.0, ends[1]))


def replace_uniforms(
    uniforms: Float[np.ndarray, "*shape"], others: Float[np.ndarray, "*shape"], strength: float, seed: int = 0
) -> Float[np.ndarray, "*shape"]:
    """Replace a share of uniforms, at random places, and keep the others as they are.

    Args:
        strength: probability that a uniform is replaced: 0 gives `uniforms`, 1 gives `others`.
        seed: chooses the places; a larger strength has all places of a smaller one.

    Raises:
        ConfigError: if `strength` is not in [0, 1].

    Example:
        replace_uniforms(pt.recover_uniforms(model, image), np.random.rand(1, 1, 28, 28), 0.3)
    """
    check_strength(strength)
    places = np.random.default_rng([seed, 3]).random(np.shape(uniforms))
    return np.where(places < strength, others, uniforms)


def check_strength(strength: float) -> None:
    """Check the strength of a variation.

    Raises:
        ConfigError: naming the value.
    """
    if not 0 <= strength <= 1:
        raise ConfigError(f"`strength` (={strength}) must lie in 0 to 1: 0 keeps the image.")
