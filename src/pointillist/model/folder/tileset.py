"""The tileset of a model of maps, a file of its folder; read without torch."""

from __future__ import annotations

from pathlib import Path

from pointillist.data.readers.picture_files import read_picture
from pointillist.data.tilemaps import TILESET, Tileset
from pointillist.errors import CheckpointError, DataError


def read_tileset(folder: Path, levels: int) -> Tileset | None:
    """Read the tileset of a model folder; None where there is none.

    Args:
        levels: of the model, one picture for each.

    Raises:
        CheckpointError: if it cannot be read, or has another number of pictures.
    """
    path = folder / TILESET
    if not path.is_file():
        return None
    try:
        return Tileset.from_picture(read_picture(path, str(path)), levels, str(path))
    except DataError as error:
        raise CheckpointError(str(error)) from error
