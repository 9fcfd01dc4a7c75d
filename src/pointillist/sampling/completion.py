"""Complete images: keep the known sub-pixels, and sample the others in generation order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Unpack

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pointillist.conditioning import ConditionInputs, Label, labels_from_input
from pointillist.errors import ShapeError
from pointillist.model.batches import one_image
from pointillist.model.pixel_model import PixelModel, inference_mode
from pointillist.sampling.api import (
    UniformSampler,
    check_count,
    negative_inputs,
    resolve_uniforms,
    seeded_uniforms,
)
from pointillist.sampling.best_of import best_of, check_best_of
from pointillist.sampling.config import SampleKwargs, SamplingConfig
from pointillist.sampling.loop import ObservedPixels, Site, autoregressive_loop, resolve_engine
from pointillist.sampling.samples import Samples


def inpaint(
    model: PixelModel,
    image: Any,
    known: Bool[np.ndarray, "h w"] | Bool[np.ndarray, "c h w"] | Tensor,
    n: int = 8,
    label: Label = None,
    text: Any = None,
    *,
    seed: int | None = None,
    uniforms: Float[np.ndarray, "n c h w"] | Tensor | None = None,
    **settings: Unpack[SampleKwargs],
) -> Samples:
    """Sample `n` completions of an image from its known pixels.

    A sampled sub-pixel depends on all that come before it in generation order, known or sampled. It does not depend on
    known sub-pixels that come after it. So the samples follow p(unknown | known) exactly where the unknown part comes
    last in the order. Elsewhere a sampled region may not fit the known pixels behind it.

    Args:
        image: levels `[c h w]`, a PIL image or a path; read where it is known.
        known: pixels `[h w]` or sub-pixels `[c h w]` to keep, boolean.
        n: number of completions.
        label, text, seed, uniforms, settings: as for `sample`. The same uniforms (or seed) draw the same levels from
            the same distributions, whatever is known.

    Returns:
        the images; `nats` is the log-likelihood of each whole image, known sub-pixels included.

    Raises:
        ShapeError, DataError, ConfigError, EngineError: naming the argument that is wrong.

    Example:
        known = np.zeros((28, 28), bool)
        known[:14] = True
        pt.inpaint(model, "half.png", known, n=4, seed=0).images[0].save("whole.png")
    """
    x = one_image(model, image)
    check_count(n)
    config, conditions = SamplingConfig.split(settings, model.generation_config)
    shape = tuple(x.shape[1:])
    inputs = model.conditions.inputs(label, n, text, size=(x.shape[2], x.shape[3]), **conditions)
    seed, given = resolve_uniforms(seed, uniforms, (n, *shape))
    check_best_of(config, inputs, seeded=given is None)
    mask = _mask(known, shape)

    def draw(candidate: int) -> Samples:
        u = seeded_uniforms(seed or 0, range(n), shape, candidate) if given is None else given
        return complete(model, x, mask, inputs, u, config)

    return replace(best_of(model, inputs, config, draw), seed=seed)


def complete(
    model: PixelModel,
    x: Int[Tensor, "1 c h w"],
    known: Bool[np.ndarray, "c h w"],
    inputs: ConditionInputs,
    uniforms: Float[np.ndarray, "n c h w"],
    config: SamplingConfig,
) -> Samples:
    """Sample one completion for each image of `inputs`; arguments are checked before.

    Raises:
        ConfigError, EngineError: if the order or the engine cannot be used.
    """
    config = replace(config, engine=resolve_engine(config.engine, model.device), order=model.order(config.order).name)
    negative = negative_inputs(model, config, len(inputs), (x.shape[2], x.shape[3]))
    parts = []
    for start in range(0, len(inputs), config.batch_size):
        rows = slice(start, start + config.batch_size)
        reference = None if negative is None else negative[rows]
        parts.append(_complete_batch(model, x, known, inputs[rows], reference, uniforms[rows], config))
    return Samples.concat(parts)


def _complete_batch(
    model: PixelModel,
    x: Int[Tensor, "1 c h w"],
    known: Bool[np.ndarray, "c h w"],
    inputs: ConditionInputs,
    negative: ConditionInputs | None,
    uniforms: Float[np.ndarray, "n c h w"],
    config: SamplingConfig,
) -> Samples:
    sampler = UniformSampler(torch.from_numpy(uniforms), config)
    batch, size, order = (
        sampler.duplicate_for_guidance(inputs, negative),
        (x.shape[2], x.shape[3]),
        model.order(config.order),
    )
    levels = x[0].cpu()
    # pixels that are known in all channels cost nothing; `ConditionalSampler` keeps the known channels of the others
    kept = ObservedPixels(levels.expand(len(batch), -1, -1, -1), torch.from_numpy(known.all(0)))
    choose = ConditionalSampler(sampler, levels, known)
    with inference_mode(model):
        condition = model.encode(batch, len(batch))
        found = autoregressive_loop(model, condition, choose, (len(batch), *size), config, known=kept)[: len(inputs)]
        nats = model.log_prob_map_given(found.to(model.device), inputs, order).flatten(1).sum(1).double().cpu()
    return Samples(
        levels=found,
        nats=nats,
        image=model.image.resized(*size),
        labels=labels_from_input(inputs.parts.get("label"), len(inputs)),
        seed=None,
        engine=config.engine,
        order=order.name,
    )


class ConditionalSampler:
    """Take the level of an image where it is known, and sample it elsewhere.

    Args:
        sampler: draws the levels that are not known.
        levels: integers `[c h w]`, valid where `known` is set.
        known: sub-pixels to keep.
    """

    def __init__(self, sampler: UniformSampler, levels: Int[Tensor, "c h w"], known: Bool[np.ndarray, "c h w"]) -> None:
        self.sampler, self.levels, self.known = sampler, levels, known

    def __call__(self, site: Site, log_probs: Float[Tensor, "b k"]) -> Int[Tensor, " b"]:
        """Choose a level for each image of the engine's batch."""
        index = (site.channel, site.row, site.column)
        if self.known[index]:
            return self.levels[index].expand(len(log_probs))
        return self.sampler(site, log_probs)


def _mask(known: Any, shape: tuple[int, ...]) -> Bool[np.ndarray, "c h w"]:
    mask = np.asarray(known)
    if mask.dtype != np.bool_ or mask.shape not in (shape, shape[1:]):
        raise ShapeError(f"`known` ({mask.dtype}, shape {mask.shape}) must be boolean, {shape[1:]} or {shape}.")
    return np.broadcast_to(mask, shape)
