"""The studio: a local page to sample images, query them and inspect any pixel, and the server behind it."""

from pointillist.studio.notebook import Studio

__all__ = ["Studio"]
