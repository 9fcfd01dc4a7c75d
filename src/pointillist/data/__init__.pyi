from pointillist.data.dataset import Batch, ImageDataset
from pointillist.data.load import DataSplits, builtin_names, load_data
from pointillist.data.options import DataOptions, parse_size
from pointillist.data.raw import Annotations
from pointillist.data.tilemaps import MapFiles, Tileset

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
