"""Numbers, images and names as text for people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pointillist.errors import counted


def size_text(count: int) -> str:
    """Format a number of bytes."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{count} bytes" if unit == "bytes" else f"{size:.1f} {unit}"


def shape_text(image: Any) -> str:
    """Format a kind of image."""
    order = "ordered" if image.ordered else "unordered"
    channels = counted(image.channels, "channel")
    return f"{image.mode}, {image.height} x {image.width}, {channels}, {image.levels:,} {order} levels"


def names_text(names: Sequence[str], most: int = 20) -> str:
    """Format the number of names, and the first of them."""
    if not names:
        return "none"
    return f"{len(names)}: {', '.join(names[:most])}{', ...' if len(names) > most else ''}"
