"""Convert raw pixels to levels: choose the kind of image and the number of levels, and note each decision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pointillist.data.dataset import DataSource, ImageDataset
from pointillist.data.options import DataOptions
from pointillist.data.palette import Palette, apply_palette, learn_palette, read_palette, with_transparent_entry
from pointillist.data.pixels import check_shape_memory, resize_image, resolve_resample, to_channels
from pointillist.data.raw import RawImages, encode_labels
from pointillist.errors import ConfigError, DataError, counted
from pointillist.images import CHANNELS, ImageSpec, Mode, dequantise, quantise
from pointillist.images.spec import MODE_OF_CHANNELS


@dataclass(frozen=True)
class QuantisedImages:
    """Levels of images.

    Attributes:
        values: unsigned integers `n c h w` in [0, count).
        count: number of levels.
        palette: RGBA colour of each level, or None.
        notes: decisions made, one short sentence each.
    """

    values: np.ndarray
    count: int
    palette: Palette | None
    notes: tuple[str, ...]


def match_spec(options: DataOptions, spec: ImageSpec | None) -> DataOptions:
    """Return `options` with the mode, levels and order of a model's `spec`; unchanged if `spec` is None."""
    if spec is None:
        return options
    kind = {"mode": spec.mode, "ordered": spec.ordered, "palette": None, "levels": spec.levels}
    return options.changed(**kind, level_names=spec.level_names)


def build_dataset(
    raw: RawImages,
    options: DataOptions,
    *,
    spec: ImageSpec | None = None,
    classes: Sequence[str] = (),
    train: np.ndarray | None = None,
) -> ImageDataset:
    """Build the data set of all images of `raw`.

    Args:
        spec: kind of image (of any size) that takes precedence over `options`.
        classes: names that number the labels.
        train: `bool [n]`, the images from which a palette may be learned.

    Raises:
        DataError, ConfigError: if the images contradict the options or `spec`.
    """
    options = match_spec(options, spec)
    mode = _mode(raw, options)
    if options.binarise != "none" and mode not in ("grey", "rgb", "rgba"):
        raise ConfigError(
            f"`binarise` (={options.binarise!r}) needs grey or RGB intensities, and {raw.name} holds {mode}."
        )
    raw = _resized(raw, options)
    if mode == "palette":
        levels = _as_palette(raw, options, spec, train)
    elif mode == "codes":
        levels = _as_codes(raw, options, spec)
    else:
        levels = _as_picture(raw, options, CHANNELS[mode], spec)
    labels, names = _numbered(raw, tuple(classes)) if options.labels else (None, ())
    result = _spec_of(levels, mode, options.ordered, raw.level_names if spec is None else spec.level_names)
    return ImageDataset(
        levels.values,
        result if spec is None else result.model_copy(update={"min_is_white": spec.min_is_white}),
        labels=labels,
        texts=raw.texts,
        classes=names,
        annotations=raw.annotations,
        binarise=options.binarise,
        source=DataSource(raw.name, (*raw.notes, *levels.notes), raw.files, raw.tileset, raw.skipped),
    )


def _spec_of(levels: QuantisedImages, mode: Mode, ordered: bool | None, names: tuple[str, ...] | None) -> ImageSpec:
    if mode == "palette" and ordered:
        raise ConfigError("`ordered` (=True) contradicts a palette, whose levels have no order: leave it out.")
    _, channels, height, width = levels.values.shape
    return ImageSpec(
        channels=channels,
        height=height,
        width=width,
        levels=levels.count,
        ordered=mode in MODE_OF_CHANNELS.values() if ordered is None else ordered,
        mode=mode,
        palette=levels.palette,
        level_names=names if mode == "codes" else None,
    )


def _mode(raw: RawImages, options: DataOptions) -> Mode:
    if options.palette is not None or raw.palette is not None:
        return "palette"
    if options.mode != "auto":
        return options.mode
    if raw.kind == "levels" or raw.level_names is not None or raw.values.dtype not in (np.uint8, np.bool_):
        return "codes"
    channels = raw.values.shape[1]
    if channels == 4 and raw.kind == "pictures" and bool((raw.values[:, 3] == 255).all()):
        return "rgb"  # a constant alpha would only flatter the bits per dimension
    return MODE_OF_CHANNELS.get(channels, "codes")


def _resized(raw: RawImages, options: DataOptions) -> RawImages:
    """Resize `raw` to `options.size`; files were resized when they were decoded."""
    if options.size is None or raw.values.shape[2:] == options.size:
        return raw
    if options.resize_mode == "require":
        h, w = raw.values.shape[2:]
        raise DataError(
            f"The images of {raw.name} are {h}x{w}, not `size` {options.size}: "
            "choose `resize_mode` crop, pad or stretch."
        )
    as_integers = raw.kind != "pictures" and _holds_levels(raw, options)
    chosen = options.changed(resample="nearest") if as_integers and options.resample == "auto" else options
    if as_integers and resolve_resample(chosen) != "nearest":
        raise ConfigError(f"`resample` (={chosen.resample!r}) would average the levels of {raw.name}: use 'nearest'.")
    check_shape_memory(raw.name, (*raw.values.shape[:2], *options.size), 2 * raw.values.itemsize, resized=True)
    values = np.stack([resize_image(v.transpose(1, 2, 0), chosen).transpose(2, 0, 1) for v in raw.values])
    note = f"images resized to {options.size[0]}x{options.size[1]} ({options.resize_mode}, {resolve_resample(chosen)})"
    return replace(raw, values=values, notes=(*raw.notes, note))


def _holds_levels(raw: RawImages, options: DataOptions) -> bool:
    """Return True if the integers are levels, to be kept unchanged, rather than 8-bit pictures."""
    if raw.kind != "integers" or options.values != "auto":
        return raw.kind == "levels" or options.values == "levels"
    if raw.values.dtype == np.bool_ or raw.values.dtype != np.uint8 or options.mode == "codes":
        return True
    if raw.levels is not None or (options.mode == "palette" and raw.values.shape[1] == 1 and options.palette is None):
        return True
    top = int(raw.values.max())
    wanted = None if options.binarise != "none" else options.levels
    return top <= 1 if wanted is None else top < wanted


def _as_codes(raw: RawImages, options: DataOptions, spec: ImageSpec | None) -> QuantisedImages:
    if raw.kind == "pictures" and raw.levels is None:
        raise DataError(
            f"{raw.name} holds pictures: codes are read from integer arrays, or from files with `mode` 'codes'."
        )
    count = options.levels or raw.levels or len(raw.level_names or ()) or max(2, int(raw.values.max()) + 1)
    note = f"{count:,} levels, kept unchanged"
    if raw.kind == "integers" and options.mode == "auto" and raw.level_names is None:
        note += "; read as codes, pass `mode` grey or rgb if they are a picture"
    return QuantisedImages(_checked(raw, count, spec), count, None, (note,))


def _as_palette(
    raw: RawImages, options: DataOptions, spec: ImageSpec | None, train: np.ndarray | None
) -> QuantisedImages:
    """Keep indexes that come with a palette; map pictures to the nearest colour otherwise."""
    palette = raw.palette or (spec.palette if spec else None)
    notes: tuple[str, ...] = ()
    if isinstance(options.palette, str) and raw.palette is None:
        palette = read_palette(options.palette)
    if palette is not None and options.transparent_index is not None:
        palette = with_transparent_entry(palette, options.transparent_index)
    indexed = raw.values.shape[1] == 1 and raw.kind != "pictures" and options.values != "pictures"
    if palette is not None and indexed:
        return QuantisedImages(
            _checked(raw, len(palette), spec),
            len(palette),
            palette,
            (f"indexes into a palette of {len(palette)} colours",),
        )
    if raw.values.dtype != np.uint8 or raw.values.shape[1] not in (1, 3, 4):
        raise DataError(
            f"{raw.name} holds indexes without colours: give the palette as a file or as a member of the archive."
        )
    rgba = to_channels(raw.values, 4)
    if palette is None:
        colours = options.palette if isinstance(options.palette, int) else None
        palette, note = learn_palette(rgba if train is None else rgba[train], colours)
        notes = (note,)
    if options.levels not in (None, len(palette)):
        raise ConfigError(
            f"`levels` (={options.levels}) differs from the {len(palette)} colours of the palette: leave it out."
        )
    return QuantisedImages(apply_palette(rgba, palette), len(palette), palette, notes)


def _as_picture(raw: RawImages, options: DataOptions, channels: int, spec: ImageSpec | None) -> QuantisedImages:
    if not raw.values.size:
        height, width = raw.values.shape[-2:]
        raise DataError(f"{raw.name} holds pictures of {height}x{width} pixels: a picture needs one at least.")
    as_levels = _holds_levels(raw, options)
    if as_levels and options.values == "auto" and raw.kind == "integers" and options.levels == 256:
        as_levels = raw.values.shape[1] == channels  # else they are the colours of 8-bit pictures, to be converted
    if as_levels:
        result = _unchanged_levels(raw, options, channels, spec)
    else:
        result = _quantised(raw, options, channels, spec is not None and spec.min_is_white)
    return result if options.binarise == "none" else _binarised(result, options)


def _unchanged_levels(raw: RawImages, options: DataOptions, channels: int, spec: ImageSpec | None) -> QuantisedImages:
    if raw.values.shape[1] != channels:
        raise DataError(
            f"{raw.name} has levels with {counted(raw.values.shape[1], 'channel')}, which are kept "
            f"unchanged: `mode` {options.mode!r} cannot convert them, so choose another."
        )
    wanted = None if options.binarise != "none" else options.levels
    count = wanted or raw.levels or max(2, int(raw.values.max()) + 1)
    return QuantisedImages(_checked(raw, count, spec), count, None, (f"{count} levels, kept unchanged",))


def _quantised(raw: RawImages, options: DataOptions, channels: int, min_is_white: bool) -> QuantisedImages:
    values = raw.values
    low, top = int(values.min()), int(values.max())
    if values.dtype != np.uint8:
        if low < 0 or top > 255:
            raise DataError(
                f"{raw.name} has values from {low} to {top}: pictures have 0 to 255, so pass `values='levels'`."
            )
        values = values.astype(np.uint8)
    if values.shape[1] not in (1, 3, 4):
        raise DataError(
            f"{raw.name} has {values.shape[1]} channels: pictures have 1, 3 or 4, so read it with `mode` 'codes'."
        )
    notes: tuple[str, ...] = ()
    if values.shape[1] == 4 and channels < 4 and bool((values[:, 3] < 255).any()):
        notes += ("transparency composited on white",)
    values = to_channels(values, channels)
    if channels == 4:
        values = np.where(values[:, 3:] == 0, np.uint8(0), values)  # so that equal images have equal levels
    if min_is_white:
        values = 255 - values
    binary = raw.levels == 2 and channels == raw.values.shape[1]  # files with one bit a pixel
    count = (None if options.binarise != "none" else options.levels) or (2 if binary else 256)
    if count > 256:
        raise ConfigError(
            f"`levels` (={count}) must be at most 256 for the 8-bit pictures of {raw.name}: choose fewer."
        )
    if count < 256:
        values = quantise(np.arange(256, dtype=np.uint8), count)[values]
        notes += (f"8-bit values quantised to {count} levels",)
    elif raw.kind == "integers" and top < 64:
        notes += (
            f"read as 8-bit pictures though no value exceeds {top}: if these are levels, pass `levels` {top + 1}",
        )
    return QuantisedImages(values, count, None, notes)


def _binarised(images: QuantisedImages, options: DataOptions) -> QuantisedImages:
    """Binarise by a threshold, or keep intensities from which batches draw."""
    if images.count > 256:
        raise ConfigError(f"`binarise` (={options.binarise!r}) needs 8-bit intensities, not {images.count:,} levels.")
    intensities = dequantise(np.arange(images.count), images.count)
    notes = tuple(n for n in images.notes if "kept unchanged" not in n)
    if options.binarise == "static":
        note = f"static binarisation at {options.threshold}"
        return QuantisedImages(
            (intensities >= options.threshold).astype(np.uint8)[images.values], 2, None, (*notes, note)
        )
    note = "dynamic binarisation, drawn afresh for each seed"
    return QuantisedImages(intensities[images.values], 2, None, (*notes, note))


def _checked(raw: RawImages, count: int, spec: ImageSpec | None) -> np.ndarray:
    """Convert the integers of `raw`, which must lie in [0, count), to the smallest unsigned type.

    The levels are the levels of a model, which has images of `spec`; or `spec` is None, and the options choose them.
    """
    low, top = int(raw.values.min()), int(raw.values.max())
    if low < 0 or top >= count:
        if low < 0:
            remedy = "shift the values to start at 0."
        elif spec is None:
            remedy = f"pass `levels` {top + 1} or more, or another `mode`."
        else:
            pictures = ", or set `values='pictures'` for 8-bit ones" if spec.mode in CHANNELS and top < 256 else ""
            remedy = f"give images of the {count:,} levels of the model{pictures}."
        raise DataError(
            f"{raw.name} has the value {low if low < 0 else top}, outside the levels [0, {count:,}): {remedy}"
        )
    if count > 65_536:
        raise DataError(f"{raw.name} has {count:,} levels, more than 65,536: code the values in fewer.")
    return raw.values.astype(np.uint8 if count <= 256 else np.uint16, copy=False)


def _numbered(raw: RawImages, classes: tuple[str, ...]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    """Number labels by `classes` where given, else by the class names of the source."""
    if raw.labels is None:
        return None, ()
    if not classes or not raw.classes or raw.labels.dtype.kind == "U":
        return encode_labels(raw.labels, classes or raw.classes, raw.name)
    numbers, names = encode_labels(raw.labels, raw.classes, raw.name)
    return encode_labels(np.array(names)[numbers], classes, raw.name)
