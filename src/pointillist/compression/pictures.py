"""Pictures of files as levels, where the levels hold them exactly, and back."""

from __future__ import annotations

import base64
import binascii
import io
import math
import struct
import zlib
from collections.abc import Callable, Iterable, Set
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin, TiffImagePlugin, TiffTags

from pointillist.compression.about import COLOURS, TAGS, PictureFile, ValueMap, tag_value
from pointillist.data.pixels import (
    is_reduced,
    is_signed,
    is_white_zero,
    most_of,
    opened_picture,
    read_deep,
    sample_bits,
)
from pointillist.engine.program import IntArray
from pointillist.errors import ArchiveError, DataError
from pointillist.images import ImageSpec, nearest_colour, quantise
from pointillist.images.array_types import Shaped, UInt8
from pointillist.images.pictures import PNG, deep_png, png_chunk, read_chunks

MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
"""Modes of Pillow whose pixels have 8 bits a channel."""
DEEP_MODES = ("I", "I;16", "I;16L", "I;16B", "I;16N")
"""Modes of Pillow for one channel of 16 bits; of 32 as well, if it is not PNG or PGM."""
MAX_TEXT = 1 << 20
"""Most characters of the texts of a picture that are kept."""
STRIP = 256
"""Rows that are turned into levels, and compared, at once: what that takes is small next to a large picture."""
_BINARY = ("exif", "icc_profile")
_CHUNKS = {"gAMA": 4, "cHRM": 32, "sRGB": 1, "cICP": 4, "pHYs": 9}
"""Chunks of PNG that are kept as they are, with their bytes."""
_READ_CHUNKS = {"IHDR", "PLTE", "tRNS", "iCCP", "eXIf", "tEXt", "zTXt", "iTXt"}
_READ_TAGS = {*range(254, 260), 262, 263, 266, *range(273, 285), 296, 317, 320, *range(322, 326), 338, 339, 347, 34675}
"""Tags that say how pixels are stored, and of those that a picture of any format has."""


def read_levels(path: Path, name: str, image: ImageSpec) -> tuple[IntArray, PictureFile]:
    """Read a picture as levels `[c, h, w]` that hold its pixels exactly.

    Raises:
        DataError: if it cannot be read, or the levels of the model do not hold it; the message names a pixel.
    """
    with opened_picture(path, str(path), as_stored=image.is_deep) as opened:
        if getattr(opened, "n_frames", 1) > 1:
            raise DataError(f"{path} has several frames, of which one would be kept: save them as single pictures.")
        colour = is_reduced(opened)
        if colour and not image.is_deep:
            raise DataError(f"{path} has channels of more than 8 bits: use `grey16`, which takes 16 bits a channel.")
        scale, tags = _scale_of(opened), {} if colour else _tags_of(opened)
        deep = read_deep(path, opened).transpose(2, 0, 1).astype(np.int64) if colour else None
        opened.load()
        clear = image.min_is_white and is_clear(opened)
        levels = scale(to_levels(opened, str(path), image, clear) if deep is None else deep)
    values: tuple[ValueMap, ...] = ()
    if image.mode == "codes" and image.ordered:
        values = tuple(ValueMap.choose(channel, image.levels) for channel in levels)
        levels = np.concatenate([each.to_levels(x) for each, x in zip(values, levels, strict=True)])[None]
        values = values if any(each.table is not None or each.first for each in values) else ()
    chunks = read_chunks(path) if opened.format == "PNG" else {}
    texts = {str(key): text for key, text in opened.info.items() if isinstance(text, str) and key != "compression"}
    binary = {key: opened.info[key] for key in _BINARY if opened.info.get(key)} | _resolution(opened)
    binary |= {key: content for key, content in chunks.items() if len(content) == _CHUNKS.get(key)}
    blocks = {key: base64.b64encode(content).decode() for key, content in binary.items()}
    if sum(map(len, (*texts.values(), *blocks.values(), *map(str, tags.values())))) > MAX_TEXT:
        raise DataError(f"{path} has more than {MAX_TEXT:,} characters of texts and profiles: remove them first.")
    mode = f"{opened.mode};16" if colour else opened.mode
    lost = _dropped(opened, {*tags, *texts, *binary}, chunks)
    return levels, PictureFile(name, mode, texts, blocks, tags, values, image.min_is_white, clear, lost)


def _scale_of(picture: Image.Image) -> Callable[[IntArray], IntArray]:
    """Return the map from the samples of Pillow to the samples of the file; asked before they are decoded."""
    most, bits = most_of(picture), sample_bits(picture)
    if is_signed(picture):
        return lambda x: x.astype(np.int8 if bits == 8 else np.int16).astype(np.int64)
    if picture.mode.startswith("I") and picture.format == "JPEG2000":  # scaled to 16 bits, as PGM is
        return lambda x: x >> 16 - bits
    return lambda x: x if most is None or not picture.mode.startswith("I") else (x * most + 32_767) // 65_535


def _dropped(picture: Image.Image, stored: Set[str], chunks: Iterable[str]) -> frozenset[str]:
    """Name tags, chunks and blocks of a file that are not stored, and are not its pixels."""
    tags = {tag for tag in getattr(picture, "tag_v2", ()) if str(tag) not in stored} - _READ_TAGS
    others = {key for key in ("xmp", "comment", "photoshop") if picture.info.get(key)}
    if "XML:com.adobe.xmp" in stored:
        others.discard("xmp")
    return frozenset({TiffTags.lookup(tag).name for tag in tags} | ({*chunks} - _READ_CHUNKS - stored) | others)


def _tags_of(picture: Image.Image) -> dict[str, str | list[float]]:
    """Return the tags of a TIFF file that are kept."""
    stored = {str(tag): tag_value(str(tag), value) for tag, value in getattr(picture, "tag_v2", {}).items()}
    tags = {key: value for key, value in stored.items() if value is not None}
    return tags if is_white_zero(picture) else {key: value for key, value in tags.items() if key != "262"}


def _resolution(picture: Image.Image) -> dict[str, bytes]:
    """Return the resolution of a picture as a chunk of PNG; nothing where it is unknown."""
    dpi = picture.info.get("dpi", ())
    if not dpi or not all(0 <= x < math.inf for x in dpi):
        return {}
    return {"pHYs": struct.pack(">IIB", *(min(round(x / 0.0254), 2**31 - 1) for x in dpi), 1)}


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
    values = image.to_images(levels[None])[0]
    if clear:
        return np.concatenate([np.zeros((*values.shape[:2], 3), np.uint8), 255 - values], -1)
    values = np.repeat(values, 3, -1) if values.shape[-1] == 1 else values
    opaque = np.full((*values.shape[:2], 4 - values.shape[2]), 255, np.uint8)
    return np.concatenate([values, opaque], -1)


def to_picture(levels: IntArray, image: ImageSpec, file: PictureFile) -> Image.Image | Shaped[np.ndarray, "h w c"]:
    """Return levels `[c, h, w]` as the picture that they were read from; as an array for colour of 16 bits a channel.

    Raises:
        DataError: if no picture can hold them.
        ArchiveError: if their rows are not divided among the channels.
    """
    if image.mode == "codes":
        if image.channels > 1:
            raise DataError(f"Codes of {image.channels} channels are not a picture: write an array, to NAME.npz.")
        channels = COLOURS.get(file.mode, 1)
        if levels.shape[1] % channels:
            raise ArchiveError(f"The archive has {levels.shape[1]} rows for {channels} channels: it is damaged.")
        planes = levels.reshape(channels, -1, levels.shape[2])
        if file.values:
            planes = np.stack([values.to_values(x) for values, x in zip(file.values, planes, strict=True)])
        dtype: Any = np.uint8 if image.levels <= 256 else np.uint16
        if image.is_deep:
            dtype = {"1": np.bool_, "L": np.uint8}.get(file.mode, np.uint16)
        samples = planes.astype(dtype)  # signed samples wrap around, as they are stored
        return Image.fromarray(samples[0]) if channels == 1 else samples.transpose(1, 2, 0)
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


def save_picture(picture: Image.Image | Shaped[np.ndarray, "h w c"], target: Path, file: PictureFile) -> None:
    """Write a PNG, or a TIFF for a file with tags, with what the archive kept in addition to the pixels."""
    blocks: dict[str, bytes] = {}
    for key in file.blocks.keys() & {*_BINARY, *_CHUNKS}:
        try:
            blocks[key] = base64.b64decode(file.blocks[key])
        except binascii.Error as error:
            raise ArchiveError(f"The archive has no valid `{key}` of {file.name}: it is damaged.") from error
        if len(blocks[key]) != _CHUNKS.get(key, len(blocks[key])):
            raise ArchiveError(f"The archive has no valid `{key}` of {file.name}: it is damaged.")
    if file.tags and not isinstance(picture, np.ndarray):
        tags = TiffImagePlugin.ImageFileDirectory_v2()
        for key, tag in file.tags.items():
            tags.tagtype[int(key)] = TAGS[key]
            tags[int(key)] = tag.encode("latin-1") if type(tag) is str else tuple(tag)
        binary: dict[str, bytes | tuple[float, float]] = {key: blocks[key] for key in _BINARY if key in blocks}
        across, down, unit = struct.unpack(">IIB", blocks.get("pHYs", bytes(9)))
        binary |= {"dpi": (across * 0.0254, down * 0.0254)} if unit else {}
        picture.save(target, format="TIFF", tiffinfo=tags, compression="tiff_adobe_deflate", **binary)
        return
    info = PngImagePlugin.PngInfo()
    for key, text in file.texts.items():
        info.add_itxt(key, text)
    if "exif" in blocks:
        info.add(b"eXIf", blocks["exif"].removeprefix(b"Exif\0\0"))
    if "icc_profile" in blocks:
        info.add(b"iCCP", b"ICC Profile\0\0" + zlib.compress(blocks["icc_profile"]))
    for key in blocks.keys() & _CHUNKS.keys():
        info.add(key.encode(), blocks[key])
    with io.BytesIO() as stream:
        if isinstance(picture, np.ndarray):
            stream.write(deep_png(picture))
        else:
            picture.save(stream, format="PNG")
        content = stream.getvalue()
    header = len(PNG) + 25
    extra = b"".join(png_chunk(kind, data) for kind, data, *_ in info.chunks)
    target.write_bytes(content[:header] + extra + content[header:])


def _codes(picture: Image.Image, name: str, image: ImageSpec) -> IntArray:
    if image.is_deep and (picture.mode not in ("1", "L", *DEEP_MODES) or picture.has_transparency_data):
        clear = ", with transparency" if picture.has_transparency_data else ""
        raise DataError(
            f"{name} has mode {picture.mode}{clear}: the model takes grey of 8 or 16 bits, or colour of 16 bits a "
            "channel, so convert it, or give an array of integers as `.npy`."
        )
    if image.channels != 1 or picture.mode not in ("1", "L", "P", *DEEP_MODES):
        raise DataError(f"{name} is not a grid of codes (mode {picture.mode}): give an index picture, or an array.")
    levels = np.asarray(picture).astype(np.int64)[None]
    if levels.max() >= image.levels:
        raise DataError(f"{name} has the code {levels.max()}, and the model of {image} ends at {image.levels - 1}.")
    return levels
