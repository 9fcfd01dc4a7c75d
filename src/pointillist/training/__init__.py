"""Training: runs that can be interrupted, resumed exactly and repeated."""

from pointillist.files.lazy import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
