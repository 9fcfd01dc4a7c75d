"""Open picture files of strangers, and convert the channels and the size of 8-bit pixels.

Every reader of pictures opens them here: of the formats listed, within a number of pixels, never a pipe or device.
Pillow tries no other format: it guesses the format from the content, whatever the name, and its reader of EPS
would run Ghostscript.
"""

from __future__ import annotations

import io
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile, TiffImagePlugin

from pointillist import system
from pointillist.data.options import DataOptions
from pointillist.errors import ConfigError, DataError, counted
from pointillist.files.reading import check_file
from pointillist.images import SHEET
from pointillist.images.array_types import Shaped
from pointillist.images.pictures import composite_on_white, to_8_bit, to_luma

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "DIB", "TIFF", "WEBP", "PPM", "TGA", "ICO", "JPEG2000", "PCX", "AVIF")
"""Formats of Pillow that are read: pixels only, decoded without another program."""
_KINDS = "png jpg jpeg jpe jfif gif bmp dib tif tiff webp ppm pgm pbm pnm tga ico jp2 pcx avif"
EXTENSIONS = frozenset("." + kind for kind in _KINDS.split())
"""Endings of their files."""
GREY_MODES = ("1", "L", "I", "I;16", "I;16L", "I;16B", "I;16N")
ALPHA_MODES = ("LA", "La", "PA", "RGBA", "RGBa")
COLOUR_MODES = ("RGB", "RGBX", "P", "CMYK", "YCbCr", "HSV")  # Pillow does not convert CIELAB
"""Pillow's names of the kinds of pixels that are read."""
MAX_PIXELS = 64_000_000  # below Pillow's own limit: a file of 2 kB can claim to be larger than memory
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    struct.error,
    zlib.error,
    OverflowError,
    MemoryError,  # of a chunk that claims to be larger than memory
)
"""Exceptions of Pillow's decoders on damaged files."""


_EXIF_TRANSPOSES = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class PixelLimitError(DataError):
    """A picture has more pixels than are read."""


def open_picture(
    source: Path | bytes, name: str | None = None, formats: tuple[str, ...] = FORMATS, max_pixels: int = MAX_PIXELS
) -> ImageFile.ImageFile:
    """Open a picture, of which only the header is read.

    Args:
        source: the file, or its content.
        name: what it is called in messages; by default its path.
        formats: Pillow's names of the formats to accept.
        max_pixels: most pixels to accept.

    Raises:
        DataError: if it is not an ordinary file, or a sheet that this package wrote.
        PixelLimitError: if it has more than `max_pixels` pixels.
        OSError: if it is not there, or of another format.
        Exception: one of `BROKEN` if it is damaged.
    """
    called = name or str(source if isinstance(source, Path) else "The picture")
    if isinstance(source, Path):
        check_file(source, name=called)
    with bounded(called, max_pixels):
        image = Image.open(io.BytesIO(source) if isinstance(source, bytes) else source, formats=formats)
    if SHEET in image.info:
        image.close()
        raise DataError(
            f"{called} is a sheet of {image.info[SHEET]} that pointillist wrote, enlarged: give single images, such as "
            "a folder that `pointillist sample MODEL --out DIR/` writes."
        )
    if image.width * image.height > max_pixels:
        image.close()
        raise PixelLimitError(
            f"{called} claims {image.width}x{image.height} pixels, over the limit of {max_pixels:,}: shrink it first."
        )
    return image


def read_picture(path: Path, name: str, remedy: str = "give a PNG or another common kind") -> Image.Image:
    """Read the first frame of a picture, upright, with 8 bits a channel: as data sets are read.

    Args:
        name: what it is called in messages, such as "`--hint` (=a.png)".
        remedy: advice where it is not a picture.

    Raises:
        DataError: if it cannot be read, or has too many pixels, or other than integers of 8 or 16 bits.
    """
    with opened_picture(path, name, remedy) as picture:
        return to_8_bit(upright(picture)).copy()


def check_pixels(picture: Image.Image, name: str, *, as_stored: bool = False) -> None:
    """Reject pixels other than unsigned integers of 8 or 16 bits, and those that Pillow would misread.

    Args:
        as_stored: accept signed samples, and 16 bits whose 0 is white, for a caller that knows their tags.

    Raises:
        DataError: naming their kind.
    """
    signed, tile = is_signed(picture), str(getattr(picture, "tile", None))
    swapped = "libtiff" in tile and "I;16BS" in tile  # Pillow exchanges their bytes
    if signed and (not as_stored or sample_bits(picture) > 16 or swapped):
        raise DataError(f"{name} has signed integers: give them as an array, `.npy`.")
    if not as_stored and is_white_zero(picture):
        raise DataError(f"{name} has 16 bits, of which 0 is white: invert it first, so that 0 is black.")
    # other formats open 32 bits so
    wide = picture.mode == "I" and picture.format not in ("PNG", "PPM") and not signed
    if picture.mode not in (*GREY_MODES, *ALPHA_MODES, *COLOUR_MODES) or wide:
        raise DataError(
            f"{name} has pixels of kind {picture.mode!r}, not 8- or 16-bit grey, RGB or CMYK: save it as PNG first."
        )


def is_signed(picture: Image.Image) -> bool:
    """Return True for signed samples of TIFF or JPEG 2000, which Pillow may open as unsigned."""
    return 2 in np.atleast_1d(getattr(picture, "tag_v2", {}).get(TiffImagePlugin.SAMPLEFORMAT, 1)) or (
        sample_bits(picture) > 128
    )


def is_white_zero(picture: Image.Image) -> bool:
    """Return True for a TIFF file of 16 bits whose 0 is white; of 8 bits, Pillow inverts it."""
    tags = getattr(picture, "tag_v2", {})
    return picture.mode.startswith("I") and tags.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0


_DEPTHS = {"JPEG2000": (b"\xff\x4f\xff\x51", 38, 1), "AVIF": (b"pixi", 5, 0)}
"""Marker and offset of the bits of the first channel, and what is missing: of SIZ the highest bit is the sign."""


def sample_bits(picture: Image.Image) -> int:
    """Return the bits of a sample that TIFF, JPEG 2000 (128 more if signed) or AVIF declares; 8 for others."""
    bits = np.atleast_1d(getattr(picture, "tag_v2", {}).get(TiffImagePlugin.BITSPERSAMPLE, 8))
    file = getattr(picture, "fp", None)
    if picture.format in _DEPTHS and file is not None:
        marker, offset, less = _DEPTHS[picture.format]
        file.seek(0)
        rest = file.read(1 << 16).partition(marker)[2][offset : offset + 1]
        bits = np.array([byte + less for byte in rest])
    return int(bits.max(initial=1))


def is_reduced(picture: Image.Image) -> bool:
    """Return True for colour of more than 8 bits a channel, which Pillow opens with 8; to ask before it is decoded."""
    modes = str([tile[3] for tile in getattr(picture, "tile", None) or []])
    deep = ";16" in modes or (most_of(picture) or 0) > 255 or sample_bits(picture) > 8
    return deep and not picture.mode.startswith("I")


def read_deep(path: Path, picture: ImageFile.ImageFile) -> Shaped[np.ndarray, "h w c"]:
    """Read RGB or RGBA of 16 bits a channel, uint16.

    Pillow decodes the high byte of a sample, and the low one where the file seems to have the opposite order of bytes.

    Raises:
        ValueError: for other kinds of colour.
    """
    if picture.format == "PPM" and picture.tile[0].codec_name == "ppm":
        samples = np.fromfile(path, ">u2", picture.width * picture.height * 3, offset=picture.tile[0].offset)
        return samples.reshape(picture.height, picture.width, 3).astype(np.uint16)
    clear = picture.mode != "RGBA" and picture.has_transparency_data
    opposite = {";16B": ";16L", ";16L": ";16B", ";16N": ";16B" if sys.byteorder == "little" else ";16L"}
    with open_picture(path) as other:
        for number, tile in enumerate(other.tile):
            raw, *rest = tile.args if isinstance(tile.args, tuple) else (tile.args,)
            kind, order = str(raw)[:-4], str(raw)[-4:]
            if kind != picture.mode or kind not in ("RGB", "RGBA") or order not in opposite or clear:
                raise ValueError(f"samples of kind {raw}{' with transparency' * clear}")
            raw = kind + opposite[order]
            other.tile[number] = tile._replace(args=(raw, *rest) if rest else raw)
        high, low = (np.asarray(each).astype(np.uint16) for each in (picture, other))
        return high << 8 | low


def most_of(picture: Image.Image) -> int | None:
    """Return the greatest sample that a PPM or PGM file declares, to which Pillow scales it; None where it does not."""
    tile = (getattr(picture, "tile", None) or [None])[0] if picture.format == "PPM" else None
    return int(tile[3][1]) if tile is not None and tile[0] in ("ppm", "ppm_plain") else None


@contextmanager
def opened_picture(
    path: Path, name: str, remedy: str = "give a PNG or another common kind", *, as_stored: bool = False
) -> Iterator[ImageFile.ImageFile]:
    """Open a picture as it is stored; with the arguments and errors of `read_picture` and `check_pixels`."""
    try:
        with bounded(name), open_picture(path, name) as picture:
            check_pixels(picture, name, as_stored=as_stored)
            yield picture
    except DataError:
        raise
    except BROKEN as error:
        raise DataError(f"{name} cannot be read as an image ({describe_damage(error)}): {remedy}.") from error


def upright(picture: Image.Image) -> Image.Image:
    """Decode the first frame of an open picture, turned as its EXIF data say."""
    transpose = _EXIF_TRANSPOSES.get(orientation(picture))
    picture.load()
    return picture if transpose is None else picture.transpose(transpose)


def orientation(image: Image.Image) -> int:
    """Return the EXIF orientation, 1 to 8.

    Pillow rotates TIFF by itself, and would decode a whole PNG to look for a late tag.
    """
    if image.format not in ("JPEG", "MPO", "WEBP", "PNG") or (image.format == "PNG" and "exif" not in image.info):
        return 1
    try:
        value = image.getexif().get(0x0112, 1)
    except BROKEN:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


@contextmanager
def bounded(name: str, max_pixels: int = MAX_PIXELS) -> Iterator[None]:
    """Turn Pillow's warnings and errors about the number of pixels into one error.

    Raises:
        PixelLimitError: naming the picture.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd metadata does not concern the user
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except (Image.DecompressionBombWarning, Image.DecompressionBombError):
            raise PixelLimitError(
                f"{name} claims too many pixels, over the limit of {max_pixels:,}: shrink it first."
            ) from None


def describe_damage(error: BaseException) -> str:
    """Word an exception of a decoder in a few words."""
    return (str(error).splitlines() or [type(error).__name__])[0][:100] or type(error).__name__


_RESIZING_BYTES = 24  # for each number of the picture that is resized: planes, their stack and roundings are floats

CHUNK = 1024  # images converted at a time, to bound the memory of the wide integers in between


def to_channels(values: np.ndarray, channels: int) -> np.ndarray:
    """Convert 8-bit images `n c h w` between 1 (grey), 3 (RGB) and 4 (RGBA) channels.

    Where the result has no alpha, images are composited on white. Grey is the ITU-R 601 luma, as Pillow computes it.
    """
    if values.shape[1] == channels:
        return values
    out = np.empty((len(values), channels, *values.shape[2:]), np.uint8)
    for start in range(0, len(values), CHUNK):
        part = values[start : start + CHUNK]
        if part.shape[1] == 4 and channels < 4:
            part = composite_on_white(part)
        if channels == 1:
            out[start : start + CHUNK] = to_luma(part) if part.shape[1] == 3 else part
        elif channels == 3:
            out[start : start + CHUNK] = part
        else:
            out[start : start + CHUNK, :3] = part
            out[start : start + CHUNK, 3] = 255
    return out


def resolve_resample(options: DataOptions) -> str:
    """Resolve `resample="auto"`: `nearest` for palettes and codes, whose levels cannot be averaged, else `area`."""
    if options.resample != "auto":
        return options.resample
    return "nearest" if options.mode in ("palette", "codes") or options.palette is not None else "area"


def check_shape_memory(name: str, shape: tuple[int, ...], item_bytes: int, *, resized: bool) -> None:
    """Check that images `n c h w` fit in the free memory, and one of them while it is resized.

    Raises:
        DataError: naming the data, and what they would take.
    """
    count, channels, height, width = shape
    needed = (count * item_bytes + resized * _RESIZING_BYTES) * channels * height * width
    what = f"{name} ({count:,} images of {height}x{width} with {counted(channels, 'channel')})"
    system.check_memory(needed, what, "choose a smaller `size` or fewer images")


def resize_image(array: np.ndarray, options: DataOptions) -> np.ndarray:
    """Resize one image `h w c` to `options.size`, by `resize_mode` and `resample`.

    Averages neither ring nor alias, and fully transparent pixels lend no colour to their neighbours.

    Args:
        array: uint8, or wider integers with `resample="nearest"`.

    Raises:
        ConfigError: if codes would be averaged.
    """
    if options.size is None or array.shape[:2] == options.size:
        return array
    height, width = options.size
    h, w = array.shape[:2]
    resample = resolve_resample(options)
    if array.dtype != np.uint8 and resample != "nearest":
        raise ConfigError(f"`resample` (={resample!r}) would average codes, whose levels have no order: use 'nearest'.")
    if options.resize_mode == "stretch":
        return _resized(array, height, width, resample)
    if options.resize_mode == "crop":
        # largest centred window of the target aspect ratio
        window_h, window_w = min(h, max(1, round(w * height / width))), min(w, max(1, round(h * width / height)))
        top, left = (h - window_h) // 2, (w - window_w) // 2
        return _resized(array[top : top + window_h, left : left + window_w], height, width, resample)
    scale = min(height / h, width / w)
    inner_h, inner_w = min(height, max(1, round(h * scale))), min(width, max(1, round(w * scale)))
    out = np.zeros((height, width, array.shape[2]), array.dtype)
    top, left = (height - inner_h) // 2, (width - inner_w) // 2
    out[top : top + inner_h, left : left + inner_w] = _resized(array, inner_h, inner_w, resample)
    return out


def _resized(array: np.ndarray, height: int, width: int, resample: str) -> np.ndarray:
    h, w, channels = array.shape
    if resample == "nearest":  # in numpy, for any integer type and channel count: the pixel under each centre
        rows = ((2 * np.arange(height) + 1) * h) // (2 * height)
        columns = ((2 * np.arange(width) + 1) * w) // (2 * width)
        picked: np.ndarray = array[rows][:, columns]
        return picked
    kernel = Image.Resampling["BOX" if resample == "area" else resample.upper()]
    if channels == 4:
        # Pillow's premultiplied mode "RGBa" keeps only 8 bits, so it loses colour where alpha is small; floats do not
        premultiplied = array.astype(np.float32)
        premultiplied[..., :3] *= premultiplied[..., 3:] / 255
        planes = _resized_planes(premultiplied, height, width, kernel)
        alpha = np.clip(planes[..., 3:], 0, 255)
        colour = np.divide(planes[..., :3] * 255, alpha, out=np.zeros_like(planes[..., :3]), where=alpha >= 0.5)
        planes = np.concatenate([colour, alpha], -1)
    else:
        planes = _resized_planes(array.astype(np.float32), height, width, kernel)
    rounded: np.ndarray = np.rint(np.clip(planes, 0, 255)).astype(np.uint8)
    return rounded


def _resized_planes(array: np.ndarray, height: int, width: int, kernel: Image.Resampling) -> np.ndarray:
    planes = [Image.fromarray(np.ascontiguousarray(array[..., c])) for c in range(array.shape[2])]
    return np.stack([np.asarray(p.resize((width, height), kernel)) for p in planes], -1)
