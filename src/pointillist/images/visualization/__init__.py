"""Visualise images: grids, animations of sampling, heat maps with a scale, and charts."""

from pointillist.files import lazy_names
from pointillist.images.visualization.image_grid import image_grid as image_grid  # not the module of this name

__getattr__, __all__ = lazy_names(
    __name__,
    {
        "pointillist.images.visualization.animation": "MAX_FRAME_PIXELS animate gif_bytes",
        "pointillist.images.visualization.chart": "Axes Chart",
        "pointillist.images.visualization.heatmap": "heat_map plot_receptive_field",
        "pointillist.images.visualization.image_grid": "image_grid named_grid",
        "pointillist.images.visualization.pixels": "diverging_colors png_bytes save_png sequential_colors",
    },
)
