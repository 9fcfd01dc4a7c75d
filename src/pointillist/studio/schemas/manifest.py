"""Manifests: the record of everything that determines images."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from pointillist.studio.schemas.base import Name, Schema
from pointillist.studio.schemas.fill import FillRequest
from pointillist.studio.schemas.sampling import MAX_SAMPLES, SampleRequest


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
