"""Where the chunks of a world lie, and in which order they are drawn: four phases by the parity of their coordinates.

    0 1 0 1      0: from nothing
    2 3 2 3      1: between the two chunks of phase 0 at its left and right
    0 1 0 1      2: between those above and below, and the four at its corners
    2 3 2 3      3: with all eight neighbours

A chunk depends on neighbours of earlier phases alone, so it can be drawn without the rest of the world.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Chunk = tuple[int, int]
"""Column x and row y of a chunk, any integers; y grows downwards."""
RIGHT, DOWN = range(2)
"""Sides of a chunk that a passage leads through."""
_TILES, _PASSAGE = range(2)
_CORNER = 4
"""Tiles between a passage and the corner of a chunk, where chunks are large enough."""


def phase(chunk: Chunk) -> int:
    """Return the phase in which a chunk is drawn.

    Example:
        phase((-1, 2))  # 1
    """
    return chunk[0] % 2 + 2 * (chunk[1] % 2)


def earlier_neighbours(chunk: Chunk) -> list[Chunk]:
    """Return the neighbours of a chunk that are drawn before it.

    Example:
        earlier_neighbours((1, 0))  # [(0, 0), (2, 0)]
    """
    x, y = chunk
    around = [(x + dx, y + dy) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dx, dy) != (0, 0)]
    return [other for other in around if phase(other) < phase(chunk)]


def chunk_uniforms(seed: int, chunk: Chunk, shape: tuple[int, int]) -> Float[np.ndarray, "h w"]:
    """Draw the uniforms of the window of a chunk: they depend on (seed, chunk) alone."""
    return _generator(seed, chunk, _TILES).random(shape)


def passage(seed: int, chunk: Chunk, side: int, size: int, rule: int) -> int:
    """Choose where a passage leads through a side of a chunk: a row for RIGHT, a column for DOWN, from its first on.

    Args:
        size: tiles of that side.
        rule: number of the rule.
    """
    away = min(_CORNER, (size - 1) // 2)
    return int(_generator(seed, chunk, _PASSAGE + 2 * rule + side).integers(away, size - away))


def hub(seed: int, chunk: Chunk, size: int, rule: int) -> tuple[int, int]:
    """Choose a tile in the middle half of a chunk, where paths between its passages meet."""
    row, column = _generator(seed, chunk, -1 - rule).integers(size // 4, max(size // 4 + 1, size - size // 4), 2)
    return int(row), int(column)


@dataclass(frozen=True)
class ChunkWindow:
    """A rectangle of tiles at world coordinates, and the chunk in it.

    Attributes:
        chunk: the chunk.
        top, left: row and column of its first tile.
        height, width: its size.
        size: side of a chunk.
    """

    chunk: Chunk
    top: int
    left: int
    height: int
    width: int
    size: int

    @property
    def name(self) -> str:
        """Coordinates of the chunk, in words."""
        return f"{self.chunk[0]},{self.chunk[1]}"

    @property
    def inside(self) -> tuple[slice, slice]:
        """Rows and columns of the chunk in the window."""
        row, column = self.chunk[1] * self.size - self.top, self.chunk[0] * self.size - self.left
        return slice(row, row + self.size), slice(column, column + self.size)

    def overlap(self, top: int, left: int, height: int, width: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Return the part that the window shares with another rectangle: in the window, and in the rectangle."""
        rows = _shared(self.top, self.height, top, height)
        columns = _shared(self.left, self.width, left, width)
        return (rows[0], columns[0]), (rows[1], columns[1])


def _shared(first: int, length: int, other: int, other_length: int) -> tuple[slice, slice]:
    start, stop = max(first, other), max(max(first, other), min(first + length, other + other_length))
    return slice(start - first, stop - first), slice(start - other, stop - other)


def _generator(seed: int, chunk: Chunk, purpose: int) -> np.random.Generator:
    return np.random.default_rng([seed, *(_natural(n) for n in (*chunk, purpose))])


def _natural(n: int) -> int:
    """Map the integers to the natural numbers: 0, -1, 1, -2, ... to 0, 1, 2, 3, ..."""
    return 2 * n if n >= 0 else -2 * n - 1
