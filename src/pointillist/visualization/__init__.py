"""Visualise images: grids, animations of sampling, heat maps with a scale, and charts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pointillist.files.lazy import lazy_names
from pointillist.visualization.image_grid import image_grid, named_grid
from pointillist.visualization.pixels import diverging_colors, png_bytes, save_png, sequential_colors

if TYPE_CHECKING:
    from pointillist.visualization.animation import MAX_FRAME_PIXELS, animate, gif_bytes
    from pointillist.visualization.chart import Axes, Chart
    from pointillist.visualization.heatmap import heat_map
    from pointillist.visualization.receptive_field import plot_receptive_field

_MODULES = {
    "animation": (
        "MAX_FRAME_PIXELS",
        "animate",
        "gif_bytes",
    ),
    "chart": (
        "Axes",
        "Chart",
    ),
    "heatmap": ("heat_map",),
    "receptive_field": ("plot_receptive_field",),
}

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

__getattr__: Callable[[str], Any] = lazy_names(__name__, _MODULES)
