"""Sample images. Levels are drawn by inverse CDF from given uniforms, so that any two engines can be compared."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from pointillist.conditioning import ConditionInputs, Label, labels_from_input, parse_prompts
from pointillist.data import parse_size
from pointillist.distributions.sampling_transforms import sample_level
from pointillist.engine.batch import check_memory
from pointillist.errors import ConfigError, ShapeError, quote
from pointillist.model.batches import check_likelihood
from pointillist.model.pixel_model import PixelModel, inference_mode
from pointillist.model.pretrained import as_model
from pointillist.progress import Bar
from pointillist.sampling.best_of import best_of, check_best_of
from pointillist.sampling.config import SampleKwargs, SamplingConfig
from pointillist.sampling.loop import OnRow, Site, autoregressive_loop, resolve_engine
from pointillist.sampling.samples import Samples

# per sub-pixel, apart from the engine: its uniform, stacked and in the raster frame; its level, in both frames
_BYTES = 5 * 8

MAX_SEED = 2**53
OnBatchRow = Callable[[int, int, Tensor], None]
"""Called with the number of images finished before this batch, rows done, and the levels of the batch."""


def sample(
    model: PixelModel | str | Path,
    n: int,
    label: Label = None,
    text: Any = None,
    *,
    seed: int | None = None,
    uniforms: Float[Tensor, "n c h w"] | np.ndarray | None = None,
    size: int | str | tuple[int, int] | None = None,
    on_row: OnBatchRow | None = None,
    **settings: Unpack[SampleKwargs],
) -> Samples:
    """Sample `n` images.

    Args:
        model: a model, or the name or folder of one.
        label, text: conditions, one value for all images or one for each; None samples without. See
            `ModelConditions.inputs`.
        seed: image i depends on (seed, i) alone, not on `n` or `batch_size`; None draws a new seed.
        uniforms: numbers in [0, 1), one for each sub-pixel, instead of a seed.
        size: 32, 48x64 or `(height, width)` instead of the model's own.
        on_row: called after each row of a stage (each column, where the order runs along columns) with the number of
            images finished before this batch, the rows done (in rows of the raster frame), and the batch's levels.
        settings: `guidance`, `temperature`, `top_p` (where left out, the model's own: `generation_config`), `engine`,
            `order`, `threads`, `batch_size` (see `SamplingConfig`), and conditions beside `label` and `text` (see
            `ConditionKwargs`).

    Returns:
        the images, with their log-likelihood in nats.

    Raises:
        ConfigError, ShapeError, EngineError: naming the argument that is wrong.

    Example:
        model = pt.load("digits")
        pt.sample(model, 16, label=3, guidance=2.0, seed=0).images[0].save("three.png")
    """
    model = as_model(model)
    with Bar("sampling", n) as bar:
        parts = []
        for part in stream(model, n, label, text, seed=seed, uniforms=uniforms, size=size, on_row=on_row, **settings):
            parts.append(part)
            bar.show(sum(map(len, parts)))
    return Samples.concat(parts)


def stream(
    model: PixelModel | str | Path,
    n: int,
    label: Label = None,
    text: Any = None,
    *,
    seed: int | None = None,
    uniforms: Float[Tensor, "n c h w"] | np.ndarray | None = None,
    size: int | str | tuple[int, int] | None = None,
    on_row: OnBatchRow | None = None,
    first: int = 0,
    **settings: Unpack[SampleKwargs],
) -> Iterator[Samples]:
    """Sample like `sample`, and yield each batch when it is finished, so that any number of images fits in memory.

    Args:
        first: the first image to sample, a multiple of `batch_size`; those before it are left out.

    Example:
        for batch in stream(model, 100_000, seed=0):
            write(batch.array)
    """
    model = as_model(model)
    engine = resolve_engine(settings.get("engine", "auto"), model.device)
    check_count(n)
    config, conditions = SamplingConfig.split(settings, model.generation_config)
    height, width = (model.image.height, model.image.width) if size is None else parse_size(size)
    model.check_size(height, width)
    shape = (model.image.channels, height, width)
    others = model.conditions.inputs(label, n, size=(height, width), **conditions)
    texts, negatives = parse_prompts(text, n), parse_prompts(config.negative_prompt, n)
    seed, given = resolve_uniforms(seed, uniforms, (n, *shape))
    config = replace(config, engine=engine, order=model.order(config.order).name)
    prompted = any(text.strip() for text in texts or ())
    check_best_of(config, conditional=prompted or others.is_conditional, seeded=given is None)
    lines = model.order(config.order).raster_size(height, width)[0]
    count = min(n, config.batch_size)
    check_memory(math.prod(shape) * count * _BYTES, count, height, width)
    for start in range(first, n, config.batch_size):
        stop = min(n, start + config.batch_size)
        batch = model.conditions.with_prompts(others[start:stop], None if texts is None else texts[start:stop])
        avoided = None if negatives is None else negatives[start:stop]
        reference = negative_inputs(model, avoided, len(batch), (height, width))

        def draw(
            candidate: int,
            batch: ConditionInputs = batch,
            reference: ConditionInputs | None = reference,
            start: int = start,
        ) -> Samples:
            images = range(start, start + len(batch))
            u = seeded_uniforms(seed or 0, images, shape, candidate) if given is None else given[start : images.stop]
            sampler = UniformSampler(torch.from_numpy(u), config)
            report = None if on_row is None else (lambda rows, x: on_row(start, candidate * lines + rows, x))
            return _draw_batch(model, batch, reference, sampler, (height, width), report)

        found = best_of(model, batch, config, draw)
        yield replace(found, seed=seed, texts=None if texts is None else tuple(texts[start:stop]))


def _draw_batch(
    model: PixelModel,
    inputs: ConditionInputs,
    negative: ConditionInputs | None,
    sampler: UniformSampler,
    size: tuple[int, int],
    on_row: OnRow | None,
) -> Samples:
    batch = sampler.duplicate_for_guidance(inputs, negative)
    with inference_mode(model):
        condition = model.encode(batch, len(batch))
        levels = autoregressive_loop(model, condition, sampler, (len(batch), *size), sampler.config, on_row=on_row)
    check_likelihood(sampler.nats)
    return Samples(
        levels=levels[: len(inputs)],
        nats=sampler.nats,
        image=model.image.resized(*size),
        labels=labels_from_input(inputs.parts.get("label"), len(inputs)),
        seed=None,
        engine=sampler.config.engine,
        order=sampler.config.order or "",
        tileset=model.tileset,
    )


def negative_inputs(
    model: PixelModel, prompts: str | Sequence[str] | None, count: int, size: tuple[int, int]
) -> ConditionInputs | None:
    """Return the conditions of the reference distribution of guidance: negative prompts; None for no condition.

    Raises:
        ConfigError, ShapeError: if the model takes no text, or their number is wrong.
    """
    return None if prompts is None else model.conditions.inputs(None, count, prompts, size=size)


class UniformSampler:
    """Draw a level for every image at a pixel position, and add up its log-likelihood under the model.

    Attributes:
        uniforms: numbers in [0, 1), `[n c h w]`.
        nats: log-likelihood of each image at guidance 1 and temperature 1, in nats, float64 `[n]`.
        guided: whether the engine's batch holds every image twice, conditional and then the reference of guidance.
    """

    def __init__(self, uniforms: Float[Tensor, "n c h w"], config: SamplingConfig | None = None) -> None:
        self.uniforms = uniforms
        self.config = config or SamplingConfig()
        self.guidance, self.temperature, self.top_p = self.config.guidance, self.config.temperature, self.config.top_p
        self.nats = torch.zeros(len(uniforms), dtype=torch.float64)
        self.guided = False

    def duplicate_for_guidance(
        self, inputs: ConditionInputs, negative: ConditionInputs | None = None
    ) -> ConditionInputs:
        """Return the inputs of the engine's batch: under guidance, every image twice.

        The second time it is unconditional, or conditioned on `negative`. Both copies see the same levels. Call it
        before the first pixel.
        """
        reference = inputs.unconditional() if negative is None else negative
        self.guided = self.guidance != 1.0 and (inputs.is_conditional or reference.is_conditional)
        return ConditionInputs.concat([inputs, reference]) if self.guided else inputs

    def __call__(
        self, site: Site, log_probs: Float[Tensor, "b k"], allowed: Bool[Tensor, " k"] | None = None
    ) -> Int[Tensor, " b"]:
        """Choose levels `[b]` for the engine's batch: those of the images, and under guidance the same once more.

        Where only some levels are `allowed`, the distribution is renormalised over them.
        """
        uniforms = self.uniforms[:, site.channel, site.row, site.column]
        levels, nats = sample_level(
            log_probs, uniforms, self.guidance, self.temperature, self.top_p, guided=self.guided, allowed=allowed
        )
        self.nats += nats
        return levels.repeat(2) if self.guided else levels


def check_count(n: int) -> None:
    """Reject a number of images below 1.

    Raises:
        ConfigError: naming the number.
    """
    if n < 1:
        raise ConfigError(f"`n` (={n}) must be at least 1.")


def resolve_uniforms(seed: int | None, uniforms: Any, shape: tuple[int, ...]) -> tuple[int | None, np.ndarray | None]:
    """Return a seed and None, with a new seed where none is given; or None and the given uniforms of this shape.

    Raises:
        ConfigError, ShapeError: if the uniforms are out of range or of another shape.
    """
    if uniforms is None:
        return secrets.randbelow(2**31) if seed is None else check_seed(int(seed)), None
    array = np.asarray(uniforms, np.float64)
    if array.shape != shape:
        raise ShapeError(f"`uniforms` of shape {array.shape} must be {shape}: one for each sub-pixel.")
    if array.size and not (array.min() >= 0 and array.max() < 1):
        raise ConfigError(f"`uniforms` from {array.min():g} to {array.max():g} must lie in [0, 1).")
    return None, array


def check_seed(seed: int) -> int:
    """Return a seed that every program can store: JSON and browsers hold integers below 2^53 exactly.

    Raises:
        ConfigError: naming the seed.
    """
    if not 0 <= seed < MAX_SEED:
        raise ConfigError(f"`seed` (={quote(seed)}) must lie in 0 to 2^53 - 1: choose another.")
    return seed


def seeded_uniforms(
    seed: int, images: Iterable[int], shape: tuple[int, ...], candidate: int = 0
) -> Float[np.ndarray, "n c h w"]:
    """Draw the uniforms of some images of a seed: image i depends on (seed, i) alone, candidate k on (seed, i, k).

    Candidate 0 is the image itself.

    Raises:
        ConfigError: if the seed is out of range.
    """
    check_seed(seed)
    return np.stack(
        [np.random.default_rng([seed, i, candidate] if candidate else [seed, i]).random(shape) for i in images]
    )
