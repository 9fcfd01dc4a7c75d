"""Grey, RGB and RGBA into each other, on 8-bit arrays with any leading axes and channels at axis 1."""

from __future__ import annotations

import numpy as np

CHUNK = 1024  # images converted at a time, to bound the memory of the wide integers in between


def to_channels(values: np.ndarray, channels: int) -> np.ndarray:
    """8-bit pictures `n c h w` with 1, 3 or 4 channels to `channels` of them.

    Transparency is laid on white where the result has none; grey is the ITU-R 601 luma, as Pillow computes it.
    """
    if values.shape[1] == channels:
        return values
    out = np.empty((len(values), channels, *values.shape[2:]), np.uint8)
    for start in range(0, len(values), CHUNK):
        part = values[start : start + CHUNK]
        if part.shape[1] == 4 and channels < 4:
            part = on_white(part)
        if channels == 1:
            out[start : start + CHUNK] = luma(part) if part.shape[1] == 3 else part
        elif channels == 3:
            out[start : start + CHUNK] = part
        else:
            out[start : start + CHUNK, :3] = part
            out[start : start + CHUNK, 3] = 255
    return out


def on_white(rgba: np.ndarray) -> np.ndarray:
    """RGBA `n 4 h w` laid on a white ground, `n 3 h w`."""
    alpha = rgba[:, 3:].astype(np.uint32)
    return ((rgba[:, :3] * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)


def luma(rgb: np.ndarray) -> np.ndarray:
    """RGB `n 3 h w` to grey `n 1 h w`; weights 0.299, 0.587, 0.114 in 16-bit fixed point."""
    red, green, blue = (rgb[:, i].astype(np.uint32) for i in range(3))
    return ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).astype(np.uint8)[:, None]


def zero_transparent(rgba: np.ndarray) -> np.ndarray:
    """RGBA `n 4 h w` with the colour of fully transparent pixels set to zero: one picture, one code."""
    return np.where(rgba[:, 3:] == 0, np.uint8(0), rgba)
