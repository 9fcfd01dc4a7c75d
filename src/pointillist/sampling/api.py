"""Sample images. Levels are drawn by inverse CDF from given uniforms, so that any two engines can be compared."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from pointillist.conditioning import ConditionInputs, Label, labels_from_input, parse_prompts
from pointillist.data import parse_size
from pointillist.engine.batch import check_memory
from pointillist.engine.program import IntArray
from pointillist.files.progress import Bar
from pointillist.model.batches import check_likelihood
from pointillist.model.folder.pretrained import as_model
from pointillist.model.pixel_model import PixelModel, inference_mode
from pointillist.sampling.best_of import best_of, check_best_of
from pointillist.sampling.config import SampleKwargs, SamplingConfig
from pointillist.sampling.engines import resolve_engine
from pointillist.sampling.loop import OnRow, autoregressive_loop
from pointillist.sampling.rejection import draw_until_accepted, open_image_mask
from pointillist.sampling.samples import Samples
from pointillist.sampling.uniform_sampler import UniformSampler
from pointillist.sampling.uniforms import check_count, resolve_uniforms, seeded_uniforms

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask

# per sub-pixel, apart from the engine: its uniform, stacked and in the raster frame; its level, in both frames
_BYTES = 5 * 8

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
            `order`, `threads`, `batch_size` (see `SamplingConfig`), and conditions other than `label` and `text` (see
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
    plan = SamplePlan.of(as_model(model), n, label, text, seed=seed, uniforms=uniforms, size=size, **settings)
    for start in range(first, n, plan.config.batch_size):
        yield plan.draw(start, min(n, start + plan.config.batch_size), on_row)


@dataclass(frozen=True, kw_only=True)
class SamplePlan:
    """Images that are to be sampled, with checked settings; any range of them can be drawn.

    Attributes:
        model: the model.
        inputs: conditions of all images, without prompts, which are encoded batch by batch.
        texts, negatives: prompt and negative prompt of each image; None where there is none.
        seed, uniforms: one of them; see `sample`.
        config: settings with a resolved engine and order.
        size: height and width.
        mask: with which each image begins, where it obeys rules.

    Example:
        plan = SamplePlan.of(model, 1000, label=3, seed=0)
        plan.draw(64, 128).nats  # of the images 64 to 127
    """

    model: PixelModel
    inputs: ConditionInputs
    texts: Sequence[str] | None
    negatives: Sequence[str] | None
    seed: int | None
    uniforms: np.ndarray | None
    config: SamplingConfig
    size: tuple[int, int]
    mask: LevelMask | None = None

    @classmethod
    def of(
        cls, model: PixelModel, n: int, label: Label = None, text: Any = None, *, seed: int | None = None,
        uniforms: Any = None, size: int | str | tuple[int, int] | None = None, **settings: Unpack[SampleKwargs],
    ) -> SamplePlan:  # fmt: skip
        """Check the arguments of `sample`.

        Raises:
            ConfigError, ShapeError, EngineError: as `sample`.
        """
        check_count(n)
        config, conditions = SamplingConfig.split(settings, model.generation_config)
        height, width = (model.image.height, model.image.width) if size is None else parse_size(size)
        engine = resolve_engine(model, config.engine, (height, width))
        model.check_size(height, width)
        shape = (model.image.channels, height, width)
        inputs = model.conditions.inputs(label, n, size=(height, width), **conditions)
        texts, negatives = parse_prompts(text, n), parse_prompts(config.negative_prompt, n)
        seed, given = resolve_uniforms(seed, uniforms, (n, *shape))
        config = replace(config, engine=engine, order=model.order(config.order).name)
        prompted = any(text.strip() for text in texts or ())
        check_best_of(config, conditional=prompted or inputs.is_conditional, seeded=given is None)
        count = min(n, config.batch_size)
        check_memory(math.prod(shape) * count * _BYTES, count, height, width)
        return cls(
            model=model, inputs=inputs, texts=texts, negatives=negatives, seed=seed, uniforms=given, config=config,
            size=(height, width), mask=open_image_mask(model, config.parsed_rules, (height, width)),
        )  # fmt: skip

    def draw(self, start: int, stop: int, on_row: OnBatchRow | None = None) -> Samples:
        """Sample the images `start .. stop` as one batch; the best of several candidates where `config` says so."""
        texts = None if self.texts is None else self.texts[start:stop]
        batch = self.model.conditions.with_prompts(self.inputs[start:stop], texts)
        avoided = None if self.negatives is None else self.negatives[start:stop]
        reference = negative_inputs(self.model, avoided, len(batch), self.size)
        shape = (self.model.image.channels, *self.size)
        lines = self.model.order(self.config.order).raster_size(*self.size)[0]

        def draw(candidate: int) -> Samples:
            given, images = self.uniforms, range(start, stop)
            u = seeded_uniforms(self.seed or 0, images, shape, candidate) if given is None else given[start:stop]
            report = None if on_row is None else (lambda rows, x: on_row(start, candidate * lines + rows, x))

            passes = 0

            def draw_some(numbers: IntArray | slice, mask: LevelMask | None) -> tuple[Tensor, Tensor]:
                nonlocal passes
                sampler = UniformSampler(torch.from_numpy(u[numbers]), self.config.transform, mask)
                negative = None if reference is None else reference[numbers]
                # an image that is drawn again is not reported again
                shown = report if len(sampler.uniforms) == len(u) else None
                drawn = _draw_batch(self.model, batch[numbers], negative, sampler, self.config, self.size, shown)
                passes += sampler.passes
                return drawn

            rules, tries = self.config.parsed_rules, None
            if self.mask is None or rules is None:
                levels, nats = draw_some(slice(None), None)
            else:
                (levels, nats), tries = draw_until_accepted(self.mask, len(batch), rules.tries, draw_some)
            return Samples(
                levels=levels,
                nats=nats,
                image=self.model.image.resized(*self.size),
                labels=labels_from_input(batch.parts.get("label"), len(batch)),
                seed=None,
                engine=self.config.engine,
                order=self.config.order or "",
                passes=passes or None,
                tileset=self.model.tileset,
                tries=tries,
            )

        result = best_of(self.model, batch, self.config, draw)
        return replace(result, seed=self.seed, texts=None if texts is None else tuple(texts))


def _draw_batch(
    model: PixelModel,
    inputs: ConditionInputs,
    negative: ConditionInputs | None,
    sampler: UniformSampler,
    config: SamplingConfig,
    size: tuple[int, int],
    on_row: OnRow | None,
) -> tuple[Int[Tensor, "n c h w"], Float[Tensor, " n"]]:
    batch = sampler.duplicate_for_guidance(inputs, negative)
    with inference_mode(model):
        condition = model.scorer(config.engine).encode(batch, len(batch))
        levels = autoregressive_loop(model, condition, sampler, (len(batch), *size), config, on_row=on_row)
    check_likelihood(sampler.nats)
    return levels[: len(inputs)], sampler.nats


def negative_inputs(
    model: PixelModel, prompts: str | Sequence[str] | None, count: int, size: tuple[int, int]
) -> ConditionInputs | None:
    """Return the conditions of the reference distribution of guidance: negative prompts; None for no condition.

    Raises:
        ConfigError, ShapeError: if the model takes no text, or their number is wrong.
    """
    return None if prompts is None else model.conditions.inputs(None, count, prompts, size=size)
