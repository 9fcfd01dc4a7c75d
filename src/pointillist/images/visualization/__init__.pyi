from pointillist.images.visualization.animation import MAX_FRAME_PIXELS, animate, gif_bytes
from pointillist.images.visualization.chart import Axes, Chart
from pointillist.images.visualization.heatmap import heat_map, plot_receptive_field
from pointillist.images.visualization.image_grid import image_grid, named_grid
from pointillist.images.visualization.pixels import diverging_colors, png_bytes, save_png, sequential_colors

__all__ = [
    "MAX_FRAME_PIXELS",
    "Axes",
    "Chart",
    "animate",
    "diverging_colors",
    "gif_bytes",
    "heat_map",
    "image_grid",
    "named_grid",
    "plot_receptive_field",
    "png_bytes",
    "save_png",
    "sequential_colors",
]
