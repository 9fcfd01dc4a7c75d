"""Maps of tiles: Tiled `.tmj` and `.tmx`, CSV, text grids with a legend, and pictures drawn with a tileset."""

from pointillist.data.tilemaps.tileset import Tileset, plain_tileset
from pointillist.data.tilemaps.write import MAP_FORMATS, MapFiles

__all__ = ["MAP_FORMATS", "MapFiles", "Tileset", "plain_tileset"]
