"""Causal layers. A layer reads other pixel positions only through a `Pass`."""

from pointillist.files.lazy import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
