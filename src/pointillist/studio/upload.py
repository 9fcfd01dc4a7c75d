"""Pictures that are brought: checked by their header, decoded, resized if asked, and put into the model's levels."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from pointillist.data.decode import BROKEN, Item, probe, read
from pointillist.data.options import DataOptions
from pointillist.data.resize import fitted
from pointillist.errors import ConfigError, DataError
from pointillist.images import ImageSpec
from pointillist.pixel_model import PixelModel
from pointillist.studio import messages as m
from pointillist.studio.describing import hint_image
from pointillist.studio.reading import check_pixels, level_type
from pointillist.studio.refusals import Refused, too_large

FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")
_CHANNELS = {"grey": 1, "rgb": 3, "rgba": 4, "palette": 4}

Role = Literal["image", "hint"]
Resize = Literal["no", "nearest", "area"]
Fit = Literal["crop", "pad", "stretch"]


@dataclass(frozen=True)
class Wish:
    """As what a picture is to be read.

    Attributes:
        role: an image of the model, or its hint.
        size: height and width; None for the usual ones.
        resize: how, if it has another size; `no` refuses.
        fit: what becomes of another shape.
    """

    role: Role = "image"
    size: tuple[int, int] | None = None
    resize: Resize = "no"
    fit: Fit = "crop"


def picture(model: PixelModel, body: bytes, wish: Wish, limits: m.Limits) -> m.Picture:
    """A picture in the levels of a model.

    Raises:
        Refused: if it is no picture, too large, or of another size.
        ConfigError, DataError: if the model has no such role, or takes no pictures.
    """
    spec = _spec(model, wish.role)
    size = wish.size or (spec.height, spec.width)
    check_pixels(*size, limits)
    if wish.role == "image":
        model.check_size(*size)
    array = _decoded(body, _CHANNELS[spec.mode], limits)
    resized = array.shape[:2] != size
    if resized:
        array = _resized(array, spec, size, wish)
    levels = spec.to_levels(array[None])[0].numpy()
    exact = _same(spec, levels, array)
    how = wish.resize if resized and wish.resize != "no" else None
    return m.Picture(
        levels=m.Packed.of(levels, level_type(spec.levels)),
        resized=how,
        exact=exact,
        note=_note(spec, how, size, exact),
    )


def _spec(model: PixelModel, role: Role) -> ImageSpec:
    spec = model.image if role == "image" else hint_image(model.config)
    if spec is None:
        raise ConfigError("`role` (='hint') cannot be used: this model takes no hint that is a picture.")
    if spec.mode not in _CHANNELS:
        raise ConfigError("A grid of codes cannot be read from a picture: send its levels instead.")
    return spec


def _decoded(body: bytes, channels: int, limits: m.Limits) -> np.ndarray:
    """The pixels, uint8 `h w c`; nothing is decoded before the header has been judged."""
    item = Item("The picture", lambda: Image.open(io.BytesIO(body), formats=FORMATS))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns at a limit far above ours
            with item.open() as header:
                pixels = header.size[0] * header.size[1]
        if pixels > limits.picture_pixels:
            raise too_large("Pixels of the picture", pixels, limits.picture_pixels, "shrink it first")
        probe(item)
        return read(item, channels, False)
    except Refused:
        raise
    except Image.DecompressionBombError as error:
        raise too_large(
            "Pixels of the picture", Image.MAX_IMAGE_PIXELS or 0, limits.picture_pixels, "shrink it"
        ) from error
    except DataError as error:
        raise Refused(415, "picture", str(error)) from error
    except BROKEN as error:
        raise Refused(
            415, "picture", "The upload is no PNG, JPEG, GIF, WebP or BMP that can be read: save it as PNG first."
        ) from error


def _resized(array: np.ndarray, spec: ImageSpec, size: tuple[int, int], wish: Wish) -> np.ndarray:
    offered = ["nearest", "area"] if spec.ordered else ["nearest"]
    here = (array.shape[0], array.shape[1])
    if wish.resize == "no":
        raise Refused(
            409,
            "size",
            f"The picture is {here[0]}x{here[1]} (height x width) and the model wants {size[0]}x{size[1]}: resize it.",
            size=list(here),
            wanted=list(size),
            resize=offered,
        )
    if wish.resize not in offered:
        raise ConfigError("`resize` (='area') would average levels that are names: use 'nearest'.")
    return fitted(array, DataOptions(size=size, fit=wish.fit, resample=wish.resize))


def _same(spec: ImageSpec, levels: np.ndarray, array: np.ndarray) -> bool:
    """Whether the levels look like the pixels."""
    shown = spec.to_images(levels[None])[0]
    if spec.mode in ("rgba", "palette"):  # what is fully transparent has no colour
        clear = (shown[..., 3:] == 0) & (array[..., 3:] == 0)
        return bool(((shown == array) | clear).all())
    return bool((shown == array).all())


def _note(spec: ImageSpec, resized: str | None, size: tuple[int, int], exact: bool) -> str | None:
    said = [] if resized is None else [f"resized to {size[0]}x{size[1]} ({resized})"]
    if not exact:
        what = "the nearest colours of the palette" if spec.mode == "palette" else f"{spec.levels} levels"
        said.append(f"brought to {what}")
    return f"The picture was {' and '.join(said)}." if said else None
