"""Public `sample`, and the plan of its images: from any model, batch by batch, by inverse CDF from given uniforms.

So any two engines can be compared, and any range of the images can be drawn by itself. Needs no torch for a model that
is sampled from its integer program.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

import numpy as np

from pointillist.conditioning import Label, count_images
from pointillist.conditioning.inputs import has_prompt
from pointillist.data.options import parse_size
from pointillist.engine.batch import check_batch_memory
from pointillist.engine.program import IntArray
from pointillist.errors import ConfigError, check_whole, not_a_model
from pointillist.files.progress import Bar
from pointillist.images import MAX_SIDE
from pointillist.model.folder.opening import open_by_name
from pointillist.model.folder.portable import PortableModel
from pointillist.model.protocols import GenerativeModel, LikelihoodModel, is_generative
from pointillist.portable.scorer import ProgramScorer
from pointillist.sampling.candidates import best_of, check_best_of, draw_until_accepted, open_image_mask
from pointillist.sampling.conditioned import ConditionedBatch, ConditionedSampler
from pointillist.sampling.config import SampleKwargs, SamplingConfig
from pointillist.sampling.generative import (
    DrawnImages,
    DrawTask,
    ImageNumbers,
    ImageRequest,
    OnBatchRow,
    OnRow,
)
from pointillist.sampling.program import draw_by_program, open_program_sampler
from pointillist.sampling.samples import Samples
from pointillist.sampling.uniforms import Uniforms, check_count

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask


# per sub-pixel, apart from the engine: its uniform, stacked and in the raster frame; its level, in both frames
_BYTES = 5 * 8


def open_sampler(model: GenerativeModel, request: ImageRequest) -> ConditionedSampler:
    """Check a request, and return what samples from a kind of model.

    Raises:
        ConfigError, ShapeError, EngineError: naming the argument that is wrong.
    """
    if isinstance(model, PortableModel):
        return open_program_sampler(model.scorer(request.config.engine, request.size), request)
    from pointillist.sampling.pixel import open_pixel_sampler  # of a pixel model, with torch

    return open_pixel_sampler(model, request)  # type: ignore[arg-type]


def draw_images(model: LikelihoodModel, task: DrawTask) -> DrawnImages:
    """Draw images by the engine that the settings name.

    Example:
        draw_images(model, DrawTask(uniforms=u, inputs=inputs, negative=None, order=model.order(), config=config))
    """
    scorer = model.scorer("integer" if task.config.engine == "integer" else "torch", task.size)
    if isinstance(scorer, ProgramScorer):
        return draw_by_program(scorer, task)
    from pointillist.sampling.pixel import draw_by_loop

    return draw_by_loop(model, task)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class SamplePlan:
    """Images that are to be sampled, with checked settings; any range of them can be drawn.

    Attributes:
        model: the model.
        sampler: draws from it.
        count: number of images.
        size: height and width.
        uniforms: numbers of the images.
        texts: prompt of each image, as it is sampled; see `resolve_prompts`. None if absent.
        mask: with which each image begins, where it obeys rules.

    Example:
        plan = SamplePlan.of(model, 1000, label=3, seed=0)
        plan.draw(64, 128).nats  # of the images 64 to 127
    """

    model: GenerativeModel
    sampler: ConditionedSampler
    count: int
    size: tuple[int, int]
    uniforms: ImageNumbers
    texts: Sequence[str] | None = None
    mask: LevelMask | None = None

    @classmethod
    def of(
        cls,
        model: GenerativeModel,
        n: int,
        label: Any = None,
        text: Any = None,
        *,
        seed: int | None = None,
        uniforms: Any = None,
        size: int | str | tuple[int, int] | None = None,
        at_once: bool = False,
        **settings: Unpack[SampleKwargs],
    ) -> SamplePlan:
        """Check the arguments of `sample`, before anything is computed for so many images.

        Args:
            at_once: whether all images are held at once, as `SamplePlan.sample` does.

        Raises:
            ConfigError, ShapeError, EngineError: as `sample`.
            DataError: if there is too little memory.
        """
        height, width = (model.image.height, model.image.width) if size is None else parse_size(size)
        if max(height, width) > MAX_SIDE:
            raise ConfigError(f"`size` (={height}x{width}) must have at most {MAX_SIDE:,} pixels a side.")
        several = at_once and check_whole("n", n, 1) != 1  # for one image, `check_batch_memory` names a size that fits
        check_count(n, (model.image.channels, height, width) if several else None)
        config, conditions = SamplingConfig.split(settings, model.generation_config)
        texts = None
        if text is not None:
            from pointillist.model.vocabulary import resolve_prompts

            texts = resolve_prompts(model, text, n)
        request = ImageRequest(n=n, label=label, text=texts, conditions=conditions, config=config, size=(height, width))
        sampler = open_sampler(model, request)
        numbers = Uniforms.resolve(seed, uniforms, (n, model.image.channels, height, width))
        conditional = has_prompt(texts) or sampler.is_conditional
        guidance, negative = settings.get("guidance"), config.negative_prompt
        sampler.conditions.check_guided(guidance, conditional=conditional, negative=negative)
        check_best_of(config, conditional=conditional, seeded=numbers.array is None)
        count = min(n, config.batch_size)
        check_batch_memory(math.prod(numbers.shape) * count * _BYTES, count, height, width)
        mask = open_image_mask(model, config.parsed_rules, (height, width))
        return cls(
            model=model, sampler=sampler, count=n, size=(height, width), uniforms=numbers, texts=texts, mask=mask
        )

    @property
    def config(self) -> SamplingConfig:
        """Settings with a resolved engine and order."""
        return self.sampler.config

    def stream(self, first: int = 0, on_row: OnBatchRow | None = None) -> Iterator[Samples]:
        """Sample batch by batch, so that any number of images fits in memory.

        ```python
        for batch in SamplePlan.of(model, 100_000, seed=0).stream():
            write(batch.array)
        ```

        Args:
            first: the first image to sample, a multiple of `batch_size`; those before it are left out.
            on_row: see `draw`.
        """
        for start in range(first, self.count, self.config.batch_size):
            yield self.draw(start, min(self.count, start + self.config.batch_size), on_row)

    def sample(self, on_row: OnBatchRow | None = None) -> Samples:
        """Sample all images, which are held at once; see `draw`."""
        with Bar("sampling", self.count) as bar:
            parts: list[Samples] = []
            for part in self.stream(on_row=on_row):
                parts.append(part)
                bar.show(sum(map(len, parts)))
        return Samples.concat(parts)

    def draw(self, start: int, stop: int, on_row: OnBatchRow | None = None) -> Samples:
        """Sample the images `start .. stop` as one batch; the best of several candidates where `config` says so.

        Args:
            on_row: called after each row of a stage (each column, where the order runs along columns) with the number
                of images finished before this batch, the rows done (in rows of the raster frame), and the levels.
        """
        batch = self.sampler.batch(start, stop)
        lines = self.model.order(self.config.order).raster_size(*self.size)[0]

        def draw(candidate: int) -> Samples:
            report = None if on_row is None else (lambda rows, x: on_row(start, candidate * lines + rows, x))
            return self._draw(batch, range(start, stop), self.uniforms.of_candidate(candidate), report)

        return best_of(self.config.best_of, draw, batch.unconditional_nats)

    def _draw(self, batch: ConditionedBatch, images: range, uniforms: ImageNumbers, on_row: OnRow | None) -> Samples:
        """Sample one candidate of each image; where there are rules, until it obeys them."""
        rules, tries = self.config.parsed_rules, None

        def draw(rows: IntArray, mask: LevelMask | None = None) -> DrawnImages:
            # an image that is drawn again is not reported again
            return batch.draw(rows, uniforms, mask, on_row if len(rows) == len(images) else None)

        def draw_within(rows: IntArray, mask: LevelMask) -> tuple[IntArray, np.ndarray]:
            drawn = draw(rows, mask)
            return drawn.levels, drawn.nats

        if self.mask is None or rules is None:
            drawn = draw(np.arange(len(images)))
            levels, nats = drawn.levels, drawn.nats
        else:
            (levels, nats), tries = draw_until_accepted(self.mask, len(images), rules.tries, draw_within)
        return Samples(
            levels=levels,
            nats=nats,
            image=self.model.image.resized(*self.size),
            labels=batch.labels,
            seed=self.uniforms.seed,
            engine=self.config.engine,
            order=self.config.order or "",
            texts=None if self.texts is None else tuple(self.texts[images.start : images.stop]),
            tileset=self.model.tileset,
            tries=tries,
        )


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
        model: a model, or the name or folder of one.
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
    if text is not None:
        from pointillist.model.vocabulary import log_prompts

        log_prompts(opened, text, n)
    return plan.sample(on_row)
