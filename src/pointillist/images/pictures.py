"""Pillow's pictures as arrays, levels and back: quantisation, palettes, transparency; PNG of 16 bits; tiles; sums."""

from __future__ import annotations

import io
import math
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from pointillist.images.array_types import Float, Shaped

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
OPAQUE = 128  # an alpha below this is "transparent" in a palette image


PNG = b"\x89PNG\r\n\x1a\n"
"""First bytes of a PNG file."""


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """Encode a chunk of a PNG file (ISO/IEC 15948)."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def quantise(values: np.ndarray, levels: int) -> np.ndarray:
    """Quantise 8-bit values to levels: `v >> (8 - bits)` for powers of two, `round(v (L-1) / 255)` otherwise."""
    if values.dtype == np.uint8 and values.size > 256:  # by a table: no copy in wider numbers
        table: np.ndarray = quantise(np.arange(256, dtype=np.uint8), levels)[values]
        return table
    if levels & (levels - 1) == 0:
        return (values >> (8 - (levels.bit_length() - 1))).astype(np.uint8)
    # round half up in integers: no level depends on the platform's floating point
    return ((values.astype(np.int64) * (levels - 1) * 2 + 255) // 510).astype(np.uint8)


def dequantise(x: np.ndarray, levels: int) -> np.ndarray:
    """Convert levels to 8-bit values, `round(255 l / (L-1))`; `quantise` inverts it."""
    if x.dtype == np.uint8 and x.size > 256:
        table: np.ndarray = dequantise(np.arange(256, dtype=np.uint8), levels)[x]
        return table
    return ((x.astype(np.int64) * 510 + (levels - 1)) // (2 * (levels - 1))).astype(np.uint8)


def nearest_colour(rgba: np.ndarray, palette: Sequence[Sequence[int]]) -> np.ndarray:
    """Find the nearest palette colour (squared RGB distance); transparent pixels take the transparent entry.

    Args:
        rgba: uint8 pixels `... 4`.
        palette: RGBA colours.

    Returns:
        Indices into the palette, `...`.
    """
    table = np.asarray(palette, np.int64)
    clear = np.flatnonzero(table[:, 3] < OPAQUE)
    solid = np.flatnonzero(table[:, 3] >= OPAQUE)
    colours, inverse = np.unique(rgba.reshape(-1, 4), axis=0, return_inverse=True)
    index = np.empty(len(colours), np.int64)
    for start in range(0, len(colours), 4096):
        part = colours[start : start + 4096].astype(np.int64)
        distance = ((part[:, None, :3] - table[None, solid, :3]) ** 2).sum(-1) if len(solid) else None
        best = solid[distance.argmin(1)] if distance is not None else np.full(len(part), clear[0])
        if len(clear):
            best = np.where(part[:, 3] < OPAQUE, clear[0], best)
        index[start : start + 4096] = best
    return index[inverse.reshape(-1)].reshape(rgba.shape[:-1])


def clean_alpha(rgba: np.ndarray) -> np.ndarray:
    """Set the colour of fully transparent pixels to zero, so that a picture has only one encoding."""
    return np.where(rgba[..., 3:] == 0, np.uint8(0), rgba)


def as_pil(array: np.ndarray) -> Image.Image:
    """Convert a picture `h w c`, uint8 or uint16, to PIL; without 3 or 4 channels, show the first one."""
    return Image.fromarray(array if array.shape[-1] in (3, 4) else np.ascontiguousarray(array[..., 0]))


def picture_array(picture: Image.Image, channels: int) -> np.ndarray:
    """Convert a picture of any mode to uint8 `h w c` with 1 (grey), 3 (RGB) or 4 (RGBA) channels.

    Where the result has no alpha, transparency is composited on white.
    """
    picture = to_8_bit(picture)
    if channels < 4 and picture.has_transparency_data:
        rgba = np.asarray(picture.convert("RGBA")).transpose(2, 0, 1)[None]
        opaque = composite_on_white(rgba) if channels == 3 else to_luma(composite_on_white(rgba))
        channels_last: np.ndarray = opaque[0].transpose(1, 2, 0)
        return channels_last
    array: np.ndarray = np.asarray(picture.convert(_MODES[channels]))
    return array[..., None] if channels == 1 else array


def to_8_bit(picture: Image.Image) -> Image.Image:
    """Reduce a 16-bit grey picture to 8 bits, to the nearest value; return others as they are."""
    if not picture.mode.startswith("I"):
        return picture
    # 65,535 = 255 x 257
    return Image.fromarray(((np.asarray(picture).astype(np.int64) + 128) // 257).clip(0, 255).astype(np.uint8))


def composite_on_white(rgba: np.ndarray) -> np.ndarray:
    """Composite RGBA `n 4 h w` on white, as RGB `n 3 h w`."""
    alpha = rgba[:, 3:].astype(np.uint32)
    return ((rgba[:, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def to_luma(rgb: np.ndarray) -> np.ndarray:
    """Convert RGB `n 3 h w` to grey `n 1 h w`: weights 0.299, 0.587, 0.114 in 16-bit fixed point."""
    red, green, blue = (rgb[:, i].astype(np.uint32) for i in range(3))
    return ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).astype(np.uint8)[:, None]


def read_chunks(path: Path) -> dict[str, bytes]:
    """Return the chunks of a PNG before its pixels."""
    chunks = {}
    with path.open("rb") as file:
        file.seek(len(PNG))
        while (head := file.read(8))[4:] not in (b"IDAT", b"IEND", b""):
            chunks[head[4:].decode("latin-1")] = file.read(int.from_bytes(head[:4]))
            file.seek(4, io.SEEK_CUR)
    return chunks


def deep_png(samples: Shaped[np.ndarray, "h w c"]) -> bytes:
    """Encode RGB or RGBA of 16 bits a channel, which Pillow does not, each row less the one above (PNG, filter 2)."""
    height, width, channels = samples.shape
    rows = samples.astype(">u2").reshape(height, -1).view(np.uint8)
    lines = np.pad(np.diff(rows, axis=0, prepend=np.uint8(0)), ((0, 0), (1, 0)), constant_values=2)
    header = struct.pack(">IIBBBBB", width, height, 16, 2 if channels == 3 else 6, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines.tobytes(), 9)), (b"IEND", b""))
    return PNG + b"".join(png_chunk(kind, content) for kind, content in parts)


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
        return self.grid[0] * self.grid[1]

    def split(self, x: np.ndarray) -> np.ndarray:
        """Cut pictures `[n, c, h, w]` into tiles `[n * count, c, th, tw]`; what lies beyond them is 0."""
        (rows, columns), (th, tw), (n, c) = self.grid, self.tile, x.shape[:2]
        padded = np.zeros((n, c, rows * th, columns * tw), x.dtype)
        padded[:, :, : self.height, : self.width] = x
        cut = padded.reshape(n, c, rows, th, columns, tw).transpose(0, 2, 4, 1, 3, 5)
        return cut.reshape(n * rows * columns, c, th, tw)

    def join(self, tiles: np.ndarray) -> np.ndarray:
        """Undo `split`."""
        (rows, columns), (th, tw), c = self.grid, self.tile, tiles.shape[1]
        whole = tiles.reshape(-1, rows, columns, c, th, tw).transpose(0, 3, 1, 4, 2, 5)
        return whole.reshape(len(whole), c, rows * th, columns * tw)[:, :, : self.height, : self.width]

    def inside(self) -> np.ndarray:
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


def sum_images(values: Float[np.ndarray, "n ..."]) -> Float[np.ndarray, " n"]:
    """Add the numbers of each image, `[n, ...]` to `[n]`, and round once: the same bits in any order of them.

    ```python
    sum_images(np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]))  # twice the same
    ```
    """
    rest = np.asarray(values, np.float64).reshape(len(values), -1)
    parts, spread = list[np.ndarray](), 2.0 ** (rest.shape[1].bit_length() + 1)
    # Rump et al. 2008, accurate summation: multiples of one unit, so few bits that they add up without rounding
    while 0 < (largest := np.abs(rest).max(initial=0.0)) < 2.0**900:
        unit = spread * 2.0 ** math.frexp(largest)[1]
        high = (rest + unit) - unit
        parts.append(high.sum(1))
        rest = rest - high  # 0 in the end, unless a number is infinite
    return np.array([math.fsum(image) for image in np.stack([*parts, rest.sum(1)], 1).tolist()])
