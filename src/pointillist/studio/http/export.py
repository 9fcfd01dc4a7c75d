"""Export of images as PNG, and of maps as files of an editor, in bytes; nothing is written to disk."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
from PIL import Image

from pointillist.data.tilemaps import MapFiles
from pointillist.errors import ConfigError
from pointillist.images import as_pil
from pointillist.images.array_types import Int
from pointillist.images.visualization import png_bytes
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.samples import MAX_DRAWN
from pointillist.studio import schemas
from pointillist.studio.conversion import decode_levels
from pointillist.studio.errors import too_large
from pointillist.studio.reproduce import MANIFEST

_MAX_SIDE = 4096


def png(model: LikelihoodModel, request: schemas.PngRequest, limits: schemas.Limits) -> bytes:
    """Export an image as a PNG file; a map with a tileset is drawn by its tiles, 16 bits stay 16 bits.

    Raises:
        ConfigError: if the levels are not a picture.
        RequestError: if the file would be too large.
    """
    image = _drawn(model, request, limits)
    height, width = image.height * request.scale, image.width * request.scale
    if max(height, width) > _MAX_SIDE:
        raise too_large("The longer side of the PNG", max(height, width), _MAX_SIDE, "choose a smaller `scale`")
    large = image.resize((width, height), Image.Resampling.NEAREST)
    text = None if request.manifest is None else json.dumps(request.manifest.model_dump(mode="json"))
    return png_bytes(large, {} if text is None else {MANIFEST: text})


def map_archive(model: LikelihoodModel, request: schemas.MapRequest, limits: schemas.Limits) -> bytes:
    """Export a map as a ZIP file: the map, and the tileset or legend that belongs next to it.

    Raises:
        ConfigError: if the images of the model are not maps.
    """
    if model.image.mode != "codes" or model.image.channels != 1 or model.image.is_deep:
        raise ConfigError(f"Only maps of tiles can be exported for an editor, and this model samples {model.image}.")
    levels = decode_levels(model, request.levels, limits)[0, 0]
    files = MapFiles.of(model.image, model.tileset)
    contents = {f"map.{request.format}": files.encode(levels, request.format), **files.companions(request.format)}
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _drawn(model: LikelihoodModel, request: schemas.PngRequest, limits: schemas.Limits) -> Image.Image:
    """Draw an image: a map by its tiles, smaller ones if the longer side would be too large."""
    levels = decode_levels(model, request.levels, limits)
    if model.tileset is not None:
        return as_pil(model.tileset.fitting(max(levels.shape) ** 2, MAX_DRAWN).draw(levels[0, 0]))
    if model.image.min_is_white and request.palette is None:
        return model.image.to_files(levels)[0]
    return as_pil(_picture(model, levels, request.palette))


def _picture(model: LikelihoodModel, levels: Int[np.ndarray, "1 c h w"], palette: list[list[int]] | None) -> np.ndarray:
    """Convert levels to a picture `h w c`, one pixel each: uint8, or uint16 of 16 bits."""
    if model.image.mode == "codes" and not model.image.is_deep:
        raise ConfigError("A grid of codes without a tileset is not a picture: it cannot be exported as one.")
    image = model.image if palette is None else model.image.recoloured(palette)
    return np.asarray(image.to_images(levels)[0])
