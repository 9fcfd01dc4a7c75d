"""Sampling jobs: requests that are validated and completed, ready to run."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace

import numpy as np

from pointillist.distributions.kinds import LIKELIHOODS
from pointillist.errors import ConfigError, DataError, ShapeError
from pointillist.images.array_types import Bool, Float, Int
from pointillist.images.ordering import PixelOrder
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.config import resolve_engine
from pointillist.sampling.inversion import interpolate_uniforms, recover_uniforms, replace_uniforms
from pointillist.sampling.request import Draws, Request
from pointillist.sampling.samples import Samples
from pointillist.sampling.task import Known, OnRow
from pointillist.sampling.uniforms import Uniforms, seeded_uniforms
from pointillist.studio import schemas
from pointillist.studio.conversion import (
    check_pixels,
    condition_keywords,
    decode_conditions,
    decode_levels,
    decode_mask,
    drawing_keywords,
)
from pointillist.studio.errors import too_large

_SEEDS = 2**31


@dataclass(frozen=True)
class SamplingJob:
    """A valid request to sample images: their draws, and what the page shows of them.

    Attributes:
        draws: the images, each from the seed and index of its sample, with their conditions and known pixels.
        request: the request, with every seed, the order, the size and the engine filled in.
        sequence: the pixels to sample, `row * width + column`, in generation order.
    """

    draws: Draws
    request: schemas.SampleRequest
    sequence: Int[np.ndarray, " n"]

    @property
    def model(self) -> LikelihoodModel:
        """The model to sample from."""
        return self.draws.model

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return self.draws.size

    @property
    def order(self) -> PixelOrder:
        """The generation order."""
        return self.draws.order

    def ready(self, threads: int | None) -> SamplingJob:
        """Return the job with the uniforms of variations, which may take a pass, and threads; None for the default."""
        draws = replace(self.draws, config=replace(self.draws.config, threads=threads))
        if not self.request.redraws and any(spec.variation is not None for spec in self.request.samples):
            uniforms = _varied_uniforms(self.model, self.request)
            draws = replace(draws, uniforms=Uniforms.resolve(None, uniforms, uniforms.shape))
        return replace(self, draws=draws)

    def draw(self, on_row: OnRow, outputs: Float[np.ndarray, "n h2 w2 p"] | None = None) -> Samples:
        """Draw the images.

        Args:
            on_row: called after each row, also of an image that is drawn again; an exception that it raises ends it.
            outputs: see `DrawTask`.
        """
        return replace(self.draws, on_row=on_row, outputs=outputs).draw(0, self.draws.count)


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
    known = None if levels is None else _known(request, levels, size)
    for spec in request.samples:
        if spec.variation is not None:
            _check_variation(model, spec.variation, size, limits, starts=known is not None)
    regions = [spec.variation is not None and spec.variation.kind == "regions" for spec in request.samples]
    if any(regions) and not all(regions):
        raise ConfigError("`variation` of the kind regions must be one for all samples of a job: ask for them apart.")
    if request.best_of > 1 and any(spec.variation is not None for spec in request.samples):
        raise ConfigError(f"`best_of` (={request.best_of}) draws its candidates from a seed: leave out `variation`.")
    samples = [spec.model_copy(update={"seed": _seed(spec)}) for spec in request.samples]
    filled = request.model_copy(update={"samples": samples, "order": order.name, "size": list(size), "engine": engine})
    images = Request(
        n=len(samples),
        conditions=[condition_keywords(model, spec.conditions) for spec in samples],
        settings={
            "engine": engine,
            "order": order.name,
            "batch_size": len(samples),
            "negative_prompt": request.negative_prompt,
            "rules": None if request.rules is None else request.rules.to_dict(),
            "best_of": request.best_of,
        },
        defaults={name: getattr(request, name) for name in ("guidance", "temperature", "top_p")},
        numbers=[(spec.seed or 0, spec.index) for spec in samples],
        size=size,
        known=known,
    )
    draws = images.resolve(model)
    return SamplingJob(draws, filled, _sequence(model, size, order, known))


def _known(request: schemas.SampleRequest, levels: Int[np.ndarray, "n c h w"], size: tuple[int, int]) -> Known:
    """Return the image of each sample that is continued, and the sub-pixels that are kept."""
    assert request.start is not None
    mask = decode_mask(request.start.known, *size)
    if mask.all():
        raise DataError("`known` keeps every pixel, so there is nothing to paint: leave at least one out.")
    levels = np.broadcast_to(levels, (len(request.samples), *levels.shape[1:]))
    return levels, np.broadcast_to(mask, levels.shape[1:])


def _varied_uniforms(model: LikelihoodModel, request: schemas.SampleRequest) -> Float[np.ndarray, "n c h w"]:
    """Make the uniforms of each sample by its seed and index, or near the uniforms of the image that it varies."""
    assert request.size is not None
    shape = (model.image.channels, request.size[0], request.size[1])
    recovered: dict[str, np.ndarray] = {}  # of images that several samples vary
    parts = []
    for spec in request.samples:
        uniforms, variation = seeded_uniforms(spec.seed or 0, [spec.index], shape), spec.variation
        if variation is not None:
            if variation.levels is None:
                origin = seeded_uniforms(variation.seed, [variation.index], shape)
            else:
                key = variation.model_dump_json(include={"levels", "conditions", "seed"})
                if key not in recovered:
                    recovered[key] = _recover(model, request, variation, variation.levels)
                origin = recovered[key]
            if variation.kind == "interpolate":
                uniforms = interpolate_uniforms(origin, uniforms, variation.strength)
            else:
                uniforms = replace_uniforms(origin, uniforms, variation.strength, variation.seed)
        parts.append(uniforms)
    return np.concatenate(parts)


def _recover(
    model: LikelihoodModel, request: schemas.SampleRequest, variation: schemas.Variation, levels: schemas.EncodedArray
) -> Float[np.ndarray, "1 c h w"]:
    pixels = levels.array().astype(np.int64)
    return recover_uniforms(
        model,
        pixels,
        seed=variation.seed,
        order=request.order,
        engine=request.engine,
        **drawing_keywords(model, request, variation.conditions, (pixels.shape[-2], pixels.shape[-1])),
    )


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
