"""Export of images as PNG and GIF, and of maps as files of an editor, in bytes; nothing is written to disk."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
from PIL import Image

from pointillist.data.tilemaps import MapFiles
from pointillist.errors import ConfigError, ShapeError
from pointillist.images import as_pil, to_picture
from pointillist.images.array_types import Int
from pointillist.images.visualization import MAX_FRAME_PIXELS, gif_bytes, png_bytes
from pointillist.images.visualization.pixels import PAPER
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.samples import MAX_DRAWN
from pointillist.studio import schemas
from pointillist.studio.conversion import decode_levels, decode_mask
from pointillist.studio.errors import too_large
from pointillist.studio.reproduce import MANIFEST

_MAX_SIDE = 4096
_DARK = (24, 24, 28)


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


def gif(model: LikelihoodModel, request: schemas.GifRequest, limits: schemas.Limits) -> bytes:
    """Export the generation of images as an animation.

    A map with a tileset is drawn in the mean colours of its tiles, 16 bits in the greys in which the studio shows them.

    Raises:
        ConfigError, ShapeError: if the images cannot be shown together.
        RequestError: if a frame would be too large.
    """
    arrays = [_shown(model, encoded, request.palette, limits) for encoded in request.images]
    if len({array.shape for array in arrays}) > 1:
        raise ShapeError("`images` must all have one size.")
    height, width = arrays[0].shape[:2]
    pixels = len(arrays) * height * width * (request.scale or 1) ** 2
    if pixels > MAX_FRAME_PIXELS:
        raise too_large("Pixels of a frame", pixels, MAX_FRAME_PIXELS, "take fewer images or a smaller `scale`")
    ranks = model.generation_rank(height, width, model.order(request.order))
    start = 0
    if request.known is not None:
        known = decode_mask(request.known, height, width)
        start = int(known.sum())
        ranks = np.argsort(np.argsort(np.where(known, ranks - ranks.size, ranks), axis=None)).reshape(ranks.shape)
    background = _DARK if request.dark else PAPER
    return gif_bytes(
        np.stack(arrays), order=ranks, start=start, frames=request.frames, scale=request.scale, background=background
    )


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


def _shown(
    model: LikelihoodModel, encoded: schemas.EncodedArray, palette: list[list[int]] | None, limits: schemas.Limits
) -> np.ndarray:
    """Convert levels to a picture as the studio shows it, uint8 `h w c`, one pixel each."""
    levels = decode_levels(model, encoded, limits)
    if model.tileset is not None:
        return np.asarray(model.tileset.mean_colours()[levels[0, 0]])
    return to_picture(model.image, levels[0]) if model.image.is_deep else _picture(model, levels, palette)


def _picture(model: LikelihoodModel, levels: Int[np.ndarray, "1 c h w"], palette: list[list[int]] | None) -> np.ndarray:
    """Convert levels to a picture `h w c`, one pixel each: uint8, or uint16 of 16 bits."""
    if model.image.mode == "codes" and not model.image.is_deep:
        raise ConfigError("A grid of codes without a tileset is not a picture: it cannot be exported as one.")
    image = model.image if palette is None else model.image.recoloured(palette)
    return np.asarray(image.to_images(levels)[0])
