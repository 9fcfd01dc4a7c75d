"""Where the chunks of a world lie, in which order they are drawn, and which rules they obey.

Chunks are drawn in four phases by the parity of their coordinates.

    0 1 0 1      0: from nothing
    2 3 2 3      1: between the two chunks of phase 0 at its left and right
    0 1 0 1      2: between those above and below, and the four at its corners
    2 3 2 3      3: with all eight neighbours

A chunk depends on neighbours of earlier phases alone, so it can be drawn without the rest of the world. Rules speak of
neighbours at seams, how many of a kind a chunk has, and passages through all of its sides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pointillist.engine.constraints.masks import LevelMask
from pointillist.engine.constraints.solver import Bits, Check, Constraints, Kind, to_bits
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec
from pointillist.images.array_types import Bool, Float, Int
from pointillist.sampling.rules.adjacency import adjacency_table, level_number, level_set
from pointillist.sampling.rules.config import Count, Rules
from pointillist.sampling.rules.opening import at_least

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


Tiles = tuple[Int[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]
"""Levels, and whether each is known."""


class WorldRules:
    """Rules of a world of one kind of map.

    Args:
        rules: `adjacency` holds everywhere, `counts` in each chunk, `fixed` names tiles by their row and column in the
            world, negative ones included. `connected` opens a passage of its first level through each side of each
            chunk and joins the passages of a chunk.
        image: kind of map.
        pairs: of neighbours in the training maps, as the model stores them.

    Attributes:
        adjacency: levels that may follow each level, bool `[4, k, k]`; None for any.
        fixed_tiles: row, column and level of each fixed tile, `[n, 3]`.
        counts: levels of each rule of `counts`, bool `[k]`, and the rule.
        connected: bits of the levels of each rule of `connected`, and the level of its passages.

    Raises:
        ConfigError: for a rule that needs a border, or names no level of the model.
    """

    rules: Rules
    image: ImageSpec

    def __init__(self, rules: Rules, image: ImageSpec, pairs: Any) -> None:
        for name, value in (("border", rules.border), ("paths", rules.paths), ("regions", rules.regions)):
            if value:
                raise ConfigError(
                    f"`{name}` (={len(value)}) is not a rule of worlds, which have no border: leave it out."
                )
        if rules.mirror != "none":
            raise ConfigError(
                f"`mirror` (={rules.mirror}) is not a rule of worlds, which have no middle: leave it out."
            )
        self.rules, self.image = rules, image
        self.adjacency: Bool[np.ndarray, "4 k k"] | None = None
        if rules.adjacency is not None:
            self.adjacency = adjacency_table(rules.adjacency, image, pairs)
        self.fixed_tiles: Int[np.ndarray, "n 3"] = np.array(
            [(f.row, f.column, level_number(f.level, image)) for f in rules.fixed], np.int64
        )
        self.fixed_tiles = self.fixed_tiles.reshape(-1, 3)
        self.counts: list[tuple[Bool[np.ndarray, " k"], Count]] = [
            (level_set(count.levels, image), count) for count in rules.counts
        ]
        self.connected: list[tuple[Bits, int]] = [
            (to_bits(level_set(rule.levels, image)), level_number(rule.levels[0], image)) for rule in rules.connected
        ]

    @property
    def binds(self) -> bool:
        """True if draws are restricted, and not only tiles fixed."""
        return self.adjacency is not None or bool(self.counts or self.connected)

    def passages(self, window: ChunkWindow, seed: int) -> Tiles:
        levels, known = np.zeros((window.height, window.width), np.int64), np.zeros((window.height, window.width), bool)
        for rule, (_, level) in enumerate(self.connected):
            for row, column in self._passages(window, seed, rule):
                if 0 <= row < window.height and 0 <= column < window.width:
                    levels[row, column], known[row, column] = level, True
        return levels, known

    def fixed(self, window: ChunkWindow) -> Tiles:
        levels, known = np.zeros((window.height, window.width), np.int64), np.zeros((window.height, window.width), bool)
        rows, columns = self.fixed_tiles[:, 0] - window.top, self.fixed_tiles[:, 1] - window.left
        here = (rows >= 0) & (rows < window.height) & (columns >= 0) & (columns < window.width)
        levels[rows[here], columns[here]], known[rows[here], columns[here]] = self.fixed_tiles[here, 2], True
        return levels, known

    def paths(self, window: ChunkWindow, seed: int) -> Bool[np.ndarray, "h w"]:
        """Mark straight paths from the passages of a chunk to a tile in its middle, of the first `connected` rule."""
        marks = np.zeros((window.height, window.width), bool)
        for rule in range(len(self.connected[:1])):
            inside = window.inside
            row, column = hub(seed, window.chunk, window.size, rule)
            middle = inside[0].start + row, inside[1].start + column
            for r, c in self._chunk_passages(window, seed, rule):
                rows, columns = sorted((r, middle[0])), sorted((c, middle[1]))
                sideways = c in (inside[1].start, inside[1].stop - 1)
                marks[(r if sideways else middle[0]), columns[0] : columns[1] + 1] = True
                marks[rows[0] : rows[1] + 1, (middle[1] if sideways else c)] = True
        return marks

    def mask(self, window: ChunkWindow, tiles: Tiles, seed: int) -> LevelMask:
        """Make the mask of a window, in which some tiles are known.

        Raises:
            ConfigError: naming the chunk and the rule, if arc consistency shows that the rules cannot be met.
        """
        levels, known = tiles
        allowed = np.ones((1, window.height, window.width, self.image.levels), bool)
        allowed[0, known] = np.eye(self.image.levels, dtype=bool)[levels[known]]
        free = ~known  # tiles of later chunks, which count for themselves
        free[window.inside] = False
        constraints, checks, names = Constraints(adjacency=self.adjacency), list[Check](), list[str]()
        names += ["`adjacency`"] if self.adjacency is not None else []
        outside = known.copy()
        outside[window.inside] = False
        for chosen, count in self.counts:
            if not chosen.all():
                allowed[0, free] &= ~chosen
            there = int(chosen[levels[outside]].sum())
            words = ", ".join(map(str, count.levels))
            if count.at_most is not None:
                constraints.sets.append(chosen)
                constraints.limits.append(count.at_most + there)
                names.append(f"`counts` {words} at most {count.at_most}")
            if count.at_least:
                name = f"`counts` {words} at least {count.at_least}"
                checks.append(at_least(name, to_bits(chosen), count.at_least + there))
        for rule, (bits, _) in enumerate(self.connected):
            name = f"`connected` {', '.join(map(str, self.rules.connected[rule].levels))}"
            passages = tuple(self._chunk_passages(window, seed, rule))
            where: dict[str, Any] = {"passages": passages, "inside": window.inside}
            checks.append(Check(name=name, kind=Kind.ENTERED, levels=bits, **where))
        mask = LevelMask.open(allowed, 1, constraints, checks)
        site = mask.make_arc_consistent()
        if site is not None:
            row, column = divmod(site, window.width)
            raise ConfigError(
                f"Chunk {window.name}: the rule {' or '.join(names)} cannot be met with the fixed tiles and the chunks "
                f"around it: no level is left at row {window.top + row}, column {window.left + column} of the world: "
                "change one of them."
            )
        check = mask.broken()
        if check is not None:
            raise ConfigError(
                f"Chunk {window.name}: the rule {check.name} cannot be met with the fixed tiles and the chunks "
                "around it: change one of them."
            )
        return mask

    def _chunk_passages(self, window: ChunkWindow, seed: int, rule: int) -> Iterator[tuple[int, int]]:
        """Yield the tiles of the chunk, in the window, at which its four passages begin."""
        rows, columns = window.inside
        for row, column in self._passages(window, seed, rule, around=0):
            if rows.start <= row < rows.stop and columns.start <= column < columns.stop:
                yield row, column

    def _passages(self, window: ChunkWindow, seed: int, rule: int, around: int = 1) -> Iterator[tuple[int, int]]:
        """Yield the tiles on both sides of each seam of a chunk, and of chunks around it, in the window."""
        (x, y), size = window.chunk, window.size
        chunks: list[Chunk] = [
            (x + dx, y + dy) for dy in range(-1 - around, 1 + around) for dx in range(-1 - around, 1 + around)
        ]
        for chunk in chunks:
            left, top = chunk[0] * size - window.left, chunk[1] * size - window.top
            row, column = (passage(seed, chunk, side, size, rule) for side in (RIGHT, DOWN))
            yield from ((top + row, left + size - 1), (top + row, left + size))
            yield from ((top + size - 1, left + column), (top + size, left + column))
