"""Open picture files of strangers: of the formats listed here, within a number of pixels, and never a pipe or device.

Every reader of pictures opens them here, so that Pillow tries no other format. It guesses the format from the content,
whatever the name, and its reader of EPS would run Ghostscript.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from pointillist.errors import DataError
from pointillist.files.reading import check_file
from pointillist.images import SHEET
from pointillist.images.pictures import to_8_bit

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
) -> Image.Image:
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
        DataError: if it cannot be read, or has too many pixels.
    """
    with opened_picture(path, name, remedy) as picture:
        check_pixels(picture, name)
        return to_8_bit(upright(picture)).copy()


def check_pixels(picture: Image.Image, name: str) -> None:
    """Reject pixels that are neither 8- nor 16-bit integers, such as floats.

    Raises:
        DataError: naming their kind.
    """
    wide = picture.mode == "I" and picture.format not in ("PNG", "PPM")  # 32 bits: 16 are opened so of these formats
    if picture.mode not in (*GREY_MODES, *ALPHA_MODES, *COLOUR_MODES) or wide:
        raise DataError(
            f"{name} has pixels of kind {picture.mode!r}, not 8- or 16-bit grey, RGB or CMYK: save it as PNG first."
        )


@contextmanager
def opened_picture(path: Path, name: str, remedy: str = "give a PNG or another common kind") -> Iterator[Image.Image]:
    """Open a picture as it is stored; with the arguments and errors of `read_picture`."""
    try:
        with bounded(name), open_picture(path, name) as picture:
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
