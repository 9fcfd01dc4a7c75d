"""Upload of pictures: check the header, decode, resize on request, and convert to the model's levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from pointillist.data.decode import ImageSource, read_header, read_pixels
from pointillist.data.options import DataOptions
from pointillist.data.picture_files import BROKEN, PixelLimitError, open_picture
from pointillist.data.pixels import resize_image
from pointillist.errors import ConfigError, DataError
from pointillist.images import ImageSpec
from pointillist.model.pixel_model import PixelModel
from pointillist.studio import schemas
from pointillist.studio.conversion import check_pixels, level_dtype
from pointillist.studio.errors import RequestError
from pointillist.studio.model_details import hint_image

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
_CHANNELS = {"grey": 1, "rgb": 3, "rgba": 4, "palette": 4}

Role = Literal["image", "hint"]
Resize = Literal["no", "nearest", "area"]
Fit = Literal["crop", "pad", "stretch"]


@dataclass(frozen=True)
class UploadOptions:
    """Options for reading a picture.

    Attributes:
        role: read it as an image of the model, or as its hint.
        size: height and width; None for the default size.
        resize: resampling method for pictures of another size; `no` rejects them.
        fit: treatment of another aspect ratio.
    """

    role: Role = "image"
    size: tuple[int, int] | None = None
    resize: Resize = "no"
    fit: Fit = "crop"


def read_upload(
    model: PixelModel, body: bytes, options: UploadOptions, limits: schemas.Limits
) -> schemas.UploadedImage:
    """Convert a picture file to the levels of a model.

    Raises:
        RequestError: if it is no picture, too large, or of another size.
        ConfigError, DataError: if the model has no such role, or takes no pictures.
    """
    spec = _spec(model, options.role)
    size = options.size or (spec.height, spec.width)
    check_pixels(*size, limits)
    if options.role == "image":
        model.check_size(*size)
    array = _decode(body, _CHANNELS[spec.mode], limits)
    is_resized = array.shape[:2] != size
    if is_resized:
        array = _resize(array, spec, size, options)
    levels = spec.to_levels(array[None])[0].numpy()
    exact = _is_exact(spec, levels, array)
    method = options.resize if is_resized and options.resize != "no" else None
    return schemas.UploadedImage(
        levels=schemas.EncodedArray.of(levels, level_dtype(spec.levels)),
        resized=method,
        exact=exact,
        note=_note(spec, method, size, exact),
    )


def _spec(model: PixelModel, role: Role) -> ImageSpec:
    spec = model.image if role == "image" else hint_image(model.config)
    if spec is None:
        raise ConfigError("`role` (='hint') cannot be used: this model has no hint that is a picture.")
    if spec.mode not in _CHANNELS:
        raise ConfigError("A grid of codes cannot be read from a picture: send its levels instead.")
    return spec


def _decode(body: bytes, channels: int, limits: schemas.Limits) -> np.ndarray:
    """Decode the pixels, uint8 `h w c`; the header is checked before any pixel is decoded."""
    item = ImageSource("The picture", lambda: open_picture(body, "The picture", FORMATS, limits.upload_pixels))
    try:
        read_header(item)
        return read_pixels(item, channels, False)
    except PixelLimitError as error:
        raise RequestError(413, "too_large", str(error)) from error
    except DataError as error:
        raise RequestError(415, "unreadable", str(error)) from error
    except BROKEN as error:
        sentence = "The upload is not a readable PNG, JPEG, GIF, WebP or BMP: save it as PNG first."
        raise RequestError(415, "unreadable", sentence) from error


def _resize(array: np.ndarray, spec: ImageSpec, size: tuple[int, int], options: UploadOptions) -> np.ndarray:
    methods = ["nearest", "area"] if spec.ordered else ["nearest"]
    actual = (array.shape[0], array.shape[1])
    if options.resize == "no":
        raise RequestError(
            409,
            "size",
            f"The picture is {actual[0]}x{actual[1]} (height x width) but the model expects {size[0]}x{size[1]}: "
            "resize it.",
            size=list(actual),
            expected_size=list(size),
            resize=methods,
        )
    if options.resize not in methods:
        raise ConfigError("`resize` (='area') would average levels that are categories: use 'nearest'.")
    return resize_image(array, DataOptions(size=size, resize_mode=options.fit, resample=options.resize))


def _is_exact(spec: ImageSpec, levels: np.ndarray, array: np.ndarray) -> bool:
    """Compare levels, shown as a picture, with the pixels."""
    shown = spec.to_images(levels[None])[0]
    if spec.mode in ("rgba", "palette"):  # fully transparent pixels have no colour
        clear = (shown[..., 3:] == 0) & (array[..., 3:] == 0)
        return bool(((shown == array) | clear).all())
    return bool((shown == array).all())


def _note(spec: ImageSpec, method: str | None, size: tuple[int, int], exact: bool) -> str | None:
    changes = [] if method is None else [f"resized to {size[0]}x{size[1]} ({method})"]
    if not exact:
        target = "the nearest colours of the palette" if spec.mode == "palette" else f"{spec.levels} levels"
        changes.append(f"converted to {target}")
    return f"The picture was {' and '.join(changes)}." if changes else None
