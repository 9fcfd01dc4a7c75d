"""Read images from folders, maps, arrays, Parquet files, hub data sets, torch data sets and built-in names."""

from pointillist.files import lazy_names

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "pointillist.data.raw": "Annotations",
        "pointillist.data.dataset": "Batch ImageDataset",
        "pointillist.data.load": "DataSplits builtin_names load_data",
        "pointillist.data.options": "DataOptions parse_size",
        "pointillist.data.tilemaps": "MapFiles Tileset",
    },
)
