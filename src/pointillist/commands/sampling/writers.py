"""Write samples as one sheet, single files, or an archive; each appears whole or not at all."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.commands.paths import reject_existing, reject_filled
from pointillist.commands.sampling.archive import as_files, level_dtype
from pointillist.commands.sampling.maps import (
    ARRAY_KINDS,
    FOLDER_KINDS,
    MAP_KINDS,
    check_maps,
    encode_maps,
    is_map_file,
)
from pointillist.errors import ConfigError, counted
from pointillist.sampling.samples import MAX_DRAWN, Samples

if TYPE_CHECKING:
    from pointillist.commands.sampling.prompts import SheetPlan
    from pointillist.images import ImageSpec

MAX_SHEET = 1024
Names = Sequence[str]


class Totals:
    """Bits/dim of the samples that passed through, and the bits that their conditions save."""

    sampled: int
    tries: int

    def __init__(self) -> None:
        self.bits: list[np.ndarray] = []
        self._gains: list[np.ndarray] = []
        self.sampled, self.tries = 0, 0  # images of this command, and how many were drawn until these obeyed the rules

    def through(self, parts: Iterable[Samples]) -> Iterator[Samples]:
        """Yield the same parts, and record their bits/dim."""
        for part in parts:
            self.bits.append(part.bits_per_dim)
            if part.gain is not None:
                self._gains.append(part.gain)
            self.sampled += len(part)
            self.tries += len(part) if part.tries is None else int(part.tries.sum())
            yield part

    def add_rows(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Record images that an interrupted command has written."""
        result = np.array([(row["bits_per_dim"], row.get("bits_saved", math.nan)) for row in rows], np.float64)
        self.bits.append(result[:, 0])
        if not np.isnan(result).any():
            self._gains.append(result[:, 1] * math.log(2))

    @property
    def array(self) -> np.ndarray:
        """Bits/dim of all images, `[n]`."""
        return np.concatenate(self.bits)

    @property
    def saved(self) -> np.ndarray | None:
        """Bits saved by the conditions of each image, `[n]`; None where images were not chosen by them."""
        return np.concatenate(self._gains) / math.log(2) if self._gains else None


MAX_SIDE = 65_535
"""Longest side of a picture, in pixels, in most formats."""
_BYTES_PER_PIXEL = 12  # the picture in colour, its copy in a sheet, and its bytes as PNG


def check_target(out: Path, kind: str, total: int, image: ImageSpec, has_tileset: bool, force: bool) -> None:
    """Reject, before sampling, what could not be written.

    Raises:
        ConfigError: naming the remedy.
    """
    if kind in MAP_KINDS:
        check_maps(out, kind, total, image, force)
    elif not image.is_displayable and kind not in ("npz", *ARRAY_KINDS) and not has_tileset:
        raise ConfigError(f"Codes with {image.levels:,} levels are not a picture: write them with `--out NAME.npz`.")
    if kind in ("sheet", "atlas") and total > MAX_SHEET:
        raise ConfigError(
            f"A sheet holds {MAX_SHEET:,} images, not {total:,}: write them with `--out DIR/` or `--out NAME.npz`."
        )
    if kind == "image" and total > 1:
        raise ConfigError(f"One image file does not hold {total:,} images: give `--format sheet`, DIR/ or NAME.npz.")
    if kind in ("image", "sheet", "atlas") and out.suffix.lower() != ".png":
        raise ConfigError(f"`--out` (={out}) must end in .png for a picture: or give DIR/ for files, or NAME.npz.")
    if kind == "atlas":
        reject_existing(out.with_suffix(".json"), force)
    if kind in ARRAY_KINDS and image.channels != 1:
        raise ConfigError(f"`--format {kind}` holds one channel, and this model has {image.channels}: give NAME.npz.")
    if kind not in FOLDER_KINDS and not (kind in MAP_KINDS and not is_map_file(out)):
        reject_existing(out, force)
    else:
        reject_filled(out, force, "the samples in it")


def check_picture(kind: str, total: int, size: tuple[int, int], tile: tuple[int, int]) -> None:
    """Reject a picture that would not fit in memory, or that no viewer opens, before anything is sampled.

    Args:
        kind: format of the output.
        total: number of images.
        size: height and width of each.
        tile: height and width of the picture of a level; (1, 1) without a tileset. A sheet shrinks its tiles.

    Raises:
        ConfigError: if a side is too long.
        DataError: if it does not fit in memory.
    """
    from pointillist.system import check_memory

    if kind not in ("image", "sheet", "atlas", "files", "png"):
        return
    tile = (1, 1) if kind in ("sheet", "atlas") else tile
    height, width = size[0] * tile[0], size[1] * tile[1]
    if max(height, width) > MAX_SIDE:
        raise ConfigError(
            f"A picture of {height:,}x{width:,} has a side of more than {MAX_SIDE:,} pixels, which no viewer opens: "
            "choose a smaller `size`, or write `--out NAME.npz`."
        )
    at_once = total if kind in ("image", "sheet", "atlas") else 1
    what = f"{counted(at_once, 'picture')} of {height:,}x{width:,}"
    check_memory(at_once * height * width * _BYTES_PER_PIXEL, what, "choose a smaller `size` or fewer images")


def write_pictures(
    out: Path, parts: Iterable[Samples], classes: Names, plan: SheetPlan | None, seamless: str | None = None
) -> tuple[list[Samples], list[str] | None]:
    """Write one PNG: a sheet with captions, or without a plan the exact pixels of the only image.

    Args:
        seamless: directions in which the images tile; a sheet repeats them.

    Returns:
        The batches and their captions, for an animation.
    """
    from pointillist.images.visualization import image_grid, named_grid, save_png

    result = list(parts)
    array = repeated(drawn(result), seamless)
    captions = [caption for part in result for caption in captions_of(part, classes)]
    shown = captions if any(captions) else None
    if plan is None:
        save_png(as_files(result[0])[0], out)
    elif plan.row_names:
        save_png(named_grid(array, plan.row_names, plan.column_names, columns=plan.columns or 1), out)
    else:
        save_png(image_grid(array, captions=shown, columns=plan.columns), out)
    return result, shown


def drawn(parts: Sequence[Samples], max_pixels: int = MAX_DRAWN) -> np.ndarray:
    """Draw the images of some batches, `[n h w c]`; maps with tiles that are small enough for `max_pixels` together."""
    return np.concatenate([part.drawn(max_pixels // len(parts)) for part in parts])


def repeated(array: np.ndarray, seamless: str | None) -> np.ndarray:
    """Repeat images `[n h w c]` three times in each direction in which they tile, unless they would be too large."""
    times = (1, 3 if seamless in ("y", "both") else 1, 3 if seamless in ("x", "both") else 1, 1)
    pixels = math.prod(array.shape[:3]) * math.prod(times)
    return array if pixels > MAX_DRAWN else np.tile(array, times)


def write_animation(
    path: Path,
    parts: Sequence[Samples],
    rank: np.ndarray,
    *,
    captions: Sequence[str] | None,
    columns: int | None = None,
    start: int = 0,
) -> None:
    """Write an animation of the sampling.

    Args:
        rank: of each pixel in the generation order, `[h w]`.
        start: number of pixels of the order that are known from the first frame on.
    """
    from pointillist.images.visualization import animate
    from pointillist.images.visualization.animation import MAX_FRAME_PIXELS

    array = drawn(parts, MAX_FRAME_PIXELS)
    ranks = pixel_ranks(rank, array.shape[1:3])
    first = start * ranks.size // rank.size
    animate(array, path, order=ranks, start=first, captions=captions, columns=columns)


def pixel_ranks(rank: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """Return the rank of each pixel of a drawn map, from the rank of each cell: the pixels of a tile follow each other.

    Args:
        rank: of the cells, `[h w]`.
        size: height and width of the picture.
    """
    height, width = size[0] // rank.shape[0], size[1] // rank.shape[1]
    inner = np.arange(height * width).reshape(height, width)
    result: np.ndarray = np.kron(rank, np.full_like(inner, height * width)) + np.tile(inner, rank.shape)
    return result


def captions_of(part: Samples, classes: Names) -> list[str]:
    """Return the label, or else the prompt, of each image, with the bits it saves where that chose the image."""
    names = [classes[i] if i >= 0 else "" for i in part.labels.tolist()]
    if not any(names) and part.texts is not None:
        names = list(part.texts)
    if part.gain is None:
        return names
    bits = (part.gain / math.log(2)).tolist()
    return [f"{value:+.0f} bits, {name}" for name, value in zip(names, bits, strict=True)]


def encode_files(part: Samples, form: str, folder: Path) -> list[bytes]:
    """Return the bytes of a file for each image in a folder: a map or an array of a format, or else a PNG."""
    if form in MAP_KINDS:
        return encode_maps(part, form, folder)
    if form in ARRAY_KINDS:
        return [encode_array(levels, form) for levels in part.levels[:, 0].astype(level_dtype(part.image))]
    streams = [io.BytesIO() for _ in range(len(part))]
    for picture, stream in zip(as_files(part), streams, strict=True):
        picture.save(stream, format="PNG")
    return [stream.getvalue() for stream in streams]


def encode_array(levels: np.ndarray, form: str) -> bytes:
    """Return the bytes of a GSLIB or NumPy file of a grid."""
    from pointillist.completion.result import encode_gslib

    if form == "gslib":
        return encode_gslib(levels, "pointillist")
    stream = io.BytesIO()
    np.save(stream, levels)
    return stream.getvalue()
