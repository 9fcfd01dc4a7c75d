"""Write samples as one sheet, single files, an archive, or a texture atlas; each appears whole or not at all."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from pointillist.commands.paths import reject_existing, reject_filled
from pointillist.commands.sampling.maps import ARRAY_KINDS, FOLDER_KINDS, MAP_KINDS, encode_maps, is_map_file
from pointillist.errors import ConfigError, counted
from pointillist.files.writing import atomic_path, write_text
from pointillist.images import ImageSpec, as_pil
from pointillist.images.visualization import save_png
from pointillist.sampling.samples import MAX_DRAWN, Samples

if TYPE_CHECKING:
    from pointillist.commands.sampling.conditions import SheetPlan
    from pointillist.model.protocols import LikelihoodModel


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


def check_target(
    out: Path, kind: str, total: int, model: LikelihoodModel, force: bool, animation: Path | None = None
) -> None:
    """Reject, before sampling, what could not be written.

    Raises:
        ConfigError: naming the remedy.
    """
    image = model.image
    if kind in MAP_KINDS and (image.mode != "codes" or image.channels != 1):
        raise ConfigError(
            f"`--format {kind}` is for maps of tiles, and this model samples {image}: "
            "write PNG files by `--format files`."
        )
    if kind in MAP_KINDS and is_map_file(out) and total > 1:
        raise ConfigError(f"A .{kind} holds one map, not {total:,}: give DIR/, or `-n 1`.")
    if not (image.is_displayable or kind in ("npz", *ARRAY_KINDS, *MAP_KINDS) or model.tileset):
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
    if animation is None:
        return
    if kind not in ("sheet", "image"):
        raise ConfigError("`--animate` goes with a sheet: leave out `--out`, or give NAME.png.")
    if animation.suffix.lower() != ".gif":
        raise ConfigError(f"`--animate` (={animation}) must end in .gif.")
    reject_existing(animation, force)


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


_EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip member needs a date; the same seed must give the same file


def level_dtype(image: ImageSpec) -> np.dtype[Any]:
    """Return the smallest type that holds the levels of an image."""
    return np.dtype(np.uint8 if image.levels <= 256 else np.uint16)


def level_bytes(part: Samples) -> bytes:
    """Return the levels of images as an archive holds them."""
    return part.levels.astype(level_dtype(part.image)).tobytes()


def write_npz(
    out: Path,
    levels: Iterable[bytes],
    nats: np.ndarray,
    labels: np.ndarray,
    image: ImageSpec,
    classes: Sequence[str],
    numbers: np.ndarray | None = None,
) -> None:
    """Write `levels [n c h w]` and `nats [n]`, with `labels [n]` and `classes` where labels were given.

    Args:
        levels: the bytes of the levels in blocks, so that any number of images fits in memory; see `level_bytes`.
        numbers: of images that are not all of their seed, written as `item`.
    """
    with atomic_path(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with _member(archive, "levels", (len(nats), *image.shape), level_dtype(image)) as file:
            for block in levels:
                file.write(block)
        members = {"nats": nats}
        if classes:
            members |= {"labels": labels, "classes": np.array(classes, np.str_)}
        if numbers is not None:
            members |= {"item": numbers}
        _write_members(archive, members)


def write_arrays(out: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to an `.npz`; equal arrays give equal bytes.

    ```python
    write_arrays(Path("nats.npz"), {"nats": np.zeros(3)})
    ```
    """
    with atomic_path(out) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        _write_members(archive, arrays)


def _write_members(archive: zipfile.ZipFile, arrays: Mapping[str, np.ndarray]) -> None:
    for name, array in arrays.items():
        with _member(archive, name, array.shape, array.dtype) as file:
            file.write(array.tobytes())


def as_files(part: Samples) -> list[Image.Image]:
    """Return PIL images for files: maps drawn with their tileset, others by `ImageSpec.to_files`."""
    if part.tileset is not None:
        return [as_pil(picture) for picture in part.tileset.draw(part.levels[:, 0])]
    return part.images if part.has_other_colours else part.image.to_files(part.levels)


@contextmanager
def _member(archive: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Iterator[IO[bytes]]:
    """Open a `.npy` member of known shape for its values."""
    info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    with archive.open(info, "w", force_zip64=True) as file:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        yield file


def write_atlas(out: Path, parts: Iterable[Samples], classes: Sequence[str], columns: int | None) -> None:
    """Write `NAME.png` and `NAME.json`, in the JSON (hash) layout of texture packers: a frame for each image.

    A palette model's sheet is an indexed PNG with its palette; no pixel is scaled, no caption drawn.
    """
    pictures: list[Image.Image] = []
    conditions: list[dict[str, Any]] = []
    for part in parts:
        pictures += as_files(part)
        for label, text in zip(part.labels.tolist(), part.texts or ("",) * len(part), strict=True):
            conditions.append({**({"label": classes[label]} if label >= 0 else {}), **({"text": text} if text else {})})
    width, height = pictures[0].size
    columns = columns or math.ceil(math.sqrt(len(pictures)))
    rows = -(-len(pictures) // columns)
    sheet = Image.new(pictures[0].mode, (columns * width, rows * height))
    if pictures[0].mode == "P":
        sheet.putpalette(pictures[0].getpalette() or [])
        sheet.info.update(pictures[0].info)
    frames = {}
    for i, (picture, about) in enumerate(zip(pictures, conditions, strict=True)):
        x, y = i % columns * width, i // columns * height
        sheet.paste(picture, (x, y))
        size = {"w": width, "h": height}
        frames[f"{i:05d}"] = {
            "frame": {"x": x, "y": y, **size},
            "rotated": False,
            "trimmed": False,
            "spriteSourceSize": {"x": 0, "y": 0, **size},
            "sourceSize": size,
            **about,
        }
    save_png(sheet, out)
    meta = {"image": out.name, "size": {"w": sheet.width, "h": sheet.height}, "scale": "1", "app": "pointillist"}
    write_text(
        out.with_suffix(".json"), json.dumps({"frames": frames, "meta": meta}, indent=1, ensure_ascii=False) + "\n"
    )
