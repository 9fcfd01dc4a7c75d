"""Preprocessors of hints: rules, by name, that derive a conditioning image from the image itself, in numpy."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from pointillist.errors import ConfigError, ShapeError
from pointillist.images import OPAQUE, ImageSpec, dequantise
from pointillist.images.array_types import Bool, Int, Shaped

SIDES = ("left", "right", "top", "bottom")
EDGE = 64  # of 255: two neighbours that differ by more in brightness have an edge between them
_NAMES = "lowres:N (2 or more), grey, outline, or half:left (right, top, bottom)"


@dataclass(frozen=True)
class HintPreprocessor:
    """A rule that derives a hint from an image, as a fixed function of its levels.

    ```python
    hint = HintPreprocessor.parse("lowres:2")
    hint.factor  # 2
    ```

    Attributes:
        kind: `lowres` (means of N x N blocks, or their first pixel where levels are names, on the full grid), `grey`
            (brightness), `outline` (where the figure, or a region of like brightness, ends), `half` (one half of it).
        factor: of `lowres`.
        side: of `half`, the side that is known.
    """

    kind: str
    factor: int = 1
    side: str = "left"

    @classmethod
    def parse(cls, text: str) -> HintPreprocessor:
        """Parse `lowres:2`, `grey`, `outline`, `half:left` and so on.

        Raises:
            ConfigError: if it is none of them.
        """
        kind, _, rest = text.partition(":")
        if kind == "lowres" and re.fullmatch("[1-9][0-9]{0,3}", rest) and int(rest) > 1:
            return cls(kind, factor=int(rest))
        if kind == "half" and rest in SIDES:
            return cls(kind, side=rest)
        if kind in ("grey", "outline") and not rest:
            return cls(kind)
        raise ConfigError(f"`hint` (={text!r}) must be {_NAMES}.")

    def __str__(self) -> str:
        return {"lowres": f"lowres:{self.factor}", "half": f"half:{self.side}"}.get(self.kind, self.kind)

    def image_of(self, image: ImageSpec) -> ImageSpec:
        """Describe the integers of the hint.

        Raises:
            ConfigError: if it cannot be made of such images.
        """
        if self.kind in ("grey", "outline"):
            if image.mode == "codes" or (self.kind == "grey" and image.mode == "grey"):
                raise ConfigError(f"`hint` (={self.kind!r}) cannot be made of {image.mode} images: choose another.")
            levels = 2 if self.kind == "outline" else 256 if image.mode == "palette" else image.levels
            return ImageSpec(channels=1, height=image.height, width=image.width, levels=levels, mode="grey")
        return image

    def of(self, x: Int[np.ndarray, "b c h w"], image: ImageSpec) -> Int[np.ndarray, "b d h w"]:
        """Derive the hint of images, on their grid."""
        if self.kind == "lowres":
            return self.enlarged(_shrunk(x, self.factor, image.ordered), (x.shape[2], x.shape[3]))
        if self.kind == "grey":
            scale = self.image_of(image).levels - 1
            return ((brightness(x, image) * scale * 2 + 255) // 510)[:, None]
        return outline(x, image)[:, None].astype(np.int64) if self.kind == "outline" else x

    def enlarged(self, small: Shaped[np.ndarray, "b c h w"], size: tuple[int, int]) -> Shaped[np.ndarray, "b c h2 w2"]:
        """Enlarge a small image of `lowres` to the full grid; one of that size stays as it is.

        Raises:
            ShapeError: for any other size.
        """
        if self.kind != "lowres" or tuple(small.shape[2:]) == size:
            return small
        wanted = tuple(-(-n // self.factor) for n in size)
        if tuple(small.shape[2:]) != wanted:
            raise ShapeError(
                f"`hint` of {small.shape[2]}x{small.shape[3]} must be {wanted[0]}x{wanted[1]}, or {size[0]}x{size[1]} "
                "already enlarged."
            )
        rows, columns = (np.arange(n) // self.factor for n in size)
        return small[:, :, rows][:, :, :, columns]

    def known(self, height: int, width: int) -> Bool[np.ndarray, "h w"]:
        """Mask of known pixels: all, or one half of the image (the smaller half, where a side is odd)."""
        if self.kind != "half":
            return np.ones((height, width), bool)
        known = np.zeros((height, width), bool)
        rows = {"top": slice(0, height // 2), "bottom": slice(height - height // 2, height)}
        columns = {"left": slice(0, width // 2), "right": slice(width - width // 2, width)}
        known[rows.get(self.side, slice(None)), columns.get(self.side, slice(None))] = True
        return known


def _shrunk(x: Int[np.ndarray, "b c h w"], factor: int, ordered: bool) -> Int[np.ndarray, "b c h2 w2"]:
    """Means of blocks, rounded half up; blocks at the far sides may be smaller. Names: the first of each block."""
    if not ordered:
        return x[:, :, ::factor, ::factor]
    totals, counts = x.astype(np.int64), np.ones(x.shape[2:], np.int64)
    for axis in (-2, -1):
        starts = np.arange(0, x.shape[axis], factor)
        totals, counts = np.add.reduceat(totals, starts, axis), np.add.reduceat(counts, starts, axis)
    return (2 * totals + counts) // (2 * counts)


def _colours(x: Int[np.ndarray, "b c h w"], image: ImageSpec) -> Int[np.ndarray, "b e h w"]:
    """8-bit values of each channel; a palette index gives RGBA."""
    if image.mode == "palette":
        palette = np.asarray(image.palette, np.int64)
        return np.moveaxis(palette[x[:, 0]], -1, 1)
    return dequantise(x, image.levels).astype(np.int64)


def brightness(x: Int[np.ndarray, "b c h w"], image: ImageSpec) -> Int[np.ndarray, "b h w"]:
    """Brightness from 0 to 255: BT.601 luma, (299 R + 587 G + 114 B) / 1000 in integers; transparent is black."""
    colours = _colours(x, image)
    if colours.shape[1] < 3:
        return colours[:, 0]
    luma = (299 * colours[:, 0] + 587 * colours[:, 1] + 114 * colours[:, 2] + 500) // 1000
    return luma if colours.shape[1] == 3 else np.where(colours[:, 3] < OPAQUE, 0, luma)


def outline(x: Int[np.ndarray, "b c h w"], image: ImageSpec) -> Bool[np.ndarray, "b h w"]:
    """Mask of pixels at an edge.

    In an image with transparent sites: opaque ones that touch a transparent one, or the border of the image, on one of
    four sides. In others: sites much brighter or darker than the one below or to the right (`EDGE`).
    """
    luma, colours = brightness(x, image), _colours(x, image)
    edges = np.zeros(luma.shape, bool)
    edges[:, :-1] |= np.abs(luma[:, 1:] - luma[:, :-1]) > EDGE
    edges[:, :, :-1] |= np.abs(luma[:, :, 1:] - luma[:, :, :-1]) > EDGE
    if colours.shape[1] < 4:
        return edges
    solid = colours[:, 3] >= OPAQUE
    around = np.pad(solid, ((0, 0), (1, 1), (1, 1)))
    inside = around[:, :-2, 1:-1] & around[:, 2:, 1:-1] & around[:, 1:-1, :-2] & around[:, 1:-1, 2:]
    full = np.all(solid, axis=(1, 2), keepdims=True)
    return np.where(full, edges, solid & ~inside)
