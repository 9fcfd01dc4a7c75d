"""A small studio for the tests, and its decoded responses."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

import pointillist as pt
from pointillist.data.tilemaps import Tileset
from pointillist.images import ImageSpec
from pointillist.studio.schemas import EncodedArray, Limits
from pointillist.studio.service import LIMITS, StudioService
from tests.laws.strategies import randomise_weights

HOST = "http://localhost"
SMALL = LIMITS.model_copy(update={"body_bytes": 200_000, "upload_pixels": 10_000, "pixels": 4096, "queued": 2})
PALETTE = tuple((i * 60, 255 - i * 60, 20, 0 if i == 0 else 255) for i in range(4))


def labelled() -> pt.PixelModel:
    """RGB, 4 levels, three classes."""
    settings = {"channels": 4, "layers": 2, "head_channels": 4}
    return randomise_weights(
        pt.build("gated-pixelcnn", shape=(3, 4, 5), levels=4, classes=["cat", "dog", "cow"], **settings)
    )


def grey(height: int = 6, width: int = 6) -> pt.PixelModel:
    """Grey, a mixture of logistics."""
    settings = {"channels": 4, "layers": 1, "likelihood": "mixture", "mixtures": 2}
    return randomise_weights(pt.build("pixelcnn-pp", shape=(1, height, width), levels=256, **settings))


def coloured() -> pt.PixelModel:
    """A palette with a transparent colour, two orders."""
    image = ImageSpec(channels=1, height=4, width=4, levels=4, ordered=False, mode="palette", palette=PALETTE)
    settings = {"channels": 4, "layers": 2}
    return randomise_weights(pt.build("locally-masked-pixelcnn", shape=image, orders="s-curve,raster-bl", **settings))


def upscaler() -> pt.PixelModel:
    """All other conditions: attributes, a vector, a small picture, words."""
    return randomise_weights(
        pt.build(
            "gated-pixelcnn", shape=(1, 4, 4), levels=8, channels=4, layers=2, head_channels=4,
            attributes={"hair": ["red", "blue"]}, vector=2, hint="lowres:2", text="learned",
        )
    )  # fmt: skip


def numbered() -> pt.PixelModel:
    """Conditioned on two numbers at every position."""
    return randomise_weights(pt.build("pixelcnn", shape=(1, 4, 4), levels=8, channels=4, layers=1, hint=2))


def coded() -> pt.PixelModel:
    """Conditioned on one of five codes at every position."""
    codes = ImageSpec(channels=1, height=4, width=4, levels=5, ordered=False, mode="codes")
    return randomise_weights(pt.build("pixelcnn", shape=(1, 4, 4), levels=8, channels=4, layers=1, hint=codes))


def _tiles() -> Tileset:
    """Four tiles of 6x10 pixels, no two rows alike; the first is half transparent."""
    tiles = np.random.default_rng(3).integers(0, 256, (4, 6, 10, 4), np.uint8)
    tiles[..., 3] = 255
    tiles[0, :3] = 0
    return Tileset(tiles)


TILES = _tiles()


def mapper(network: str, height: int = 5, width: int = 7) -> pt.PixelModel:
    """Maps of four kinds of cell with names and tiles."""
    names = ("void", "wall", "floor", "door")
    image = ImageSpec(channels=1, height=height, width=width, levels=4, ordered=False, mode="codes", level_names=names)
    model = randomise_weights(pt.build(network, shape=image, channels=4, layers=1, orders="raster"))
    model.tileset = TILES
    return model


def service(*models: pt.PixelModel, limits: Limits = SMALL) -> StudioService:
    """A studio whose models are ready."""
    found = StudioService(models, limits)
    found.models.start()
    found.models.wait(600)
    return found


def events(text: str) -> list[dict[str, Any]]:
    """The events of a stream."""
    return [json.loads(line) for line in text.splitlines()]


def decoded(encoded: dict[str, Any]) -> np.ndarray:
    """An array of an answer."""
    return EncodedArray.model_validate(encoded).array()


def encoded(values: Any, dtype: Any = "uint8") -> dict[str, Any]:
    """An array of a request."""
    return EncodedArray.of(np.asarray(values), dtype).model_dump()


def images(finished: dict[str, Any]) -> np.ndarray:
    """The levels of all images, `[n c h w]`."""
    return np.stack([decoded(image["levels"]) for image in finished["images"]]).astype(np.int64)
