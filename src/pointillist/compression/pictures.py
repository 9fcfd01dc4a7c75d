"""Pictures of files as levels, where the levels hold them exactly, and back; pictures as tiles."""

from __future__ import annotations

import base64
import binascii
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, TiffImagePlugin, TiffTags

from pointillist.compression.arrays.values import ValueMap
from pointillist.data.pixels import is_reduced, most_of, opened_picture
from pointillist.engine.program import IntArray
from pointillist.errors import ArchiveError, DataError
from pointillist.images import ImageSpec, nearest_colour, quantise
from pointillist.images.array_types import UInt8


@dataclass(frozen=True)
class Tiling:
    """Plan of cutting pictures into images of a model, row by row.

    Attributes:
        height, width: of a picture.
        tile: height and width of a tile; the picture itself for a model of any size.
    """

    height: int
    width: int
    tile: tuple[int, int]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        return -(-self.height // self.tile[0]), -(-self.width // self.tile[1])

    @property
    def count(self) -> int:
        """Tiles of a picture."""
        return self.grid[0] * self.grid[1]

    def split(self, x: IntArray) -> IntArray:
        """Cut pictures `[n, c, h, w]` into tiles `[n * count, c, th, tw]`; what lies beyond them is 0."""
        (rows, columns), (th, tw), (n, c) = self.grid, self.tile, x.shape[:2]
        padded = np.zeros((n, c, rows * th, columns * tw), x.dtype)
        padded[:, :, : self.height, : self.width] = x
        cut = padded.reshape(n, c, rows, th, columns, tw).transpose(0, 2, 4, 1, 3, 5)
        return cut.reshape(n * rows * columns, c, th, tw)

    def join(self, tiles: IntArray) -> IntArray:
        """Undo `split`."""
        (rows, columns), (th, tw), c = self.grid, self.tile, tiles.shape[1]
        whole = tiles.reshape(-1, rows, columns, c, th, tw).transpose(0, 3, 1, 4, 2, 5)
        return whole.reshape(len(whole), c, rows * th, columns * tw)[:, :, : self.height, : self.width]

    def inside(self) -> NDArray[np.bool_]:
        """Return the pixels of the tiles of a picture that belong to it, `[count, 1, th, tw]`."""
        return self.split(np.ones((1, 1, self.height, self.width), np.uint8)) > 0

    def box(self, tile: int) -> tuple[slice, slice]:
        """Return the rows and columns of the part of a picture that a tile holds."""
        row, column = divmod(tile, self.grid[1])
        (th, tw), (top, left) = self.tile, (row * self.tile[0], column * self.tile[1])
        return slice(top, min(top + th, self.height)), slice(left, min(left + tw, self.width))


def tiles_of(height: int, width: int, side: int) -> Tiling:
    """Return how a large picture is cut into tiles of nearly one size, none larger than a square of `side` pixels.

    ```python
    tiles_of(512, 768, 512).tile  # (512, 384)
    ```
    """
    rows, columns = -(-height // side), -(-width // side)
    return Tiling(height, width, (-(-height // rows), -(-width // columns)))


MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
"""Modes of Pillow whose pixels have 8 bits a channel."""
DEEP_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N")
"""Modes of Pillow for one channel of 16 bits; of 32 as well, if it is not PNG or PGM."""
MAX_TEXT = 1 << 20
"""Most characters of the texts of a picture that are kept."""
STRIP = 256
"""Rows that are turned into levels, and compared, at once: what that takes is small next to a large picture."""
_BINARY = ("exif", "icc_profile")
_GEO_TAGS = {
    **dict.fromkeys(("33550", "33922", "34264", "34736"), TiffTags.DOUBLE),
    **dict.fromkeys(("34737", "42112", "42113"), TiffTags.ASCII),
    "34735": TiffTags.SHORT,
}
"""Tags of GeoTIFF and GDAL, with the types of their values: scale, place, keys, and the value of no data."""


@dataclass(frozen=True)
class PictureFile:
    """Facts about a file that an archive stores next to its pixels.

    Attributes:
        name: its path below the folder that was compressed, with slashes.
        mode: its mode, in Pillow's words.
        texts: texts of a PNG, such as the settings of a sample.
        blocks: EXIF data, colour profile and resolution, base64.
        tags: tags of a GeoTIFF file, by number.
        values: which value each level stands for; None for the level itself.
        min_is_white: whether level 0 is white, and the greatest black.
        clear: whether white is transparent.
    """

    name: str
    mode: str = "L"
    texts: Mapping[str, str] = field(default_factory=dict)
    blocks: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str | list[float]] = field(default_factory=dict)
    values: ValueMap | None = None
    min_is_white: bool = False
    clear: bool = False

    def to_json(self) -> list[Any]:
        extra: dict[str, Any] = {"texts": dict(self.texts), "blocks": dict(self.blocks), "tags": dict(self.tags)}
        extra["values"] = None if self.values is None else self.values.to_json()
        extra |= {"min_is_white": self.min_is_white, "clear": self.clear}
        return [self.name, self.mode, {name: value for name, value in extra.items() if value}]

    @classmethod
    def from_json(cls, value: Any) -> PictureFile:
        """Read JSON values of a stranger.

        Raises:
            ArchiveError: if `to_json` did not write them.
        """
        valid = isinstance(value, list) and len(value) == 3 and isinstance(value[2], dict)
        if not valid or not all(isinstance(text, str) for text in value[:2]):
            raise ArchiveError("The archive has no valid names of files: it was not written by this package.")
        texts, blocks = ({str(k): v for k, v in _dict(value[2].get(key)).items()} for key in ("texts", "blocks"))
        if not all(isinstance(text, str) for text in (*texts.values(), *blocks.values())):
            raise ArchiveError("The archive has no valid texts of files: it was not written by this package.")
        tags = _dict(value[2].get("tags"))
        if any(_tag_value(key, tag) != tag for key, tag in tags.items()):
            raise ArchiveError("The archive has no valid tags of files: it was not written by this package.")
        values = value[2].get("values")
        maps = None if values is None else ValueMap.from_json(values)
        colours = (value[2].get(key) is True for key in ("min_is_white", "clear"))
        return cls(safe_name(value[0]), value[1], texts, blocks, tags, maps, *colours)


def read_levels(path: Path, name: str, image: ImageSpec) -> tuple[IntArray, PictureFile]:
    """Read a picture as levels `[c, h, w]` that hold its pixels exactly.

    Raises:
        DataError: if it cannot be read, or the levels of the model do not hold it; the message names a pixel.
    """
    with opened_picture(path, str(path)) as opened:
        if getattr(opened, "n_frames", 1) > 1:
            raise DataError(f"{path} has several frames, of which one would be kept: save them as single pictures.")
        if is_reduced(opened):
            raise DataError(f"{path} has channels of more than 8 bits: compress each channel as 16-bit grey.")
        most = most_of(opened) if opened.mode == "I" else None
        stored = {str(tag): _tag_value(str(tag), value) for tag, value in getattr(opened, "tag_v2", {}).items()}
        tags = {key: value for key, value in stored.items() if value is not None}
        opened.load()
        clear = image.min_is_white and is_clear(opened)
        levels, mode, info = to_levels(opened, str(path), image, clear), opened.mode, dict(opened.info)
    levels = levels if most is None else (levels * most + 32_767) // 65_535  # Pillow scales the samples of a PGM file
    texts = {str(key): text for key, text in info.items() if isinstance(text, str)}
    blocks = {key: base64.b64encode(info[key]).decode() for key in _BINARY if info.get(key)} | _resolution(opened)
    if sum(map(len, (*texts.values(), *blocks.values(), *map(str, tags.values())))) > MAX_TEXT:
        raise DataError(f"{path} has more than {MAX_TEXT:,} characters of texts and profiles: remove them first.")
    values = None
    if image.mode == "codes" and image.ordered:
        values = ValueMap.choose(levels, image.levels)
        levels, values = values.to_levels(levels), None if values.table is None else values
    return levels, PictureFile(name, mode, texts, blocks, tags, values, image.min_is_white, clear)


def _tag_value(key: str, value: Any) -> str | list[float] | None:
    """Return what is kept of a tag of a TIFF file; None if it is not of GeoTIFF, or not of the type of its tag."""
    kind = _GEO_TAGS.get(key)
    if kind == TiffTags.ASCII:
        return value if type(value) is str and max(value, default="") <= "\xff" else None
    numbers = list(value) if type(value) in (list, tuple) else [value]
    if kind is None or not {type(number) for number in numbers} <= {int, float, TiffImagePlugin.IFDRational}:
        return None
    if kind == TiffTags.SHORT:
        return [int(number) for number in numbers] if all(number in range(1 << 16) for number in numbers) else None
    return [float(number) for number in numbers] if all(abs(number) < 1e308 for number in numbers) else None


def _resolution(picture: Image.Image) -> dict[str, str]:
    """Return the resolution of a picture as a chunk of PNG, base64; nothing where it is unknown."""
    dpi = picture.info.get("dpi", ())
    if not dpi or not all(0 <= x < math.inf for x in dpi):
        return {}
    chunk = struct.pack(">IIB", *(min(round(x / 0.0254), 2**31 - 1) for x in dpi), 1)
    return {"pHYs": base64.b64encode(chunk).decode()}


def is_clear(picture: Image.Image) -> bool:
    """Return True if a pixel of a picture is not opaque."""
    return picture.has_transparency_data and bool((np.asarray(picture.convert("RGBA"))[..., 3] < 255).any())


def to_levels(picture: Image.Image, name: str, image: ImageSpec, clear: bool = False) -> IntArray:
    """Return the levels `[c, h, w]` of a picture; see `read_levels`. `clear`: ink is in the alpha."""
    if image.mode == "codes":
        return _codes(picture, name, image)
    if picture.mode not in MODES:
        deep = picture.mode in DEEP_MODES
        remedy = "use `grey16`, which takes grey of 16 bits" if deep else "convert it, or give an array of levels"
        raise DataError(f"{name} has mode {picture.mode}, not 8 bits a channel: {remedy}.")
    strips = [
        _strip(picture.crop((0, top, picture.width, min(top + STRIP, picture.height))), name, image, top, clear)
        for top in range(0, picture.height, STRIP)
    ]
    return np.concatenate(strips, 1)


def _strip(picture: Image.Image, name: str, image: ImageSpec, top: int, clear: bool) -> IntArray:
    """Return the levels `[c, h, w]` of some rows of a picture, the first at `top`; `clear`: ink is in the alpha."""
    rgba = np.asarray(picture.convert("RGBA"))
    if image.mode == "palette":
        levels = nearest_colour(rgba, image.palette or ())[None]
    else:
        values = rgba[..., 3:] if clear else rgba[..., : image.channels]
        values = 255 - values if image.min_is_white and not clear else values
        levels = quantise(values.transpose(2, 0, 1), image.levels)
    wrong = (to_rgba(levels, image, clear) != rgba).any(-1)
    if wrong.any():
        row, column = np.argwhere(wrong)[0].tolist()
        place = f"at row {top + row}, column {column}"
        if image.mode in ("grey", "rgb") and rgba[row, column, 3] < 255:
            raise DataError(
                f"{name} is transparent {place}, which the model of {image} does not hold: use one that was trained "
                "on images of mode rgba or palette, or a file format such as WebP."
            )
        raise DataError(
            f"{name} has the colour {tuple(rgba[row, column].tolist())} {place}, which the model of {image} does not "
            f"hold exactly: use {_model_of(rgba)}, or convert the picture first."
        )
    return levels


def _model_of(rgba: UInt8[np.ndarray, "h w 4"]) -> str:
    """Name a model that holds the colours of pixels."""
    if (rgba[..., 3] < 255).any():
        return "a model that was trained on images of mode rgba or palette"
    grey = (rgba[..., :1] == rgba[..., 1:3]).all()
    return f"`{'photos-grey' if grey else 'photos'}`, which takes any {'grey' if grey else 'RGB'} picture of 8 bits"


def to_rgba(levels: IntArray, image: ImageSpec, clear: bool = False) -> UInt8[np.ndarray, "h w 4"]:
    """Return levels `[c, h, w]` as colours; `clear`: as black whose opacity is the level."""
    if image.mode == "palette":
        colours: np.ndarray = np.asarray(image.palette, np.uint8)[levels[0]]
        return colours
    values = image.values[np.asarray(levels)].transpose(1, 2, 0)
    if clear:
        return np.concatenate([np.zeros((*values.shape[:2], 3), np.uint8), 255 - values], -1)
    values = np.repeat(values, 3, -1) if image.channels == 1 else values
    opaque = np.full((*values.shape[:2], 4 - values.shape[2]), 255, np.uint8)
    return np.concatenate([values, opaque], -1)


def to_picture(levels: IntArray, image: ImageSpec, file: PictureFile) -> Image.Image:
    """Return levels `[c, h, w]` as the picture that they were read from.

    Raises:
        DataError: if no picture can hold them.
    """
    if image.mode == "codes":
        if image.channels > 1:
            raise DataError(f"Codes of {image.channels} channels are not a picture: write an array, to NAME.npz.")
        if file.values is not None:
            levels = file.values.to_values(levels)
        dtype: Any = np.uint8 if image.levels <= 256 else np.uint16
        if image.is_deep:
            dtype = {"1": np.bool_, "L": np.uint8}.get(file.mode, np.uint16)
        return Image.fromarray(levels[0].astype(dtype))
    image = image.model_copy(update={"min_is_white": file.min_is_white})
    picture = (image.to_files if image.mode == "palette" or file.clear else image.to_pil)(levels[None])[0]
    if file.mode == "P" and picture.mode in ("L", "RGB", "RGBA"):
        return _indexed(picture)
    others = ("LA", "RGBA") if file.clear else ("1", "L", "LA", "RGB", "RGBA")
    same = file.mode == picture.mode or file.mode not in others
    return picture if same else picture.convert(file.mode)


def _indexed(picture: Image.Image) -> Image.Image:
    """Return a picture of at most 256 colours as indexes into a palette."""
    pixels = np.asarray(picture.convert("RGBA")).view("<u4")[..., 0]
    colours, index = np.unique(pixels, return_inverse=True)
    if len(colours) > 256:
        raise ArchiveError(f"The archive has {len(colours)} colours of a picture with a palette: it is damaged.")
    indexed = Image.fromarray(index.reshape(pixels.shape).astype(np.uint8), "P")
    palette = colours.astype("<u4").view(np.uint8).reshape(-1, 4)
    opaque = bool((palette[:, 3] == 255).all())
    indexed.putpalette(palette[:, : 3 if opaque else 4].tobytes(), "RGB" if opaque else "RGBA")
    return indexed


def save_picture(picture: Image.Image, target: Any, file: PictureFile) -> None:
    """Write a PNG, or a TIFF for a file with tags, with what the archive kept in addition to the pixels."""
    info = PngImagePlugin.PngInfo()
    for key, text in file.texts.items():
        info.add_itxt(key, text)
    blocks: dict[str, bytes | tuple[float, float]] = {}
    for key, block in file.blocks.items():
        try:
            content = base64.b64decode(block)
            if key == "pHYs":
                across, down, _ = struct.unpack(">IIB", content)
                blocks["dpi"] = across * 0.0254, down * 0.0254
            elif key in _BINARY:
                blocks[key] = content
        except (binascii.Error, struct.error) as error:
            raise ArchiveError(f"The archive has no valid `{key}` of {file.name}: it is damaged.") from error
    if file.tags:
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        for key, tag in file.tags.items():
            tags.tagtype[int(key)] = _GEO_TAGS[key]
            tags[int(key)] = tag.encode("latin-1") if type(tag) is str else tuple(tag)
        picture.save(target, format="TIFF", tiffinfo=tags, compression="tiff_adobe_deflate", **blocks)
    else:
        picture.save(target, format="PNG", pnginfo=info, **blocks)


def safe_name(name: str) -> str:
    """Check that a name stays below the folder that it is written to.

    Raises:
        ArchiveError: if it does not.
    """
    path = PurePosixPath(name)
    parts = name.replace("\\", "/").split("/")
    if path.is_absolute() or not path.name or not set(parts).isdisjoint({"..", ".", ""}) or ":" in name:
        raise ArchiveError(f"The archive names a file {name!r}, which could lie anywhere: it is not written.")
    if not name.isprintable():
        raise ArchiveError(f"The archive names a file {name!r}, which does not print: it is not written.")
    return name


def _codes(picture: Image.Image, name: str, image: ImageSpec) -> IntArray:
    if image.is_deep and (picture.mode not in ("1", "L", *DEEP_MODES) or picture.has_transparency_data):
        clear = ", with transparency" if picture.has_transparency_data else ""
        raise DataError(
            f"{name} has mode {picture.mode}{clear}: the model takes one channel of 8 or 16 bits without a sign, so "
            "convert it, or give an array of integers as `.npy`."
        )
    if image.channels != 1 or picture.mode not in ("1", "L", "P", *DEEP_MODES):
        raise DataError(f"{name} is not a grid of codes (mode {picture.mode}): give an index picture, or an array.")
    levels = np.asarray(picture).astype(np.int64)[None]
    if levels.max() >= image.levels:
        raise DataError(f"{name} has the code {levels.max()}, and the model of {image} ends at {image.levels - 1}.")
    return levels


def _dict(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}
