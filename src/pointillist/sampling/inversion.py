"""Invert sampling: the uniforms that give an image, and uniforms near them.

An image follows from its uniforms by inverse CDF, sub-pixel by sub-pixel. So the uniforms of an image are known up to
an interval each: u lies in [F(x - 1), F(x)), where F is the distribution that its level x was drawn from. Sampling with
such uniforms gives the image again; with some of them, or with uniforms near them, it gives a variation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.conditioning import Label
from pointillist.distributions.sampling_transforms import apply_guidance, apply_temperature_top_p
from pointillist.engine.head.frequencies import precision_of
from pointillist.engine.head.transform import transform_frequencies
from pointillist.errors import ConfigError, EngineError
from pointillist.model.batches import single_image
from pointillist.model.folder.pretrained import as_model
from pointillist.model.pixel_model import PixelModel, inference_mode
from pointillist.sampling.config import SampleKwargs, SamplingConfig
from pointillist.sampling.engines import resolve_engine
from pointillist.sampling.loop import Site, UniformSampler, autoregressive_loop
from pointillist.sampling.pixel import negative_inputs
from pointillist.sampling.plan import SamplePlan
from pointillist.sampling.uniforms import seeded_uniforms

_TOLERANCE = 1e-6  # of cumulative probabilities, by which two engines may differ
_MOST_REPAIRS = 200


def recover_uniforms(
    model: PixelModel | str | Path,
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
    model = as_model(model)
    x = single_image(model, image).cpu()
    config, conditions = SamplingConfig.split(settings, model.generation_config)
    if config.best_of != 1:
        raise ConfigError(f"`best_of` (={config.best_of}) chooses between images: leave it out to invert one.")
    size = (x.shape[2], x.shape[3])
    config = replace(config, engine=resolve_engine(model, config.engine, size))
    inputs = model.conditions.inputs(label, 1, text, size=size, **conditions)
    inverter = _Inverter(config, x, seeded_uniforms(seed, [0], (x.shape[1], *size)))
    batch = inverter.sampler.duplicate_for_guidance(inputs, negative_inputs(model, config.negative_prompt, 1, size))
    with inference_mode(model):
        condition = model.scorer(config.engine).encode(batch, len(batch))
        autoregressive_loop(model, condition, inverter, (len(batch), *size), config)

    def draw(uniforms: np.ndarray) -> Int[np.ndarray, "1 c h w"]:
        return SamplePlan.of(model, 1, label, text, uniforms=uniforms, size=size, **settings).draw(0, 1).levels

    order = model.generation_rank(*size, model.order(config.order))
    return _repaired(inverter, x.numpy(), order, draw)


class _Inverter:
    """Take the levels of an image, and note for each the interval of uniforms that gives it."""

    def __init__(self, config: SamplingConfig, levels: Int[Tensor, "1 c h w"], shares: np.ndarray) -> None:
        self.sampler = UniformSampler(torch.from_numpy(shares), config.transform)
        self.levels, self.integers = levels, config.engine == "integer"
        self.low, self.high = np.zeros(shares.shape), np.ones(shares.shape)
        self.shares = shares

    def __call__(self, site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        index = (0, site.channel, site.row, site.column)
        level, cdf = int(self.levels[index]), self._cdf(log_probs)
        self.low[index], self.high[index] = float(cdf[level - 1]) if level else 0.0, float(cdf[level])
        if not self.low[index] < self.high[index]:
            raise ConfigError(
                f"Level {level} at row {site.row}, column {site.column} has probability zero under these settings: "
                "invert the image at temperature 1 and top-p 1."
            )
        return torch.full((len(log_probs),), level)

    def _cdf(self, log_probs: Float[Tensor, "b k"]) -> Float[np.ndarray, " k"]:
        """Return the CDF that the level of a sub-pixel is drawn from; of integer programs, in integers."""
        transform = self.sampler.transform
        if self.integers:
            total = 2.0 ** precision_of(log_probs.shape[1])
            frequencies = np.rint(log_probs.double().exp().cpu().numpy() * total).astype(np.int64)
            cdf = transform_frequencies(frequencies, transform)[0].cumsum()
        else:
            conditional = log_probs[:1]
            if transform.is_guided:
                conditional = apply_guidance(conditional, log_probs[1:], transform.guidance)
            sharpened = apply_temperature_top_p(conditional, transform.temperature, transform.top_p)
            cdf = sharpened.double().exp().cumsum(1)[0].cpu().numpy()
        return np.asarray(cdf / cdf[-1])

    def uniforms(self) -> Float[np.ndarray, "1 c h w"]:
        """Choose a uniform in each interval, away from its ends by as much as engines may differ."""
        width = self.high - self.low
        margin = np.minimum(0.5, _TOLERANCE / width)
        result: np.ndarray = self.low + width * (margin + self.shares * (1 - 2 * margin))
        return np.asarray(np.minimum(result, np.nextafter(1.0, 0.0)))


def _repaired(
    inverter: _Inverter, levels: np.ndarray, order: np.ndarray, draw: Callable[[np.ndarray], np.ndarray]
) -> Float[np.ndarray, "1 c h w"]:
    """Move uniforms whose interval is narrower than the rounding of the engine, until it draws the image."""
    uniforms = inverter.uniforms()
    low, high = np.maximum(inverter.low - _TOLERANCE, 0), np.minimum(inverter.high + _TOLERANCE, 1)
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
    a, b = (torch.special.ndtri(torch.from_numpy(np.clip(u, *ends))) for u in (uniforms, others))
    mixed: np.ndarray = torch.special.ndtr(np.cos(angle) * a + np.sin(angle) * b).numpy()
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
