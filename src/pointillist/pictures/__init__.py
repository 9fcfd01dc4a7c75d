"""Pictures for people: sheets, animations of the painting, heat maps with a scale, and charts."""

from pointillist.pictures.animation import MAX_FRAME_PIXELS, animate, gif_bytes
from pointillist.pictures.chart import Axes, Chart
from pointillist.pictures.colour import balance_colours, heat_colours
from pointillist.pictures.field import field_picture
from pointillist.pictures.files import png_bytes, save_png
from pointillist.pictures.heat import heat_map
from pointillist.pictures.sheet import sheet

__all__ = [
    "MAX_FRAME_PIXELS",
    "Axes",
    "Chart",
    "animate",
    "balance_colours",
    "field_picture",
    "gif_bytes",
    "heat_colours",
    "heat_map",
    "png_bytes",
    "save_png",
    "sheet",
]
