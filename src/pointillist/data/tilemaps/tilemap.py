"""A map as a file holds it: cells that name their kinds, before the kinds become levels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pointillist.data.tilemaps.tileset import Tileset
from pointillist.errors import DataError

MAX_CELLS = 16_777_216
"""Most cells of a map: 4,096 x 4,096."""
EMPTY = -1
"""Value of a cell without a tile."""


@dataclass(frozen=True)
class TileMap:
    """A map.

    Attributes:
        cells: int32 `[h w]`: positions in `names`, or numbers of levels if they have no names; EMPTY for none.
        names: kinds of cell, or None where the file only numbers them.
        tileset: a picture of each name or number, or None.
    """

    cells: np.ndarray
    names: tuple[str, ...] | None = None
    tileset: Tileset | None = None


def check_cells(height: int, width: int, name: str) -> None:
    """Reject a map of no cells, or of more than MAX_CELLS, before memory is taken for it.

    Raises:
        DataError: naming the size.
    """
    if height < 1 or width < 1 or height * width > MAX_CELLS:
        raise DataError(
            f"{name} claims {height:,} x {width:,} cells, which must be 1 to {MAX_CELLS:,} together: cut it into parts."
        )
