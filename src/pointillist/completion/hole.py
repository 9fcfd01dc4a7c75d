"""Parse the hole of an image from text: a mask, a region, or its transparent pixels."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from pointillist.data.options import parse_pair, parse_size
from pointillist.data.pixels import read_picture
from pointillist.data.tilemaps.folder import MAP_SUFFIXES
from pointillist.errors import ConfigError, ShapeError
from pointillist.images import OPAQUE

_REGION = re.compile(r"(\d*):(\d*),(\d*):(\d*)")


def parse_known(
    image: Path, mask: Path | None, region: str | None, transparent: bool, size: tuple[int, int]
) -> np.ndarray:
    """Return the known pixels of an image, bool `[h w]`.

    Args:
        image: the file of the image, whose transparent pixels may be the hole.
        mask: a picture of the same size, white where the image is to be filled.
        region: rows and columns to fill, `R0:R1,C0:C1`; a number that is left out means the border.
        transparent: fill the transparent pixels.
        size: height and width of the image.

    Raises:
        ConfigError: unless exactly one of them is given, or if nothing or everything is to be filled.
        ShapeError, DataError: if the mask has another size, or cannot be read.
    """
    given = [mask is not None, region is not None, transparent]
    if sum(given) != 1:
        raise ConfigError("The hole is missing or given twice: give one of `mask`, `region` and `transparent`.")
    if mask is not None:
        what, hole = f"`mask` (={mask})", _read_mask(mask, size)
    elif region is not None:
        what, hole = f"`region` (={region})", _parse_region(region, size)
    else:
        is_map = image.suffix.lower() in MAP_SUFFIXES
        alpha = np.zeros(0) if is_map else np.asarray(read_picture(image, str(image)).convert("RGBA"))[..., 3]
        if alpha.shape != size:
            raise ConfigError(f"`transparent` is for pictures, and {image} is a map: give `region` or `mask`.")
        what, hole = "`transparent`", alpha < OPAQUE
    if not hole.any():
        raise ConfigError(f"{what} leaves nothing to fill: mark at least one pixel.")
    if hole.all():
        raise ConfigError(f"{what} leaves no known pixel: use `pointillist sample` for whole images.")
    return ~hole


def parse_canvas(
    canvas: str | None, at: str, seamless: str | None, holes: list[bool]
) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """Parse the size of a canvas and the place of the image on it; None for a hole in the image.

    Args:
        holes: whether each option of a hole is given.

    Raises:
        ConfigError: if a part is not a number, or options exclude each other.
    """
    if canvas is None and seamless is None:
        return None
    if any(holes) or (canvas is not None and seamless is not None):
        raise ConfigError("`canvas` and `seamless` choose what to fill themselves: give one of them, and no hole.")
    place = parse_pair("at", at, int, "R,C, for example 16,16: a row and a column")
    return (0, 0) if canvas is None else parse_size(canvas), place


def _read_mask(path: Path, size: tuple[int, int]) -> np.ndarray:
    """Read a mask: pixels at least half bright are to be filled; transparent ones are not."""
    result = np.asarray(read_picture(path, str(path)).convert("LA"))
    if result.shape[:2] != size:
        raise ShapeError(
            f"`mask` (={path}) of {result.shape[0]}x{result.shape[1]} must have the size of the image, "
            f"{size[0]}x{size[1]}: resize one of them."
        )
    return (result[..., 0] >= 128) & (result[..., 1] >= OPAQUE)


def _parse_region(text: str, size: tuple[int, int]) -> np.ndarray:
    """Parse `R0:R1,C0:C1`."""
    result = _REGION.fullmatch(text.replace(" ", ""))
    if result is None:
        raise ConfigError(f"`region` (={text!r}) must be R0:R1,C0:C1, for example 8:20,8:20: rows, then columns.")
    top, bottom, left, right = (int(part) if part else None for part in result.groups())
    ends = ((top or 0, size[0] if bottom is None else bottom), (left or 0, size[1] if right is None else right))
    for what, (first, last), length in zip(("rows", "columns"), ends, size, strict=True):
        if not first < last <= length:
            raise ConfigError(
                f"`region` (={text!r}) must have {what} from 0 to {length}, the first one before the last."
            )
    hole = np.zeros(size, bool)
    hole[slice(*ends[0]), slice(*ends[1])] = True
    return hole
