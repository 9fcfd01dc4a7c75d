"""Pictures that come in, checked, resized and converted to levels; images and maps that go out as files."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Literal

import numpy as np
from PIL import Image
from pydantic import BaseModel

from pointillist.data.options import DataOptions
from pointillist.data.pixels import BROKEN, PixelLimitError, open_picture, resize_image
from pointillist.data.readers.decode import ImageSource, read_header, read_pixels
from pointillist.data.tilemaps import MapFiles
from pointillist.errors import ConfigError, DataError
from pointillist.images import ImageSpec, as_pil
from pointillist.images.array_types import Int
from pointillist.images.visualization import png_bytes
from pointillist.model.protocols import LikelihoodModel
from pointillist.sampling.samples import MAX_DRAWN
from pointillist.studio import schemas
from pointillist.studio.answers.model_details import hint_image
from pointillist.studio.conversion import (
    DERIVED,
    INVERTED,
    LINE,
    check_pixels,
    decode_levels,
    ink_of,
    is_drawing,
    level_dtype,
    outline_rule,
)
from pointillist.studio.errors import RequestError, too_large
from pointillist.studio.reproduce import MANIFEST
from pointillist.studio.schemas.base import MAX_SIDE, Side

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
_CHANNELS = {"grey": 1, "rgb": 3, "rgba": 4, "palette": 4}


class UploadOptions(BaseModel):
    """Options for reading a picture: the query of an upload.

    Attributes:
        role: read it as an image of the model, or as its hint.
        height, width: null for the default size.
        resize: resampling method for pictures of another size; `no` rejects them.
        fit: treatment of another aspect ratio.
        source: of an outline: a drawing of it, or a picture of which it is taken; `auto` decides by the colours.
    """

    role: Literal["image", "hint"] = "image"
    height: Side | None = None
    width: Side | None = None
    resize: Literal["no", "nearest", "area"] = "no"
    fit: Literal["crop", "pad", "stretch"] = "crop"
    source: Literal["auto", "drawing", "picture"] = "auto"


def read_upload(
    body: bytes, model: LikelihoodModel, options: UploadOptions, limits: schemas.Limits
) -> schemas.UploadedImage:
    """Convert a picture file to the levels of a model.

    Raises:
        RequestError: if it is not a picture, too large, or of another size.
        ConfigError, DataError: if the model has no such role, or takes no pictures.
    """
    spec = model.image if options.role == "image" else hint_image(model)
    if spec is None:
        raise ConfigError("`role` (='hint') cannot be used: this model has no hint that is a picture.")
    if spec.mode not in _CHANNELS and not spec.is_deep:
        raise ConfigError("A grid of codes cannot be read from a picture: send its levels instead.")
    if (options.height is None) != (options.width is None):
        raise ConfigError("`height` and `width` go together: give both or neither.")
    size = (options.height or spec.height, options.width or spec.width)
    check_pixels(*size, limits)
    if options.role == "image":
        model.check_size(*size)
    rule = outline_rule(model) if options.role == "hint" else None
    array = _decode(body, spec if rule is None else 4, limits)
    if rule is None:
        fitted = _fitted(array, spec, size, options)
        levels = spec.level_array(fitted[None])[0]
        target = "the nearest colours of the palette" if spec.mode == "palette" else f"{spec.levels} levels"
        changes = [] if _is_exact(spec, levels, fitted) else [f"converted to {target}"]
    elif options.source == "drawing" or (options.source == "auto" and is_drawing(array)):
        ink, inverted = ink_of(array)  # lines, dark on light or light on dark
        share = _fitted((ink * np.uint8(255))[..., None], spec, size, options)[..., 0]
        levels = (share >= LINE * 255)[None].astype(np.int64)
        changes = [INVERTED] if inverted else []
    else:
        fitted = _fitted(_decode(body, model.image, limits), model.image, size, options)
        levels = rule.of(model.image.level_array(fitted[None]), model.image)[0]
        changes = [DERIVED]
    method = None if array.shape[:2] == size or options.resize == "no" else options.resize
    said = " and ".join([*([] if method is None else [f"resized to {size[0]}x{size[1]} ({method})"]), *changes])
    return schemas.UploadedImage(
        levels=schemas.EncodedArray.of(levels, level_dtype(spec.levels)),
        resized=method,
        exact=not changes,
        note=f"The picture was {said}." if said else None,
    )


def _decode(body: bytes, kind: ImageSpec | int, limits: schemas.Limits) -> np.ndarray:
    """Decode the pixels, uint8 `h w c`; the header is checked before any pixel is decoded.

    Args:
        body: the file.
        kind: what the pixels are for, or their number of channels; grey of more than 256 levels keeps 16 bits.
        limits: of the studio.
    """
    deep = isinstance(kind, ImageSpec) and kind.is_deep
    item = ImageSource("The picture", lambda: open_picture(body, "The picture", FORMATS, limits.upload_pixels))
    try:
        header = read_header(item)
        if deep and (header.channels > 1 or header.indexed):
            raise DataError(
                "The picture has colours or transparency, and the model takes grey of 8 or 16 bits: convert it."
            )
        channels = kind if isinstance(kind, int) else 1 if deep else _CHANNELS[kind.mode]
        return read_pixels(item, channels, deep)
    except PixelLimitError as error:
        raise RequestError(413, "too_large", str(error)) from error
    except DataError as error:
        raise RequestError(415, "unreadable", str(error)) from error
    except BROKEN as error:
        sentence = "The upload is not a readable PNG, JPEG, GIF, WebP, BMP or TIFF: save it as PNG first."
        raise RequestError(415, "unreadable", sentence) from error


def _fitted(array: np.ndarray, spec: ImageSpec, size: tuple[int, int], options: UploadOptions) -> np.ndarray:
    """Resize pixels that have another size, as the options say."""
    if array.shape[:2] == size:
        return array
    methods = ["nearest", "area"] if spec.ordered and not spec.is_deep else ["nearest"]
    if options.resize == "no":
        actual = array.shape[:2]
        raise RequestError(
            409,
            "size",
            f"The picture is {actual[0]}x{actual[1]} (height x width) but the model expects {size[0]}x{size[1]}: "
            "resize it, or give its `height` and `width` for a model that takes any size.",
            size=list(actual),
            expected_size=list(size),
            resize=methods,
        )
    if options.resize not in methods:
        raise ConfigError("`resize` (='area') averages 8 bits, and neither categories nor 16 bits: use 'nearest'.")
    return resize_image(array, DataOptions(size=size, resize_mode=options.fit, resample=options.resize))


def _is_exact(spec: ImageSpec, levels: np.ndarray, array: np.ndarray) -> bool:
    """Compare levels, shown as a picture, with the pixels."""
    shown = spec.to_images(levels[None])[0]
    if spec.mode in ("rgba", "palette"):  # fully transparent pixels have no colour
        clear = (shown[..., 3:] == 0) & (array[..., 3:] == 0)
        return bool(((shown == array) | clear).all())
    return bool((shown == array).all())


def png(model: LikelihoodModel, request: schemas.PngRequest, limits: schemas.Limits) -> bytes:
    """Export an image as a PNG file; a map with a tileset is drawn by its tiles, 16 bits stay 16 bits.

    Raises:
        ConfigError: if the levels are not a picture.
        RequestError: if the file would be too large.
    """
    image = _drawn(model, request, limits)
    height, width = image.height * request.scale, image.width * request.scale
    if max(height, width) > MAX_SIDE:
        raise too_large("The longer side of the PNG", max(height, width), MAX_SIDE, "choose a smaller `scale`")
    large = image.resize((width, height), Image.Resampling.NEAREST)
    text = None if request.manifest is None else json.dumps(request.manifest.model_dump(mode="json", by_alias=True))
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
