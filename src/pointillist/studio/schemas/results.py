"""Manifests, which record what determines images; requests for files; results and events of jobs; a training run."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, RootModel, Tag

from pointillist.studio.schemas.base import EncodedArray, Name, Schema
from pointillist.studio.schemas.models import Colour
from pointillist.studio.schemas.sampling import MAX_SAMPLES, FillRequest, SampledImage, SampleRequest


class ManifestModel(Schema):
    """The model of a manifest: its display name, and the hash of weights and config."""

    name: Name
    sha256: Name


class Environment(Schema):
    """Processor and versions that sampled an image, as far as its bits may depend on them."""

    processor: Name
    pointillist: Name
    torch: Name | None
    numpy: Name


def _kind(request: Any) -> str:
    """Tell a request to fill from one to sample: only that has samples."""
    if isinstance(request, dict):
        return "fill" if "start" in request and "samples" not in request else "sample"
    return "fill" if isinstance(request, FillRequest) else "sample"


class SampleManifest(Schema):
    """Everything that determines sampled or filled images, and their hashes. It can be sent, or saved, as it is.

    Attributes:
        format, version: of this kind of file.
        model: the model that sampled the images.
        environment: where they were sampled.
        request: the request, with every seed, order, size, method and engine filled in; a fill with `pick` has
            one image.
        sha256: the hash of each image; see `SampledImage.sha256`.
    """

    format: Literal["pointillist-manifest"] = "pointillist-manifest"
    version: Literal[1] = 1
    model: ManifestModel
    environment: Environment
    request: Annotated[
        Annotated[SampleRequest, Tag("sample")] | Annotated[FillRequest, Tag("fill")], Discriminator(_kind)
    ]
    sha256: list[Annotated[str, Field(pattern="^[0-9a-f]{64}$")]] = Field(min_length=1, max_length=MAX_SAMPLES)

    @property
    def count(self) -> int:
        """Number of images."""
        if isinstance(self.request, SampleRequest):
            return len(self.request.samples)
        return self.request.candidates if self.request.pick is None else 1


class PngRequest(Schema):
    """Export an image as a PNG file.

    Attributes:
        levels: the image.
        scale: pixels of the file along each side of a pixel; 1 is exact.
        manifest: written into the file as text, from which it can be reproduced.
        palette: other RGBA colours for the levels of a model with a palette; null for its own.
    """

    levels: EncodedArray
    scale: int = Field(1, ge=1, le=64)
    manifest: SampleManifest | None = None
    palette: list[Colour] | None = Field(None, max_length=65_536)


class MapRequest(Schema):
    """Export a map of tiles as files of a map editor.

    Attributes:
        levels: the map.
        format: `tmj` and `tmx` of Tiled, `csv`, or `txt` with a legend.
    """

    levels: EncodedArray
    format: Literal["tmj", "tmx", "csv", "txt"] = "tmj"


class ReproduceRequest(Schema):
    """Sample the images of a manifest again, with the model of the path."""

    manifest: SampleManifest


class ReproduceResult(Schema):
    """The images of a manifest, sampled again and compared.

    Attributes:
        identical: for each image, whether it and the model have the hashes of the manifest: the image is then
            reproduced to the bit. False for all where the model is another.
        same_model: whether the model has the hash of the manifest.
        same_environment: whether processor and versions agree with the manifest.
        message: the result in one sentence.
        images: the images sampled now.
    """

    identical: list[bool]
    same_model: bool
    same_environment: bool
    message: str
    images: list[SampledImage]


class Queued(Schema):
    """First event, sent at once: the job's id, with which it can be cancelled, and the number of jobs ahead of it."""

    type: Literal["queued"] = "queued"
    job: str
    ahead: int


class Started(Schema):
    """Second event: sampling begins.

    Attributes:
        engine, order: the engine and generation order in use.
        height, width: size of the images.
        seeds: the seed of each sample.
        sequence: the pixels to sample in generation order, `row * width + column`. Known pixels are left out.
        notes: sentences about prompts that the model was not measured to show, or their words that are new to it.
    """

    type: Literal["started"] = "started"
    engine: str
    order: str
    height: int
    width: int
    seeds: list[int]
    sequence: list[int]
    notes: list[str]


class Pixels(Schema):
    """Consecutive pixels of all samples, from position `first` of `Started.sequence`.

    Attributes:
        first: position in the sequence; always the number of pixels sent before.
        count: number of pixels, at least 1; `n` in the shapes below.
        levels: the sampled levels, `[samples n c]`.
        entropy: entropy of each sub-pixel's distribution, in bits, float32 `[samples n c]`.
        surprisal: surprisal of the sampled levels, in bits, float32 `[samples n c]`.
        probs: with `distributions`, the probability of every level, uint16 `[samples n c * levels]`: 65,535 times the
            probability, rounded. Channels are in order, each conditioned on the channels of the pixel before it.

    All three are the model's own: with the conditions of the sample, at guidance 1, temperature 1 and top-p 1.
    """

    type: Literal["pixels"] = "pixels"
    first: int
    count: int
    levels: EncodedArray
    entropy: EncodedArray
    surprisal: EncodedArray
    probs: EncodedArray | None = None


class Finished(Schema):
    """Last event of a job that succeeded: seconds since `started`, the images, and the manifest to reproduce them."""

    type: Literal["finished"] = "finished"
    seconds: float
    images: list[SampledImage]
    manifest: SampleManifest


class Failed(Schema):
    """Last event of a job that failed: a sentence, and `cancelled`, `timeout`, `changed`, `invalid` or `internal`."""

    type: Literal["failed"] = "failed"
    error: str
    code: str


class Event(RootModel[Annotated[Queued | Started | Pixels | Finished | Failed, Field(discriminator="type")]]):
    """A line of the stream."""


class Candidate(Schema):
    """A filled image.

    Attributes:
        image: the whole image; known pixels are kept.
        bits: negative log-likelihood of the unknown pixels given the known ones; an estimate unless the fill is exact.
        number: number of the candidate as it was drawn.
    """

    image: SampledImage
    bits: float
    number: int


class FillResult(Schema):
    """Candidates for the hole of an image, as they were drawn; several may be the same image.

    Attributes:
        candidates: the filled images.
        method: `known`, `order`, `smc` or `sequential`.
        exact: whether the candidates are draws from the model's own distribution given all known pixels.
        order: the generation order.
        seed: seed of the uniforms.
        ignored: known pixels that the model could not take into account, as they come after the hole.
        ess: effective sample size: of the candidates, or of the particles of `smc`.
        message: in one sentence, how it was filled, and what was ignored.
        seconds: time that it took.
        manifest: all that determines the candidates.
    """

    candidates: list[Candidate]
    method: str
    exact: bool
    order: str
    seed: int
    ignored: int
    ess: float
    message: str
    seconds: float
    manifest: SampleManifest

    @property
    def images(self) -> list[SampledImage]:
        """The images of the candidates."""
        return [candidate.image for candidate in self.candidates]


class CurvePoint(Schema):
    """A point of a training curve: the step, and bits per dimension there."""

    step: int
    bits_per_dim: float


class RunState(Schema):
    """A training run, as its folder describes it.

    Attributes:
        name: name of its folder.
        model: `id` of the model that holds its newest checkpoint.
        train: loss of single steps on training images.
        valid: loss on the validation images, of the averaged weights.
        images_per_second: of the newest steps; null before the first.
        age: seconds since the newest metrics were written; null before the first.
        checkpoint: step of the checkpoint that `model` holds; null before the first.
        sheets: steps at which sample sheets were written, in ascending order.
    """

    name: str
    model: str
    train: list[CurvePoint]
    valid: list[CurvePoint]
    images_per_second: float | None
    age: float | None
    checkpoint: int | None
    sheets: list[int]
