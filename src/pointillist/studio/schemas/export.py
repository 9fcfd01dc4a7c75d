"""Manifests, the record of all that determines images; requests for files of images, and to reproduce a manifest."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

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
