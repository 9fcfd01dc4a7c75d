"""Read images from folders, arrays, Parquet files, hub data sets, torch data sets and built-in names."""

from pointillist.data.annotations import Annotations
from pointillist.data.dataset import Batch, ImageDataset
from pointillist.data.load import DataSplits, builtin_names, load_data
from pointillist.data.options import DataOptions, parse_size

__all__ = [
    "Annotations",
    "Batch",
    "DataOptions",
    "DataSplits",
    "ImageDataset",
    "builtin_names",
    "load_data",
    "parse_size",
]
