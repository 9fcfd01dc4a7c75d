"""Animate sampling: a GIF of images that appear pixel by pixel."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pointillist.errors import ConfigError, ShapeError
from pointillist.files.writing import atomic_path
from pointillist.images.visualization.image_grid import Grid, compose, plan_grid
from pointillist.images.visualization.pixels import ACCENT, INK, PAPER, Colour, as_colour, check_images, text_colour

MAX_FRAMES = 400
_MAX_IMAGES = 64
MAX_FRAME_PIXELS = 700_000  # of a frame
_DURATION = 6.0  # seconds, unless frames would be too short to see or too long to wait for
# pixels not sampled yet: a cool tint, with a dot if they are large enough, on a light and on a dark background; the
# last colour of the palette stands for "as in the frame before"
_EMPTY_LIGHT: tuple[Colour, Colour] = ((196, 204, 216), (150, 160, 178))
_EMPTY_DARK: tuple[Colour, Colour] = ((50, 54, 66), (88, 95, 112))
_KEEP: Colour = (0, 0, 0)


def animate(images: np.ndarray, path: str | Path, **how: Any) -> Path:
    """Write a looping GIF: an empty image, then pixel after pixel with the newest one framed, then the finished image.

        animate(samples.array, "samples.gif", order=model.generation_rank(28, 28), scale=8)

    ```python
    animate(pt.sample(model, 4, seed=0).array, "painting.gif", order="raster")
    ```

    Args:
        images, how: as for `gif_bytes`.

    Raises:
        ShapeError, ConfigError: if images, captions and settings do not fit together.
    """
    content = gif_bytes(images, **how)
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(content)
    return Path(path)


def gif_bytes(
    images: np.ndarray,
    *,
    order: str | np.ndarray = "raster",
    start: int = 0,
    frames: int = 120,
    hold: float = 2.5,
    scale: int | None = None,
    captions: Sequence[str] | None = None,
    columns: int | None = None,
    background: str | Colour = PAPER,
) -> bytes:
    """Encode such a GIF.

    ```python
    Path("painting.gif").write_bytes(gif_bytes(samples.array, frames=60))
    ```

    Args:
        images: uint8 `n h w c`; the first 64 are shown.
        order: `raster` (row by row), or an `h w` array with the rank of each pixel in the generation order, from 0.
        start: number of pixels of the order that are known from the first frame on.
        frames: at most so many, the last one included; in larger images a frame adds several pixels.
        hold: seconds for which the finished images stay.
        scale, captions, columns, background: as for `image_grid`.

    Raises:
        ShapeError, ConfigError: if images, captions and settings do not fit together.
    """
    images = check_images(images)
    height, width = images.shape[1:3]
    _check(frames, hold, start, height * width)
    rank = _ranks(order, height, width)
    grid = plan_grid(
        len(images),
        height,
        width,
        captions=captions,
        columns=columns,
        scale=scale,
        max_pixels=MAX_FRAME_PIXELS,
        max_images=_MAX_IMAGES,
    )
    ground = as_colour(background)
    empty = _EMPTY_LIGHT if text_colour(ground) == INK else _EMPTY_DARK
    indexed, palette = _indexed(compose(images, grid, captions, ground), [*empty, ACCENT, _KEEP])
    counts = _pixel_counts(start, height * width, frames)
    return _encoded(_frames(indexed, palette, grid, rank, counts), palette, hold)


def _check(frames: int, hold: float, start: int, pixels: int) -> None:
    if not 2 <= frames <= MAX_FRAMES:
        raise ConfigError(f"`frames` (={frames}) must be 2 to {MAX_FRAMES}: the first is blank, the last is complete.")
    if not 0 <= hold <= 600:
        raise ConfigError(f"`hold` (={hold}) must be 0 to 600 seconds.")
    if not 0 <= start <= pixels:
        raise ConfigError(f"`start` (={start}) must be 0 to {pixels}: an image has no more pixels.")


def _encoded(pictures: list[Image.Image], palette: np.ndarray, hold: float) -> bytes:
    """Encode frames with one palette. A frame stores only changed pixels; the rest is the transparent last colour."""
    duration = [max(20, min(120, round(100 * _DURATION / len(pictures)) * 10))] * len(pictures)
    duration[-1] = max(duration[-1], round(hold * 100) * 10)
    file = io.BytesIO()
    pictures[0].save(
        file,
        "GIF",
        save_all=True,
        append_images=pictures[1:],
        duration=duration,
        loop=0,
        disposal=1,
        optimize=True,
        palette=palette.tobytes(),
        transparency=len(palette) - 1,
    )
    return file.getvalue()


def _ranks(order: str | np.ndarray, height: int, width: int) -> np.ndarray:
    """Return the rank of each pixel in the generation order, `h w`."""
    if isinstance(order, str):
        if order != "raster":
            raise ConfigError(f"`order` (={order!r}) must be 'raster' or an array of ranks.")
        return np.arange(height * width).reshape(height, width)
    rank = np.asarray(order)
    if rank.shape != (height, width) or not np.array_equal(np.sort(rank, None), np.arange(height * width)):
        raise ShapeError(f"`order` of shape {rank.shape} must hold each of 0 to {height * width - 1} once, as (h, w).")
    return rank


def _pixel_counts(start: int, pixels: int, frames: int) -> list[int]:
    """Return the number of known pixels in each frame: from `start` to all, in even steps."""
    steps = min(pixels - start, frames - 1)
    return [start + math.ceil((pixels - start) * i / steps) for i in range(steps)] + [pixels]


def _indexed(picture: Image.Image, extra: list[Colour]) -> tuple[np.ndarray, np.ndarray]:
    """Convert an image to palette indexes `h w`, without dithering; the palette ends with the `extra` colours."""
    free = 256 - len(extra)
    array = np.asarray(picture)
    colours, indexes = np.unique(array.reshape(-1, 3), axis=0, return_inverse=True)
    if len(colours) > free:
        few = picture.quantize(free, Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE)
        indexes = np.asarray(few)
        colours = np.asarray(few.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
    palette = np.concatenate([colours, np.asarray(extra)]).astype(np.uint8)
    return indexes.reshape(array.shape[:2]).astype(np.uint8), palette


def _frames(
    whole: np.ndarray, palette: np.ndarray, grid: Grid, rank: np.ndarray, counts: list[int]
) -> list[Image.Image]:
    """Draw one palette image for each number of known pixels."""
    blank, dot, mark = (len(palette) - k for k in (4, 3, 2))
    scale = grid.scale
    big_rank = rank.repeat(scale, 0).repeat(scale, 1)
    empty = _empty(rank.shape, scale, blank, dot)
    site_of = {int(p): (int(r), int(c)) for (r, c), p in np.ndenumerate(rank)}
    out = []
    for count in counts:
        frame = whole.copy()
        newest = site_of[count - 1] if counts[0] < count < rank.size else None
        for index in range(grid.count):
            left, top = grid.corner(index)
            tile = frame[top : top + grid.height, left : left + grid.width]
            tile[:] = np.where(big_rank < count, tile, empty)
            if newest is not None:
                _mark(tile, newest, scale, mark)
        picture = Image.fromarray(frame)
        picture.putpalette(palette.tobytes())
        out.append(picture)
    return out


def _empty(shape: tuple[int, ...], scale: int, blank: int, dot: int) -> np.ndarray:
    tile = np.full((scale, scale), blank, np.uint8)
    if scale >= 5:
        middle, size = scale // 2, max(1, scale // 8)
        start = middle - size // 2
        tile[start : start + size, start : start + size] = dot
    return np.tile(tile, shape)


def _mark(tile: np.ndarray, pixel: tuple[int, int], scale: int, colour: int) -> None:
    """Draw a frame around a pixel, outside it; a pixel too small for that is filled."""
    top, left = pixel[0] * scale, pixel[1] * scale
    if scale < 3:
        tile[top : top + scale, left : left + scale] = colour
        return
    thick = max(1, scale // 8)
    outer = tile[max(0, top - thick) : top + scale + thick, max(0, left - thick) : left + scale + thick]
    inside = tile[top : top + scale, left : left + scale].copy()
    outer[:] = colour
    tile[top : top + scale, left : left + scale] = inside
