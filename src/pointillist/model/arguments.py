"""Check what a caller asks a model about: one image, one pixel of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from PIL import Image
from torch import Tensor

from pointillist.errors import ConfigError, DataError, ShapeError
from pointillist.model.pixel_model import PixelModel


def one_image(model: PixelModel, image: Any) -> Int[Tensor, "1 c h w"]:
    """Levels of one image, checked; see `Asked.of`."""
    if isinstance(image, (str, Path)):
        image = _opened(Path(image))
    if isinstance(image, Image.Image):
        return model.check(model.to_levels(image))
    x = torch.as_tensor(np.asarray(image) if not isinstance(image, Tensor) else image)
    x = x[None] if x.ndim == 3 else x
    if x.ndim == 4 and len(x) != 1:
        raise ShapeError(f"{len(x)} images cannot be explained at once: give one, (c, h, w).")
    return model.check(x)


def _opened(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            picture.load()
            return picture
    except (OSError, Image.DecompressionBombError) as error:
        raise DataError(f"{path} cannot be read as a picture ({error}): give a PNG or another common kind.") from error


def check_site(
    model: PixelModel, row: int, column: int, channel: int | None = None, size: tuple[int, int] | None = None
) -> tuple[int, int, int]:
    """Row, column and channel of a site in an image of the model; without a channel, the last.

    Raises:
        ConfigError: if the site is not in the image.
        ShapeError: if the model does not take images of that size.
    """
    height, width = size or (model.image.height, model.image.width)
    model.check_size(height, width)
    channels = model.image.channels
    channel = channels - 1 if channel is None else channel
    for what, value, count in (("row", row, height), ("column", column, width), ("channel", channel, channels)):
        if not 0 <= value < count:
            allowed = f"0 to {count - 1}" if count > 1 else "0"
            raise ConfigError(
                f"`{what}` (={value}) lies outside the image of {height} x {width} with {channels} channel(s): "
                f"counting starts at 0, so give {allowed}."
            )
    return row, column, channel
