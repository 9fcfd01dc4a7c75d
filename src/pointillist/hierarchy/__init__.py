"""Images by scales: codes of an encoder, a pixel model of each scale given the codes before it, honest bits."""

from pointillist.files.lazy import lazy_names

__getattr__, __all__ = lazy_names(__name__, __file__)
