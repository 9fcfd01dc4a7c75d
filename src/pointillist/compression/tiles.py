"""Pictures as tiles: of the size of a model that knows one size only, or parts of a large picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import IntArray


@dataclass(frozen=True)
class Tiling:
    """Plan of cutting pictures into images of a model, row by row.

    Attributes:
        height, width: of a picture.
        tile: height and width of a tile; the picture itself for a model of any size.
    """

    height: int
    width: int
    tile: tuple[int, int]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of tiles."""
        return -(-self.height // self.tile[0]), -(-self.width // self.tile[1])

    @property
    def count(self) -> int:
        """Tiles of a picture."""
        return self.grid[0] * self.grid[1]

    def split(self, x: IntArray) -> IntArray:
        """Cut pictures `[n, c, h, w]` into tiles `[n * count, c, th, tw]`; what lies beyond them is 0."""
        (rows, columns), (th, tw), (n, c) = self.grid, self.tile, x.shape[:2]
        padded = np.zeros((n, c, rows * th, columns * tw), x.dtype)
        padded[:, :, : self.height, : self.width] = x
        cut = padded.reshape(n, c, rows, th, columns, tw).transpose(0, 2, 4, 1, 3, 5)
        return cut.reshape(n * rows * columns, c, th, tw)

    def join(self, tiles: IntArray) -> IntArray:
        """Undo `split`."""
        (rows, columns), (th, tw), c = self.grid, self.tile, tiles.shape[1]
        whole = tiles.reshape(-1, rows, columns, c, th, tw).transpose(0, 3, 1, 4, 2, 5)
        return whole.reshape(len(whole), c, rows * th, columns * tw)[:, :, : self.height, : self.width]

    def inside(self) -> NDArray[np.bool_]:
        """Return the pixels of the tiles of a picture that belong to it, `[count, 1, th, tw]`."""
        return self.split(np.ones((1, 1, self.height, self.width), np.uint8)) > 0

    def box(self, tile: int) -> tuple[slice, slice]:
        """Return the rows and columns of the part of a picture that a tile holds."""
        row, column = divmod(tile, self.grid[1])
        (th, tw), (top, left) = self.tile, (row * self.tile[0], column * self.tile[1])
        return slice(top, min(top + th, self.height)), slice(left, min(left + tw, self.width))


def tiles_of(height: int, width: int, side: int) -> Tiling:
    """Return how a large picture is cut into tiles of nearly one size, none larger than a square of `side` pixels.

    ```python
    tiles_of(512, 768, 512).tile  # (512, 384)
    ```
    """
    rows, columns = -(-height // side), -(-width // side)
    return Tiling(height, width, (-(-height // rows), -(-width // columns)))
