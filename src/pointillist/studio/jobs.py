"""Sampling jobs: requests that are validated and completed, ready to run; and the manifests of their images."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np

from pointillist.distributions.kinds import LIKELIHOODS
from pointillist.errors import DataError, ShapeError
from pointillist.images.array_types import Bool, Float, Int
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.config import OnRow
from pointillist.sampling.draws import Draws
from pointillist.sampling.inversion import interpolate_uniforms, invert, replace_uniforms
from pointillist.sampling.masks import Known
from pointillist.sampling.request import Request
from pointillist.sampling.samples import Samples
from pointillist.sampling.uniforms import Uniforms, seeded_uniforms
from pointillist.studio import schemas
from pointillist.studio.conversion import (
    check_pixels,
    condition_keywords,
    decode_conditions,
    decode_levels,
    decode_mask,
    sampling_request,
)
from pointillist.studio.errors import too_large
from pointillist.system import __version__, processor


@cache  # reading the version of torch takes as long as half of a small image
def current_environment() -> schemas.Environment:
    """Describe the processor and versions, on which the bits of an image may depend."""
    torch = None if find_spec("torch") is None else version("torch")
    return schemas.Environment(processor=processor()[:500], pointillist=__version__, torch=torch, numpy=np.__version__)


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready.

    Attributes:
        model: the model.
        identity: its name and hash, for manifests.
        fields: receptive fields that were measured: each takes seconds, and is the same for all images of a size.
    """

    model: LikelihoodModel
    identity: schemas.ManifestModel
    fields: dict[schemas.FieldQuery, schemas.FieldReach] = field(default_factory=dict)

    def manifest(
        self, request: schemas.SampleRequest | schemas.FillRequest, images: list[schemas.SampledImage]
    ) -> schemas.SampleManifest:
        """Make the manifest of a completed request."""
        hashes = [image.sha256 for image in images]
        return schemas.SampleManifest(
            model=self.identity, environment=current_environment(), request=request, sha256=hashes
        )


@dataclass(frozen=True)
class SamplingJob:
    """A valid request to sample images: their draws, and what the page shows of them.

    Attributes:
        loaded: the model to sample from.
        draws: the images, each from the seed and index of its sample, with their conditions and known pixels.
        request: the request, with every seed, the order, the size and the engine filled in.
        sequence: the pixels to sample, `row * width + column`, in generation order.
    """

    loaded: LoadedModel
    draws: Draws
    request: schemas.SampleRequest
    sequence: Int[np.ndarray, " n"]

    def ready(self, threads: int | None) -> SamplingJob:
        """Return the job with the uniforms of variations, which may take a pass, and threads; None for the default."""
        draws = replace(self.draws, config=replace(self.draws.config, threads=threads))
        if not self.request.redraws and any(spec.variation is not None for spec in self.request.samples):
            recovered: dict[str, np.ndarray] = {}  # of images that several samples vary
            uniforms = np.concatenate([self._uniforms(spec, recovered) for spec in self.request.samples])
            draws = replace(draws, uniforms=Uniforms(None, uniforms, uniforms.shape[1:]))
        return replace(self, draws=draws)

    def draw(self, on_row: OnRow, outputs: Float[np.ndarray, "n h2 w2 p"] | None = None) -> Samples:
        """Draw the images.

        Args:
            on_row: called after each row, also of an image that is drawn again; an exception that it raises ends it.
            outputs: see `Draws`.
        """
        return replace(self.draws, on_row=on_row, outputs=outputs).draw(0, self.draws.count)

    def single(self, conditions: schemas.ConditionValues, **changed: Any) -> Request:
        """Return the request of one image alone, under conditions."""
        request: Request = self.draws.request
        return replace(request, n=1, conditions=[condition_keywords(conditions)], numbers=None, **changed)

    def completing(self, spec: schemas.SampleSpec, on_row: OnRow) -> Request:
        """Return the request that completes the image of a sample as Python does, which chooses the engine."""
        settings = {**self.draws.request.settings, "best_of": 1}
        if self.request.engine == "integer":
            settings["engine"] = "auto"
        request = self.single(spec.conditions, seed=spec.seed, first=spec.index, settings=settings)
        return replace(request, method="auto", on_row=on_row)

    def _uniforms(self, spec: schemas.SampleSpec, recovered: dict[str, np.ndarray]) -> Float[np.ndarray, "1 c h w"]:
        """Make the uniforms of a sample by its seed and index, or near the uniforms of the image that it varies."""
        shape, variation = (self.draws.model.image.channels, *self.draws.size), spec.variation
        uniforms = seeded_uniforms(spec.seed or 0, [spec.index], shape)
        if variation is None:
            return uniforms
        if variation.levels is None:
            origin = seeded_uniforms(variation.seed, [variation.index], shape)
        else:
            key = variation.model_dump_json(include={"levels", "conditions", "seed"})
            if key not in recovered:
                settings = {"engine": self.request.engine, "order": self.request.order}
                request = self.single(variation.conditions, seed=variation.seed, settings=settings)
                levels = variation.levels.array().astype(np.int64)[None]
                recovered[key] = invert(request.resolve(self.draws.model), levels)
            origin = recovered[key]
        if variation.kind == "interpolate":
            return interpolate_uniforms(origin, uniforms, variation.strength)
        return replace_uniforms(origin, uniforms, variation.strength, variation.seed)


def make_job(loaded: LoadedModel, request: schemas.SampleRequest, limits: schemas.Limits) -> SamplingJob:
    """Validate a request against a model and the limits, and fill in what it leaves open.

    Raises:
        RequestError: if it is too large.
        ConfigError, ShapeError, DataError, EngineError: naming what the model does not support.
    """
    model, count = loaded.model, len(request.samples)
    levels = None
    if request.start is not None:
        levels = decode_levels(model, request.start.levels, limits, several=True)
        if len(levels) not in (1, count):
            raise ShapeError(f"`start.levels` of {len(levels)} images must be one image, or {count}: one a sample.")
    size = request.size or (model.image.height, model.image.width)
    height, width = size if levels is None else levels.shape[2:]
    check_pixels(height, width, limits)
    if count > limits.samples:
        raise too_large("The number of samples", count, limits.samples, "ask for fewer")
    for spec in request.samples:
        if spec.variation is not None and spec.variation.levels is not None:
            _check_variation(model, spec.variation, spec.variation.levels, (height, width), limits)
    samples = [
        spec if spec.seed is not None else spec.model_copy(update={"seed": secrets.randbelow(2**31)})
        for spec in request.samples
    ]
    draws = replace(
        sampling_request(request, [spec.conditions for spec in samples], batch_size=count),
        numbers=[(spec.seed or 0, spec.index) for spec in samples],
        size=(height, width),
        known=None if levels is None else _known(request, levels),
    ).resolve(model)
    engine, per_pixel = draws.config.engine, num_outputs(model, draws.config.engine)
    per_pixel += 2 * model.image.channels * model.image.levels if request.distributions else 0
    numbers = count * per_pixel * height * width
    if numbers > limits.numbers:
        remedy = "ask for fewer samples, a smaller size, or no distributions"
        raise too_large("The numbers of this job", numbers, limits.numbers, remedy)
    # bands and regions are completed in the order that fits each, unless one is asked for
    order = request.order if request.seamless or request.redraws else draws.order.name
    filled = {"samples": samples, "order": order, "size": [height, width], "engine": engine}
    return SamplingJob(loaded, draws, request.model_copy(update=filled), _sequence(draws))


def _known(request: schemas.SampleRequest, levels: Int[np.ndarray, "n c h w"]) -> Known:
    """Return the images that are continued, one for all samples or one each, and the pixels that are kept."""
    assert request.start is not None
    mask = decode_mask(request.start.known, levels.shape[2], levels.shape[3])
    if mask.all():
        raise DataError("`known` keeps every pixel, so there is nothing to paint: leave at least one out.")
    return levels, mask


def _check_variation(
    model: LikelihoodModel,
    variation: schemas.Variation,
    encoded: schemas.EncodedArray,
    size: tuple[int, int],
    limits: schemas.Limits,
) -> None:
    height, width = decode_levels(model, encoded, limits).shape[2:]
    if (height, width) != size:
        raise ShapeError(
            f"`variation.levels` of {height}x{width} must have the size of the samples, {size[0]}x{size[1]}."
        )
    decode_conditions(model, variation.conditions, size)


def num_outputs(model: LikelihoodModel, engine: str) -> int:
    """Return the number of outputs of an engine at each pixel: see `Draws`."""
    image = model.image
    if engine == "integer" and not image.is_deep:
        return image.channels * image.levels
    return LIKELIHOODS[model.likelihood_name].num_params(image.channels, image.levels, model.mixtures)


def _sequence(draws: Draws) -> Int[np.ndarray, " n"]:
    """List unknown pixels in generation order."""
    pixels: Int[np.ndarray, " n"] = np.argsort(
        draws.model.generation_rank(*draws.size, draws.order), axis=None, kind="stable"
    )
    if draws.observed is None:
        return pixels
    unknown: Bool[np.ndarray, " n"] = ~draws.observed[1].all(0).ravel()
    left: Int[np.ndarray, " n"] = pixels[unknown[pixels]]
    return left
