"""A request for images, and the arrays that it resolves to, from which any range of the images is drawn.

Flags, keywords, messages of the studio, links and manifests are spellings of `Request`. `Request.resolve` is the one
place that checks them against a model; what is drawn below it are arrays and types. Needs no torch for a model that is
sampled from its integer program.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Unpack, cast

import numpy as np

from pointillist.conditioning.inputs import ConditionInputs, has_prompt, parse_prompts
from pointillist.conditioning.known import OBSERVED
from pointillist.conditioning.label import labels_from_input
from pointillist.data.options import parse_size
from pointillist.engine.batch import check_batch_memory
from pointillist.engine.program import IntArray
from pointillist.errors import ConfigError, check_whole
from pointillist.files.progress import Bar
from pointillist.images import MAX_SIDE
from pointillist.images.array_types import Float
from pointillist.images.ordering import PixelOrder
from pointillist.model.folder.portable import ProgramModel
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.candidates import best_of, check_best_of, unconditional_nats
from pointillist.sampling.config import SampleKwargs, SamplingConfig, choose_float_engine, split_keywords
from pointillist.sampling.masks import draw_until_accepted, open_image_mask, open_weighted_mask
from pointillist.sampling.samples import Samples
from pointillist.sampling.task import DrawnImages, DrawTask, Known, OnBatchRow, OnRow, draw_by_program
from pointillist.sampling.uniforms import Uniforms, check_count

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask
    from pointillist.model.pixel_model import PixelModel
    from pointillist.model.vocabulary import Prompts

# per sub-pixel, apart from the engine: its uniform, stacked and in the raster frame; its level, in both frames
_BYTES = 5 * 8


@dataclass(frozen=True, kw_only=True)
class Request:
    """Images that are asked for, before a model has seen the request.

    ```python
    request = Request.of(1000, label=3, seed=0, guidance=2.0)
    request.resolve(model).draw(64, 128).nats  # of the images 64 to 127
    ```

    Attributes:
        n: number of images.
        conditions: by keyword, `label` and `text` among them, each one value for all images or one each; or a table for
            each image. None leaves a condition out.
        settings: fields of `SamplingConfig` that are asked for; one that changes nothing is an error.
        defaults: settings in the place of others; None for the model's own, where no pixel is known.
        seed: image i depends on (seed, i) alone; None draws a new seed.
        uniforms: numbers in [0, 1) instead of a seed, `[n c h w]`.
        numbers: seed and index of each image instead of one seed and 0, 1, ...
        first: index of the first image of the seed.
        size: height and width; None for the model's own.
        known: levels of the images, and which of their sub-pixels are known.
        allowed: levels that each pixel `[h w k]` or sub-pixel `[c h w k]` may have; None for all.
    """

    n: int = 1
    conditions: Mapping[str, Any] | Sequence[Mapping[str, Any]] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] | None = None
    seed: int | None = None
    uniforms: Any = None
    numbers: Sequence[tuple[int, int]] | None = None
    first: int = 0
    size: int | str | tuple[int, int] | None = None
    known: Known | None = None
    allowed: Any = None

    @classmethod
    def of(
        cls,
        n: int,
        label: Any = None,
        text: Any = None,
        *,
        seed: int | None = None,
        uniforms: Any = None,
        size: int | str | tuple[int, int] | None = None,
        **keywords: Unpack[SampleKwargs],
    ) -> Request:
        """Make a request of the keywords of `sample`.

        Raises:
            TypeError: for a keyword that is neither a setting nor a condition.
        """
        settings, conditions = split_keywords(keywords)
        values = {"label": label, "text": text, **conditions}
        return cls(n=n, conditions=values, settings=settings, seed=seed, uniforms=uniforms, size=size)

    def resolve(
        self,
        model: LikelihoodModel,
        *,
        order: PixelOrder | None = None,
        observes: bool = True,
        weighted: bool = False,
        at_once: bool = False,
    ) -> Draws:
        """Check a request against a model, before anything is computed for this many images.

        Args:
            order: generation order in place of the one that the settings name.
            observes: whether known pixels are conditions of a model that reads them.
            weighted: whether draws within `allowed` and rules are weighted; see `LevelMask.open`.
            at_once: whether all images are held at once.

        Raises:
            ConfigError, ShapeError, EngineError: naming the argument that is wrong.
            DataError: if there is too little memory.
        """
        channels, (height, width) = model.image.channels, self._size(model)
        # for one image, `check_batch_memory` names a size that fits
        several = at_once and check_whole("n", self.n, 1) != 1
        check_count(self.n, (channels, height, width) if several else None)
        config = SamplingConfig(**{**self._defaults(model), **self.settings})
        prompts = self._prompts(model)
        texts = None if prompts is None else prompts.texts
        scorer = model.scorer(config.engine, (height, width))
        floats = scorer.engine != "integer"
        engine = choose_float_engine(model, config.engine, (height, width)).engine if floats else "integer"
        scorer.check_size(height, width)
        order = model.order(config.order) if order is None else order
        inputs = self._inputs(model, (height, width), observes=observes)
        pending = texts
        if texts is not None and self.known is not None:
            inputs, pending = model.conditions.with_prompts(inputs, texts), None
        uniforms = Uniforms.resolve(
            self.seed, self.uniforms, (self.n, channels, height, width), self.numbers, first=self.first
        )
        conditional = has_prompt(texts) or inputs.is_conditional
        negative = config.negative_prompt
        model.conditions.check_guided(self.settings.get("guidance"), conditional=conditional, negative=negative)
        if not (conditional or has_prompt(negative)):
            config = replace(config, guidance=1.0, negative_prompt=None)  # there is nothing to lead away from
        check_best_of(config, conditional=conditional, seeded=uniforms.array is None)
        count = min(self.n, config.batch_size)
        check_batch_memory(channels * height * width * count * _BYTES, count, height, width)
        return Draws(
            request=self,
            model=model,
            scorer=scorer,
            config=replace(config, engine=engine, order=order.name),
            order=order,
            inputs=inputs,
            uniforms=uniforms,
            size=(height, width),
            prompts=prompts,
            pending=pending,
            negatives=parse_prompts(negative, self.n),
            observed=self.known,
            mask=self._mask(model, config, (height, width), weighted=weighted),
        )

    def _size(self, model: LikelihoodModel) -> tuple[int, int]:
        height, width = (model.image.height, model.image.width) if self.size is None else parse_size(self.size)
        if max(height, width) > MAX_SIDE:
            raise ConfigError(f"`size` (={height}x{width}) must have at most {MAX_SIDE:,} pixels a side.")
        return height, width

    def _defaults(self, model: LikelihoodModel) -> Mapping[str, Any]:
        if self.defaults is not None:
            return self.defaults
        # known pixels ask for the model's conditional, not for what makes good samples
        return model.generation_config.sampling if self.known is None else {}

    def _prompts(self, model: LikelihoodModel) -> Prompts | None:
        """Read the prompts of the images; None without any."""
        if isinstance(self.conditions, Mapping):
            text = self.conditions.get("text")
        else:
            each = [table.get("text") for table in self.conditions]
            text = each if any(value is not None for value in each) else None
        if text is None:
            return None
        if model.conditions.prompt_reader is None:
            raise model.conditions.unsupported("text", text)
        from pointillist.model.vocabulary import read_prompts

        return read_prompts(model, text, self.n)

    def _inputs(self, model: LikelihoodModel, size: tuple[int, int], *, observes: bool) -> ConditionInputs:
        """Read the conditions without prompts, and known pixels if the model has them as a condition."""
        readers, known = model.conditions, None
        if observes and OBSERVED in readers.readers:
            known = self.known
        if isinstance(self.conditions, Mapping):
            values = {name: value for name, value in self.conditions.items() if name != "text"}
            return readers.inputs(count=self.n, size=size, known=known, **values)
        parts = []
        for i, table in enumerate(self.conditions):
            values = {name: value for name, value in table.items() if name != "text"}
            part = None if known is None else (known[0][i : i + 1], known[1])
            parts.append(readers.inputs(count=1, size=size, known=part, **values))
        return ConditionInputs.concat(parts)

    def _mask(
        self, model: LikelihoodModel, config: SamplingConfig, size: tuple[int, int], *, weighted: bool
    ) -> LevelMask | None:
        if weighted and self.known is not None:
            return open_weighted_mask(model, config.parsed_rules, size, self.allowed, self.known)
        return open_image_mask(model, config.parsed_rules, size)


@dataclass(frozen=True, kw_only=True, eq=False)
class Draws:
    """A resolved request: arrays, from which any range of the images can be drawn.

    Attributes:
        request: what was asked.
        model: the model.
        scorer: the distribution that the images are drawn from.
        config: settings, with the engine and the order resolved.
        order: generation order.
        inputs: conditions of the images, without the prompts that are `pending`.
        uniforms: random numbers of the images.
        size: height and width.
        prompts: prompts as they are sampled, and what is said about them; see `read_prompts`. None if absent.
        pending: prompts that are encoded batch by batch, as there may be millions; None if they are in `inputs`.
        negatives: negative prompt of each image; None if absent.
        observed: levels of the images, and which of their sub-pixels are known; None to draw all.
        mask: with which each image begins; None where nothing restricts its levels.
        on_row: called after each row of every draw, also of an image that is drawn again; an exception that it raises
            ends the work.
        outputs: see `DrawTask`; of all images, which are one batch then.
    """

    request: Request
    model: LikelihoodModel
    scorer: LikelihoodModel
    config: SamplingConfig
    order: PixelOrder
    inputs: ConditionInputs
    uniforms: Uniforms
    size: tuple[int, int]
    prompts: Prompts | None = None
    pending: Sequence[str] | None = None
    negatives: Sequence[str] | None = None
    observed: Known | None = None
    mask: LevelMask | None = None
    on_row: OnRow | None = None
    outputs: Float[np.ndarray, "n h2 w2 p"] | None = None

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.inputs)

    @property
    def texts(self) -> Sequence[str] | None:
        """Prompt of each image, as it is sampled; None if absent."""
        return None if self.prompts is None else self.prompts.texts

    def negative(self, images: IntArray) -> ConditionInputs | None:
        """Return the conditions of the reference distribution of guidance, by negative prompts; None if absent."""
        if self.negatives is None:
            return None
        prompts = [self.negatives[i] for i in images.tolist()]
        return self.model.conditions.inputs(None, len(prompts), prompts, size=self.size)

    def task(
        self, images: IntArray, uniforms: Float[np.ndarray, "b c h w"] | None = None, mask: LevelMask | None = None
    ) -> DrawTask:
        inputs = self.inputs[images]
        if self.pending is not None:
            inputs = self.model.conditions.with_prompts(inputs, [self.pending[i] for i in images.tolist()])
        return DrawTask(
            uniforms=self.uniforms.of(images) if uniforms is None else uniforms,
            inputs=inputs,
            negative=self.negative(images),
            order=self.order,
            config=self.config,
            known=None if self.observed is None else (self.observed[0][images], self.observed[1]),
            mask=mask,
            on_row=self.on_row,
            outputs=self.outputs,
        )

    def stream(self, first: int = 0, on_row: OnBatchRow | None = None) -> Iterator[Samples]:
        """Sample batch by batch, so that any number of images fits in memory.

        ```python
        for batch in Request.of(100_000, seed=0).resolve(model).stream():
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
                of images finished before this batch, the rows done (in rows of the raster frame), and the levels; not
                for images that are drawn again.
        """
        images = np.arange(start, stop)
        task, lines = self.task(images), self.order.raster_size(*self.size)[0]

        def draw(candidate: int) -> Samples:
            def report(rows: int, levels: Any) -> None:
                if self.on_row is not None:
                    self.on_row(rows, levels)
                if on_row is not None:
                    on_row(start, candidate * lines + rows, levels)

            watched = report if on_row is not None or self.on_row is not None else None
            uniforms = self.uniforms.of(images, candidate) if candidate else task.uniforms
            return self._draw(replace(task, uniforms=uniforms, on_row=watched), images)

        def without(levels: Any) -> Float[np.ndarray, " n"]:
            return unconditional_nats(self.scorer, levels, task.inputs, self.order)

        return best_of(self.config.best_of, draw, without)

    def _draw(self, task: DrawTask, images: IntArray) -> Samples:
        """Sample one candidate of each image; where there are rules, until it obeys them."""
        rules, tries = self.config.parsed_rules, None

        def draw(rows: IntArray, mask: LevelMask) -> tuple[IntArray, np.ndarray]:
            part = task.of(rows, mask)
            if len(rows) < len(images):
                part = replace(part, on_row=self.on_row)
            drawn = draw_images(self.scorer, part)
            return drawn.levels, drawn.nats

        if self.mask is None or rules is None:
            drawn = draw_images(self.scorer, task)
            levels, nats = drawn.levels, drawn.nats
        else:
            (levels, nats), tries = draw_until_accepted(self.mask, len(images), rules.tries, draw)
        return Samples(
            levels=levels,
            nats=nats,
            image=self.model.image.resized(*self.size),
            labels=labels_from_input(task.inputs.parts.get("label"), len(images)),
            seed=self.uniforms.seed,
            engine=self.config.engine,
            order=self.order.name,
            texts=None if self.texts is None else tuple(self.texts[i] for i in images.tolist()),
            tileset=self.model.tileset,
            tries=tries,
        )


def draw_images(scorer: LikelihoodModel, task: DrawTask) -> DrawnImages:
    """Draw images by an integer program, or by the engine in floating point that the settings name.

    Example:
        draw_images(draws.scorer, draws.task(np.arange(4))).levels
    """
    if isinstance(scorer, ProgramModel):
        return draw_by_program(scorer, task)
    from pointillist.sampling.pixel import draw_by_loop

    return draw_by_loop(cast("PixelModel", scorer), task)
