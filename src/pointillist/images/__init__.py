"""Images as grids of integer levels: what the integers mean, pictures of 8 or 16 bits, and orders of the pixels."""

from pointillist.files.lazy import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
