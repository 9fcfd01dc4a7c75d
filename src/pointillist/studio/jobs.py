"""Sampling jobs: requests that are validated and completed, ready to run."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import SupportsIndex

import numpy as np

from pointillist.conditioning import ConditionInputs, parse_prompts
from pointillist.distributions.kinds import LIKELIHOODS
from pointillist.errors import ConfigError, DataError, ShapeError
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.api import SamplePlan, draw_images
from pointillist.sampling.candidates import check_best_of, open_image_mask
from pointillist.sampling.conditioned import ConditionedSampler
from pointillist.sampling.config import SamplingConfig, resolve_engine
from pointillist.sampling.generative import DrawnImages, DrawTask, Known, OnRow
from pointillist.sampling.inversion import interpolate_uniforms, recover_uniforms, replace_uniforms
from pointillist.sampling.samples import Samples
from pointillist.sampling.uniforms import seeded_uniforms
from pointillist.studio import schemas
from pointillist.studio.conversion import (
    check_pixels,
    decode_conditions,
    decode_levels,
    decode_mask,
    drawing_keywords,
)
from pointillist.studio.errors import too_large

_SEEDS = 2**31

Recovered = dict[str, np.ndarray]
"""Uniforms of images that several samples vary."""


@dataclass(frozen=True)
class SamplingJob:
    """A valid request to sample images: their plan, and what the page shows of them.

    Attributes:
        plan: the images, each from the seed and index of its sample, with their conditions and known pixels.
        request: the request, with every seed, the order, the size and the engine filled in.
        sampler: of `plan`.
        sequence: the pixels to sample, `row * width + column`, in generation order.
    """

    plan: SamplePlan
    request: schemas.SampleRequest
    sampler: ConditionedSampler
    sequence: Int[np.ndarray, " n"]

    @property
    def model(self) -> LikelihoodModel:
        """The model to sample from."""
        return self.plan.model  # type: ignore[return-value]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.plan.size

    @property
    def order(self) -> PixelOrder:
        """The generation order."""
        return self.sampler.order

    def with_threads(self, threads: int | None) -> SamplingJob:
        """Return the job with a number of threads; None for the default."""
        sampler = replace(self.sampler, config=replace(self.sampler.config, threads=threads))
        return replace(self, sampler=sampler, plan=replace(self.plan, sampler=sampler))

    def draw(self, on_row: OnRow, outputs: Float[np.ndarray, "n h2 w2 p"] | None = None) -> Samples:
        """Draw the images by the plan.

        Args:
            on_row: called after each row, also of an image that is drawn again; an exception that it raises ends it.
            outputs: see `DrawTask`.
        """

        def draw(task: DrawTask) -> DrawnImages:
            return draw_images(self.model, replace(task, on_row=on_row))

        return replace(self.plan, sampler=replace(self.sampler, draw=draw, outputs=outputs)).draw(0, self.plan.count)


@dataclass(frozen=True)
class SampleNumbers:
    """The random numbers of each sample, by its seed and index, or near the numbers of another image.

    Attributes:
        model: the model.
        request: the request, filled in.
        candidate: number of the candidate of each; see `best_of`.
        seed: None, as each sample has its own.
        recovered: numbers of images that are varied, filled in.
    """

    model: LikelihoodModel
    request: schemas.SampleRequest
    candidate: int = 0
    seed: int | None = None
    recovered: Recovered = field(default_factory=dict, repr=False)

    def of_candidate(self, candidate: int) -> SampleNumbers:
        """Return the numbers of another candidate of each image."""
        return replace(self, candidate=candidate)

    def of(self, images: Iterable[SupportsIndex]) -> Float[np.ndarray, "n c h w"]:
        """Make the random numbers of some samples."""
        assert self.request.size is not None
        height, width = self.request.size
        shape = (self.model.image.channels, height, width)
        parts = []
        for spec in (self.request.samples[int(i)] for i in images):
            uniforms = seeded_uniforms(spec.seed or 0, [spec.index], shape, self.candidate)
            if spec.variation is not None and spec.variation.kind != "regions":
                uniforms = self._varied(spec.variation, uniforms, shape)
            parts.append(uniforms)
        return np.concatenate(parts)

    def _varied(
        self,
        variation: schemas.Variation,
        uniforms: np.ndarray,
        shape: tuple[int, int, int],
    ) -> np.ndarray:
        if variation.levels is None:
            origin = seeded_uniforms(variation.seed, [variation.index], shape)
        else:
            key = variation.model_dump_json(include={"levels", "conditions", "seed"})
            if key not in self.recovered:
                self.recovered[key] = self._recover(variation, variation.levels)
            origin = self.recovered[key]
        if variation.kind == "interpolate":
            return interpolate_uniforms(origin, uniforms, variation.strength)
        return replace_uniforms(origin, uniforms, variation.strength, variation.seed)

    def _recover(self, variation: schemas.Variation, levels: schemas.EncodedArray) -> np.ndarray:
        request, pixels = self.request, levels.array().astype(np.int64)
        return recover_uniforms(
            self.model,
            pixels,
            seed=variation.seed,
            order=request.order,
            engine=request.engine,
            **drawing_keywords(self.model, request, variation.conditions, (pixels.shape[-2], pixels.shape[-1])),
        )


def make_job(model: LikelihoodModel, request: schemas.SampleRequest, limits: schemas.Limits) -> SamplingJob:
    """Validate a request against a model and the limits, and fill in what it leaves open.

    Raises:
        RequestError: if it is too large.
        ConfigError, ShapeError, DataError, EngineError: naming what the model does not support.
    """
    order = model.order(request.order)
    levels = None if request.start is None else _starts(model, request.start.levels, len(request.samples), limits)
    size = _size(model, request, levels)
    engine = resolve_engine(model, request.engine, size)
    _check_numbers(model, request, engine, size, limits)
    known: Known | None = None
    parts: list[tuple[np.ndarray, np.ndarray] | None] = [None] * len(request.samples)
    if levels is not None and request.start is not None:
        mask = decode_mask(request.start.known, *size)
        if mask.all():
            raise DataError("`known` keeps every pixel, so there is nothing to paint: leave at least one out.")
        levels = np.broadcast_to(levels, (len(request.samples), *levels.shape[1:]))
        known = levels, np.broadcast_to(mask, levels.shape[1:])
        parts = [(each, mask) for each in levels]
    for spec in request.samples:
        if spec.variation is not None:
            _check_variation(model, spec.variation, size, limits, starts=known is not None)
    regions = [spec.variation is not None and spec.variation.kind == "regions" for spec in request.samples]
    if any(regions) and not all(regions):
        raise ConfigError("`variation` of the kind regions must be one for all samples of a job: ask for them apart.")
    specs = zip(request.samples, parts, strict=True)
    conditions = ConditionInputs.concat([decode_conditions(model, spec.conditions, size, each) for spec, each in specs])
    samples = [spec.model_copy(update={"seed": _seed(spec)}) for spec in request.samples]
    filled = request.model_copy(update={"samples": samples, "order": order.name, "size": list(size), "engine": engine})
    config = SamplingConfig(
        guidance=request.guidance,
        temperature=request.temperature,
        top_p=request.top_p,
        engine=engine,
        order=order.name,
        negative_prompt=request.negative_prompt,
        rules=None if request.rules is None else request.rules.to_dict(),
        best_of=request.best_of,
    )
    model.conditions.check_guided(None, conditional=conditions.is_conditional, negative=request.negative_prompt)
    check_best_of(config, conditional=conditions.is_conditional, seeded=all(s.variation is None for s in samples))
    sampler = ConditionedSampler(
        conditions=model.conditions,
        inputs=conditions,
        texts=None,
        negatives=parse_prompts(request.negative_prompt, len(samples)),
        size=size,
        order=order,
        config=config,
        draw=partial(draw_images, model),
        scorer=partial(model.scorer, "integer" if engine == "integer" else "torch", size),
        known=known,
    )
    plan = SamplePlan(
        model=model,
        sampler=sampler,
        count=len(samples),
        size=size,
        uniforms=SampleNumbers(model, filled),
        mask=open_image_mask(model, config.parsed_rules, size),
    )
    return SamplingJob(plan, filled, sampler, _sequence(model, size, order, known))


def _starts(
    model: LikelihoodModel, encoded: schemas.EncodedArray, count: int, limits: schemas.Limits
) -> Int[np.ndarray, "n c h w"]:
    """Decode one image for all samples, or one for each."""
    if len(encoded.shape) != 4:
        return decode_levels(model, encoded, limits)
    if encoded.shape[0] != count:
        raise ShapeError(f"`start.levels` of {encoded.shape[0]} images must be one image, or {count}: one a sample.")
    images = encoded.array()
    dtype = encoded.dtype
    return np.concatenate([decode_levels(model, schemas.EncodedArray.of(image, dtype), limits) for image in images])


def _check_variation(
    model: LikelihoodModel, variation: schemas.Variation, size: tuple[int, int], limits: schemas.Limits, *, starts: bool
) -> None:
    if variation.kind == "regions" and (variation.levels is None or not variation.strength):
        raise ConfigError("`variation` of the kind regions needs `levels`, and a `strength` above 0: give both.")
    if starts:
        raise ConfigError("`variation` and `start` do not go together: leave one of them out.")
    if variation.levels is None:
        return
    levels = decode_levels(model, variation.levels, limits)
    if levels.shape[2:] != size:
        raise ShapeError(
            f"`variation.levels` of {levels.shape[2]}x{levels.shape[3]} must have the size of the samples, "
            f"{size[0]}x{size[1]}."
        )
    decode_conditions(model, variation.conditions, (size[0], size[1]))


def _seed(spec: schemas.SampleSpec) -> int:
    return secrets.randbelow(_SEEDS) if spec.seed is None else spec.seed


def _size(model: LikelihoodModel, request: schemas.SampleRequest, start: np.ndarray | None) -> tuple[int, int]:
    if start is not None:
        size = (start.shape[2], start.shape[3])
    else:
        height, width = request.size or (model.image.height, model.image.width)
        size = (height, width)
    model.check_size(*size)
    return size


def _check_numbers(
    model: LikelihoodModel, request: schemas.SampleRequest, engine: str, size: tuple[int, int], limits: schemas.Limits
) -> None:
    """Check the number of samples, and the numbers that the job holds in memory."""
    check_pixels(*size, limits)
    samples = len(request.samples)
    if samples > limits.samples:
        raise too_large("The number of samples", samples, limits.samples, "ask for fewer")
    image = model.image
    per_pixel = num_outputs(model, engine) + (2 * image.channels * image.levels if request.distributions else 0)
    numbers = samples * per_pixel * size[0] * size[1]
    if numbers > limits.numbers:
        remedy = "ask for fewer samples, a smaller size, or no distributions"
        raise too_large("The numbers of this job", numbers, limits.numbers, remedy)


def num_outputs(model: LikelihoodModel, engine: str) -> int:
    """Return the number of outputs of an engine at each pixel: see `DrawTask`."""
    image = model.image
    if engine == "integer" and not image.is_deep:
        return image.channels * image.levels
    return LIKELIHOODS[model.likelihood_name].num_params(image.channels, image.levels, model.mixtures)


def _sequence(model: LikelihoodModel, size: tuple[int, int], order: PixelOrder, known: Known | None) -> np.ndarray:
    """List unknown pixels in generation order."""
    pixels: Int[np.ndarray, " n"] = np.argsort(model.generation_rank(*size, order), axis=None, kind="stable")
    if known is None:
        return pixels
    unknown: Bool[np.ndarray, " n"] = ~known[1].all(0).ravel()
    left: Int[np.ndarray, " n"] = pixels[unknown[pixels]]
    return left
