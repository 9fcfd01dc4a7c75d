"""Read images from folders, maps, arrays, Parquet files, hub data sets, torch data sets and built-in names."""

from pointillist.files.lazy import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
