"""Visualise images: grids, animations of sampling, heat maps with a scale, and charts."""

from pointillist.files.lazy import lazy_names
from pointillist.visualization.image_grid import image_grid as image_grid  # not the module of this name

__getattr__, __all__ = lazy_names(__name__, __file__)
