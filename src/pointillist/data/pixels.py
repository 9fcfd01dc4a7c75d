"""Convert the channels and the size of 8-bit pixel arrays."""

from __future__ import annotations

import numpy as np
from PIL import Image

from pointillist import system
from pointillist.data.options import DataOptions
from pointillist.errors import ConfigError, counted
from pointillist.images.pictures import composite_on_white, to_luma

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
