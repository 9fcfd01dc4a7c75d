"""Pictures for people: sheets, animations of the painting, and heat maps with a scale."""

from pointillist.pictures.animation import animate
from pointillist.pictures.colour import heat_colours
from pointillist.pictures.field import field_picture
from pointillist.pictures.files import png_bytes, save_png
from pointillist.pictures.heat import heat_map
from pointillist.pictures.sheet import sheet

__all__ = ["animate", "field_picture", "heat_colours", "heat_map", "png_bytes", "save_png", "sheet"]
