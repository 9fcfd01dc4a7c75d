"""The studio: a local page on which one paints, asks and looks, and the server behind it."""

from pointillist.studio.notebook import Studio

__all__ = ["Studio"]
