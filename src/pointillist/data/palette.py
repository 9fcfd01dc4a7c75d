"""Learn palettes from images, read them from files, and apply them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pointillist.data.pixels import BROKEN, bounded, describe_damage, open_picture
from pointillist.errors import ConfigError, DataError
from pointillist.files.reading import read_text
from pointillist.images import OPAQUE, nearest_colour

Palette = tuple[tuple[int, int, int, int], ...]
_SAMPLE = 2_000_000  # pixels from which colours are learned, taken from evenly spaced images
_ITERATIONS = 12


def learn_palette(rgba: np.ndarray, colours: int | None) -> tuple[Palette, str]:
    """Learn a palette of at most `colours` colours from 8-bit images `n 4 h w`.

    Up to `colours` distinct colours are kept exactly. Pixels of alpha below 128 share one transparent entry, index 0.
    Otherwise Pillow's median cut is refined by k-means on the distinct colours, weighted by their counts
    (decision 0041).

    Returns:
        The palette, and a note on how it was found.

    Raises:
        DataError: if `colours` is None and there are more than 256.
    """
    limit = 256 if colours is None else colours
    clear = bool((rgba[:, 3] < OPAQUE).any())
    entries: list[tuple[int, int, int, int]] = [(0, 0, 0, 0)] if clear else []
    few = _few_colours(rgba, limit - clear)
    if few is not None:
        entries += [(int(r), int(g), int(b), 255) for r, g, b in few]
        entries += [(0, 0, 0, 255)] * (2 - len(entries))  # a palette has at least two
        return tuple(entries), f"palette of all {len(few) + clear} colours, exact"
    if colours is None:
        raise DataError(
            "The images have more than the 256 colours of a palette: learn fewer, for example with `palette` 64."
        )
    solid, counts = _sampled_colours(rgba)
    centres = _k_means(solid, counts, _median_cut(solid, counts, limit - clear))
    entries += [(int(r), int(g), int(b), 255) for r, g, b in centres]
    error = float((counts * _squared_distance(solid, centres).min(1)).sum() / counts.sum() / 3)
    psnr = 10 * np.log10(255**2 / max(error, 1e-9))
    return tuple(entries), f"palette of {len(entries)} colours learned from the training images ({psnr:.1f} dB)"


def apply_palette(rgba: np.ndarray, palette: Palette) -> np.ndarray:
    """Map 8-bit images `n 4 h w` to indexes `n 1 h w` of the nearest colours (`images.nearest_colour`)."""
    out = np.empty((len(rgba), 1, *rgba.shape[2:]), np.uint8)
    for start in range(0, len(rgba), 256):
        packed, inverse = np.unique(_packed(rgba[start : start + 256]), return_inverse=True)
        index = nearest_colour(_unpacked(packed), palette).astype(np.uint8)
        out[start : start + 256, 0] = index[inverse.reshape(-1)].reshape(out[start : start + 256, 0].shape)
    return out


def read_palette(path: str | Path) -> Palette:
    """Colours of an indexed PNG or GIF, a GIMP `.gpl`, or a list of `#rrggbb[aa]` (`.hex`, `.txt`).

    Raises:
        DataError: if the file cannot be read, or holds fewer than 2 or more than 256 colours.
    """
    path = Path(path)
    try:
        if path.suffix.lower() in (".gpl", ".hex", ".txt", ".pal"):
            result: Sequence[Sequence[int]] | np.ndarray = _parse_text(path)
        else:
            result = _from_image(path)
    except BROKEN as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"The palette {path} cannot be read ({describe_damage(error)}): give an indexed PNG or a list of #rrggbb."
        ) from error
    return check_palette(result, str(path))


def check_palette(colours: Sequence[Sequence[int]] | np.ndarray, name: str) -> Palette:
    """Convert rows of 3 or 4 values in 0 to 255 to RGBA tuples.

    Raises:
        DataError: if they are not, or fewer than 2 or more than 256.
    """
    table = np.atleast_1d(np.asarray(colours))
    if not 2 <= len(table) <= 256:
        raise DataError(f"The palette {name} has {len(table)} colours: it must have 2 to 256.")
    columns = table.shape[1] if table.ndim == 2 and table.dtype.kind in "iu" else 0
    if columns not in (3, 4) or table.min() < 0 or table.max() > 255:
        raise DataError(f"A colour of the palette {name} is not RGB or RGBA in 0 to 255: correct it.")
    rgba = np.pad(table.astype(int), ((0, 0), (0, 4 - columns)), constant_values=255)
    return tuple((r, g, b, a) for r, g, b, a in rgba.tolist())


def with_transparent_entry(palette: Palette, entry: int) -> Palette:
    """Return the palette with one entry made transparent.

    Raises:
        ConfigError: if there is no such entry.
    """
    if not 0 <= entry < len(palette):
        raise ConfigError(
            f"`transparent_index` (={entry}) must be one of the {len(palette)} colours of the palette, from 0."
        )
    return tuple((0, 0, 0, 0) if number == entry else colour for number, colour in enumerate(palette))


def _few_colours(rgba: np.ndarray, limit: int) -> np.ndarray | None:
    """Return the distinct opaque colours `k 3` of all pixels, or None if there are more than `limit`."""
    result = np.empty(0, np.int64)
    for start in range(0, len(rgba), 256):
        colours = _unpacked(np.unique(_packed(rgba[start : start + 256])))
        result = np.union1d(result, _packed_rgb(colours[colours[:, 3] >= OPAQUE]))
        if len(result) > limit:
            return None
    return _unpacked_rgb(result)


def _sampled_colours(rgba: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count distinct opaque colours `k 3`, in evenly spaced images where there are very many pixels."""
    step = max(1, len(rgba) * rgba.shape[2] * rgba.shape[3] // _SAMPLE)
    packed, counts = np.unique(_packed(rgba[::step]), return_counts=True)
    colours = _unpacked(packed)
    opaque = colours[:, 3] >= OPAQUE
    # alpha is dropped, so colours that differ in alpha alone are merged
    solid, inverse = np.unique(_packed_rgb(colours[opaque]), return_inverse=True)
    return _unpacked_rgb(solid), np.bincount(inverse.reshape(-1), counts[opaque], minlength=len(solid))


def _packed(rgba: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.moveaxis(rgba, 1, -1)).view(np.uint32).reshape(-1)


def _unpacked(packed: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(packed).view(np.uint8).reshape(-1, 4)


def _packed_rgb(colours: np.ndarray) -> np.ndarray:
    wide = colours.astype(np.int64)
    return (wide[:, 0] << 16) | (wide[:, 1] << 8) | wide[:, 2]


def _unpacked_rgb(packed: np.ndarray) -> np.ndarray:
    return np.stack([(packed >> 16) & 255, (packed >> 8) & 255, packed & 255], -1)


def _median_cut(colours: np.ndarray, counts: np.ndarray, number: int) -> np.ndarray:
    """Initialise by Pillow's median cut; colours are repeated by the root of their count, so that rare ones matter."""
    repeats = np.maximum(1, np.sqrt(counts / counts.min())).astype(int).clip(max=64)
    strip = np.repeat(colours.astype(np.uint8), repeats, axis=0)[None]
    image = Image.fromarray(strip).quantize(number, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    table = np.array(image.getpalette(), np.int64).reshape(-1, 3)
    return np.unique(table[np.unique(np.asarray(image))], axis=0)


def _k_means(colours: np.ndarray, counts: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Refine `centres` by Lloyd's algorithm; empty clusters are dropped, and equal centres merge after rounding."""
    for _ in range(_ITERATIONS):
        nearest = _squared_distance(colours, centres).argmin(1)
        weight = np.bincount(nearest, counts, minlength=len(centres))
        sums = np.stack([np.bincount(nearest, counts * colours[:, c], minlength=len(centres)) for c in range(3)], -1)
        moved = np.rint(sums[weight > 0] / weight[weight > 0, None]).astype(np.int64)
        if np.array_equal(moved, centres):
            break
        centres = moved
    return np.unique(centres, axis=0)


def _squared_distance(colours: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Compute squared RGB distances `k m` by the binomial formula, in float32 (exact: every term is below 2^24)."""
    a, b = colours.astype(np.float32), centres.astype(np.float32)
    distance: np.ndarray = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * (a @ b.T)
    return distance


def _parse_text(path: Path) -> list[tuple[int, ...]]:
    text = read_text(path)
    if path.suffix.lower() == ".gpl":
        triples = [re.match(r"\s*(\d+)\s+(\d+)\s+(\d+)", line) for line in text.splitlines()]
        return [tuple(int(v) for v in m.groups()) for m in triples if m]
    words = [line.split(";")[0].strip() for line in text.splitlines()]
    return [_from_hex(word, path) for word in words if word]


def _from_hex(word: str, path: Path) -> tuple[int, ...]:
    match = re.fullmatch(r"#?([0-9a-fA-F]{6}|[0-9a-fA-F]{8})", word.strip())
    if match is None:
        raise DataError(f"{word!r} in the palette {path} is not a colour: write #rrggbb or #rrggbbaa, one a line.")
    return tuple(bytes.fromhex(match[1].ljust(8, "f")))


def _from_image(path: Path) -> np.ndarray:
    """Read the entries of an indexed image up to the last one used, with their transparency."""
    with bounded(str(path)), open_picture(path) as image:
        if image.mode != "P":
            raise DataError(f"The palette {path} is a {image.mode} picture: it must be an indexed PNG or GIF.")
        image.load()
        used = int(np.asarray(image).max()) + 1
        image.apply_transparency()
        table = np.array(image.getpalette("RGBA"), np.int64).reshape(-1, 4)
    return table[: max(used, 2)]
