"""Requests for PNG, GIF and map files, and for reproducing the images of a manifest."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pointillist.studio.schemas.base import EncodedArray, Name, Schema
from pointillist.studio.schemas.manifest import SampleManifest
from pointillist.studio.schemas.models import Colour
from pointillist.studio.schemas.sampling import MAX_SAMPLES, SampledImage


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


class GifRequest(Schema):
    """Export the generation of images of one size, side by side, as a looping GIF.

    Attributes:
        images: levels `[c h w]` of each image.
        order: the generation order; null for the model's default.
        known: pixels that are present in the first frame, uint8 `[h w]`, 0 or 1; null for none.
        frames: the largest number of frames.
        scale: pixels of the GIF for each pixel of an image; null chooses a fitting scale.
        dark: whether the background is dark.
        palette: other RGBA colours for the levels of a model with a palette; null for its own.
    """

    images: list[EncodedArray] = Field(min_length=1, max_length=MAX_SAMPLES)
    order: Name | None = None
    known: EncodedArray | None = None
    frames: int = Field(120, ge=2, le=400)
    scale: Annotated[int, Field(ge=1, le=64)] | None = None
    dark: bool = False
    palette: list[Colour] | None = Field(None, max_length=65_536)


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
