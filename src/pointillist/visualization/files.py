"""Encode and write PNG files."""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image

from pointillist.checkpoint.files import atomic_path


def png_bytes(image: Image.Image) -> bytes:
    """Encode an image as PNG.

    ```python
    data = png_bytes(samples.images[0])
    ```
    """
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
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
