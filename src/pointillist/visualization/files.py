"""Encode and write PNG files."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from pointillist.checkpoint.files import atomic_path
from pointillist.images import SHEET


def png_bytes(image: Image.Image) -> bytes:
    """Encode an image as PNG.

    ```python
    data = png_bytes(samples.images[0])
    ```
    """
    buffer, text = io.BytesIO(), PngInfo()
    if SHEET in image.info:
        text.add_text(SHEET, image.info[SHEET])
    image.save(buffer, "PNG", optimize=True, pnginfo=text)
    return buffer.getvalue()


def save_png(image: Image.Image, path: str | Path) -> Path:
    """Write a PNG file atomically.

    ```python
    save_png(image_grid(samples.array), "sheet.png")
    ```
    """
    path = Path(path)
    with atomic_path(path) as temporary:
        temporary.write_bytes(png_bytes(image))
    return path
