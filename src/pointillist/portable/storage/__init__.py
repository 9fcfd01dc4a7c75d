"""Store integer models in a model folder, and load them without torch and without running code from a file."""

from pointillist.files.lazy import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
