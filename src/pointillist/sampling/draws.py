"""The arrays of a resolved request, of which any range is drawn, by an integer program or in floating point.

`best_of` chooses between candidates of each image by a score that is exact, from the model itself:
log p(x | conditions) - 0.5 log p(x). With all of the last term it would be the pointwise mutual information, which
prefers odd images (docs/decisions/experiments.md). Needs no torch for a model that is sampled from its integer program.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from pointillist.conditioning.inputs import ConditionInputs, distinct
from pointillist.conditioning.label import labels_from_input
from pointillist.distributions.transform import Transform
from pointillist.engine.batch import empty_batch
from pointillist.engine.program import IntArray
from pointillist.files.progress import Bar
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.images.pictures import sum_images
from pointillist.model.portable import ProgramModel
from pointillist.model.portable.conditions import join_inputs
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.config import FORM_VERSION, OnBatchRow, OnRow, SamplingConfig
from pointillist.sampling.masks import Known, draw_until_accepted
from pointillist.sampling.methods import sub_pixel_rank
from pointillist.sampling.samples import Samples
from pointillist.sampling.uniforms import Uniforms
from pointillist.system import default_threads

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask
    from pointillist.model.pixel_model import PixelModel
    from pointillist.model.vocabulary import Prompts

_RECORDED = [f.name for f in fields(SamplingConfig) if f.name not in ("threads", "negative_prompt", "rules")]
UNCONDITIONAL_SHARE = 0.5  # chosen on 60 concepts, 40 others agree (docs/decisions/experiments.md)
_SCORED_AT_ONCE = 16  # images in the pass that scores candidates: sampling itself needs far less memory for each

Result = TypeVar("Result", bound=Any)
"""A dataclass of images with `nats` and `gain`; its arrays have an entry for each image."""
Drawn = tuple[Int[np.ndarray, "n c h w"], Float[np.ndarray, " n"]]
"""Levels of images, and their log-likelihood in nats."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Draws:
    """A resolved request: arrays, from which any range of the images can be drawn.

    Attributes:
        request: the `Request`, whose file imports this one.
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
        observed: levels of the images, and which of their sub-pixels are known and add no nats; None to draw all.
        mask: levels that each sub-pixel may have, of one image of a request, or of the images of a part; None for all.
        method: how unknown pixels are completed, see `METHODS`, or `soft` by soft data; None for images in their order.
        soft: factors of the probability of each level at each pixel; None without soft data.
        on_row: called after each row (in rows of the raster frame) of every draw with the rows done and the levels so
            far, also of an image that is drawn again; an exception that it raises ends the work.
        outputs: filled with the outputs of the engine at each pixel that is not known, `[n h2 w2 p]` in the raster
            frame, row by row, before `on_row` is called; an integer program has log-probabilities as outputs. Of all
            images, which are one batch then.
    """

    request: Any
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
    method: str | None = None
    soft: Float[np.ndarray, "h w k"] | None = None
    on_row: OnRow | None = None
    outputs: Float[np.ndarray, "n h2 w2 p"] | None = None

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.inputs)

    @property
    def texts(self) -> tuple[str, ...] | None:
        """Prompt of each image, as it is sampled; None if absent."""
        return None if self.prompts is None else tuple(self.prompts.texts)

    @cached_property
    def encoded(self) -> ConditionInputs:
        """Conditions of all images with their prompts, at once."""
        if self.pending is None:
            return self.inputs
        return self.model.conditions.with_prompts(self.inputs, self.pending)

    @property
    def levels(self) -> Int[np.ndarray, "n c h w"]:
        """Levels of the images, read where they are known."""
        assert self.observed is not None
        return self.observed[0]

    @property
    def known(self) -> Bool[np.ndarray, "c h w"]:
        """Sub-pixels to keep."""
        assert self.observed is not None
        return self.observed[1]

    @cached_property
    def started(self) -> Bool[np.ndarray, "c h w"]:
        """Mask of the sub-pixels from the first unknown one on, in generation order."""
        rank = sub_pixel_rank(self.model, self.known.shape, self.order)
        return np.asarray(rank >= rank[~self.known].min(initial=rank.size))

    @cached_property
    def weighed(self) -> Bool[np.ndarray, "c h w"]:
        """Mask of the known sub-pixels whose probabilities weigh particles: no condition, and after an unknown one."""
        weighed, observed = self.known & self.started, self.inputs.observed
        return np.asarray(weighed if observed is None else weighed & ~observed[0])

    @cached_property
    def allowed(self) -> Bool[np.ndarray, "c h w k"] | None:
        """Levels that each sub-pixel may have before anything is drawn; None for all."""
        if self.mask is None:
            return None
        channels, (height, width) = len(self.known), self.size
        rows, columns = np.divmod(np.arange(height * width), width)
        allowed = [self.mask.allowed(channel, rows, columns) for channel in range(channels)]
        return np.stack(allowed).reshape(channels, height, width, self.model.image.levels)

    def record(self) -> dict[str, Any]:
        """Return all that the images depend on, as JSON holds it; conditions by a hash, as each image may have others.

        Example:
            Request.of(4, seed=1).resolve(model).record()["order"]  # "raster"
        """
        rules = None if self.config.parsed_rules is None else self.config.parsed_rules.model_dump(mode="json")
        digest = hashlib.sha256(json.dumps([self.texts, self.negatives, rules]).encode())
        for part in self.inputs.parts.values():
            for array in map(distinct, (part.values, part.known)):
                digest.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
        return {
            "version": FORM_VERSION,
            "model": self.model.fingerprint,
            "n": self.count,
            "seed": self.uniforms.seed,
            "size": list(self.size),
            **{name: getattr(self.config, name) for name in _RECORDED},
            "conditions": digest.hexdigest(),
        }

    @property
    def reference(self) -> ConditionInputs | None:
        """Negative prompts as conditions of the reference distribution of guidance; None if absent."""
        if self.negatives is None:
            return None
        return self.model.conditions.inputs(None, self.count, self.negatives, size=self.size)

    def part(self, images: IntArray, candidate: int = 0, mask: LevelMask | None = None) -> Draws:
        """Return some of the images with their prompts encoded, the uniforms of a candidate, and their mask."""
        numbers, inputs, prompts = images.tolist(), self.inputs[images], self.prompts
        if self.pending is not None:
            inputs = self.model.conditions.with_prompts(inputs, [self.pending[i] for i in numbers])
        return replace(
            self,
            inputs=inputs,
            prompts=None if prompts is None else prompts._replace(texts=[prompts.texts[i] for i in numbers]),
            pending=None,
            uniforms=self.uniforms.part(images, candidate),
            negatives=None if self.negatives is None else [self.negatives[i] for i in numbers],
            observed=None if self.observed is None else (self.observed[0][images], self.observed[1]),
            mask=mask,
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
        with self.bar() as bar:

            def show(done: int, rows: int, levels: Any) -> None:
                bar.show(self.rows(done) + rows)
                if on_row is not None:
                    on_row(done, rows, levels)

            return Samples.concat([*self.stream(on_row=show)])

    def bar(self) -> Bar:
        """Return a progress bar of the rows of all batches, and of each candidate."""
        return Bar("sampling", self.rows(self.count))

    def rows(self, done: int) -> int:
        """Return the rows that a bar shows after `done` images."""
        lines = self.order.raster_size(*self.size)[0] * int(self.config.best_of)
        return -(-int(done) // int(self.config.batch_size)) * lines

    def draw(self, start: int, stop: int, on_row: OnBatchRow | None = None) -> Samples:
        """Sample the images `start .. stop` as one batch; the best of several candidates where `config` says so.

        Args:
            on_row: called after each row of a stage (each column, where the order runs along columns) with the number
                of images finished before this batch, the rows done (in rows of the raster frame), and the levels; not
                for images that are drawn again.
        """
        images, lines = np.arange(start, stop), self.order.raster_size(*self.size)[0]
        part = self.part(images)

        def draw(candidate: int) -> Samples:
            def report(rows: int, levels: Any) -> None:
                if self.on_row is not None:
                    self.on_row(rows, levels)
                if on_row is not None:
                    on_row(start, candidate * lines + rows, levels)

            watched = report if on_row is not None or self.on_row is not None else None
            drawn = replace(part, on_row=watched)
            if candidate:
                drawn = replace(drawn, uniforms=self.uniforms.part(images, candidate))
            return self._obeying(drawn)

        return best_of(part, draw)

    def _obeying(self, part: Draws) -> Samples:
        """Sample one candidate of each image of a part; where there are rules, until it obeys them."""
        rules, tries = self.config.parsed_rules, None

        def draw(rows: IntArray, mask: LevelMask) -> Drawn:
            some = part.part(rows, mask=mask)
            return (some if len(rows) == part.count else replace(some, on_row=self.on_row)).drawn()

        if self.mask is None or rules is None:
            levels, nats = part.drawn()
        else:
            (levels, nats), tries = draw_until_accepted(self.mask, part.count, rules.tries, draw)
        return Samples(levels=levels, nats=nats, tries=tries, **part.facts())

    def facts(self) -> Any:
        """Return what `Samples` record of the images, apart from what is drawn."""
        return {
            "image": self.model.image.resized(*self.size),
            "labels": labels_from_input(self.inputs.parts.get("label"), self.count),
            "seed": self.uniforms.seed,
            "engine": self.config.engine,
            "order": self.order.name,
            "texts": self.texts,
            "tileset": self.model.tileset,
        }

    def drawn(self) -> Drawn:
        """Draw all images of a part, by an integer program or by the engine in floating point that the settings name.

        Example:
            draws.part(np.arange(4)).drawn()
        """
        if isinstance(self.scorer, ProgramModel):
            return draw_by_program(self.scorer, self)
        from pointillist.sampling.pixel import draw_by_loop

        return draw_by_loop(
            cast("PixelModel", self.scorer),
            self.uniforms.of(range(self.count)),
            (self.inputs, self.reference),
            self.config,
            observed=self.observed,
            mask=self.mask,
            on_row=self.on_row,
            outputs=self.outputs,
        )


def draw_by_program(scorer: ProgramModel, draws: Draws) -> Drawn:
    inputs, transform = guided_inputs(scorer, draws)
    batch = empty_batch(draws.uniforms.of(range(draws.count)), draws.order, draws.observed)
    batch.mask, batch.params = draws.mask, draws.outputs
    threads = draws.config.threads or default_threads()
    levels = scorer.draw(batch, inputs, draws.order, transform, on_row=draws.on_row, threads=threads)
    return levels, batch.nats


def guided_inputs(scorer: ProgramModel, draws: Draws) -> tuple[dict[str, IntArray], Transform]:
    """Return conditions as integers, under guidance with the reference after them, and the transform.

    Images without conditions are drawn without guidance.
    """
    inputs, transform = draws.inputs, draws.config.transform
    reference = inputs.guidance_reference(draws.reference)
    if not (inputs.is_conditional or reference.is_conditional):
        transform = transform.unguided()
    encoded = scorer.encode(inputs, len(inputs), draws.size, draws.order)
    if transform.is_guided:
        encoded = join_inputs(encoded, scorer.encode(reference, len(inputs), draws.size, draws.order))
    return encoded, transform


def best_of(draws: Draws, draw: Callable[[int], Result]) -> Result:
    """Keep, of each image, the candidate with the largest score; two are in memory at a time.

    Args:
        draws: the images; no gain is computed where the settings ask for one candidate.
        draw: samples the candidate of each with number k, from 0.

    Example:
        best_of(draws.part(images), draw).gain
    """
    if draws.config.best_of == 1:
        return draw(0)

    def scored(number: int) -> tuple[Result, Float[np.ndarray, " n"]]:
        result = draw(number)
        without = _unconditional_nats(draws, result.levels)
        return replace(result, gain=result.nats - without), np.asarray(result.nats - UNCONDITIONAL_SHARE * without)

    best, score = scored(0)
    for number in range(1, draws.config.best_of):
        other, other_score = scored(number)
        best = _keep_better(best, other, other_score > score)
        score = np.maximum(score, other_score)
    return best


def _keep_better(best: Result, other: Result, is_better: Bool[np.ndarray, " n"]) -> Result:
    """Take everything that is given for each image from `other` where `is_better`."""
    values = {}
    for name in (f.name for f in fields(best)):
        old = getattr(best, name)
        if isinstance(old, np.ndarray) and old.shape[:1] == is_better.shape:
            values[name] = old.copy()
            values[name][is_better] = getattr(other, name)[is_better]
    return replace(best, **values)


def _unconditional_nats(draws: Draws, levels: Int[np.ndarray, "n c h w"]) -> Float[np.ndarray, " n"]:
    """Compute the log-likelihood of each image without its conditions, in nats, float64."""
    parts = []
    for start in range(0, len(levels), _SCORED_AT_ONCE):
        rows = slice(start, start + _SCORED_AT_ONCE)
        inputs = draws.inputs[rows].unconditional()
        parts.append(sum_images(draws.scorer.unchecked_log_prob_map(levels[rows], inputs, draws.order)))
    return np.concatenate(parts)
