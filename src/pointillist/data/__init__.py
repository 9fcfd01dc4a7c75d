"""Read images from folders, maps, arrays, Parquet files, hub data sets, torch data sets and built-in names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pointillist.files.lazy import lazy_names

if TYPE_CHECKING:
    from pointillist.data.annotations import Annotations
    from pointillist.data.dataset import Batch, ImageDataset
    from pointillist.data.load import DataSplits, builtin_names, load_data
    from pointillist.data.options import DataOptions, parse_size
    from pointillist.data.tilemaps import MapFiles, Tileset

_MODULES = {
    "annotations": ("Annotations",),
    "dataset": (
        "Batch",
        "ImageDataset",
    ),
    "load": (
        "DataSplits",
        "builtin_names",
        "load_data",
    ),
    "options": (
        "DataOptions",
        "parse_size",
    ),
    "tilemaps": (
        "MapFiles",
        "Tileset",
    ),
}

__all__ = [
    "Annotations",
    "Batch",
    "DataOptions",
    "DataSplits",
    "ImageDataset",
    "MapFiles",
    "Tileset",
    "builtin_names",
    "load_data",
    "parse_size",
]

__getattr__: Callable[[str], Any] = lazy_names(__name__, _MODULES)
