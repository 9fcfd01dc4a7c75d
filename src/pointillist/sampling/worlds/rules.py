"""Rules of worlds: neighbours at seams, how many of a kind a chunk has, passages through all of its sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from pointillist.engine.constraints.masks import LevelMask
from pointillist.engine.constraints.solver import Bits, Check, Constraints, Kind, to_bits
from pointillist.errors import ConfigError
from pointillist.images import ImageSpec
from pointillist.rules.adjacency import RECORD, adjacency_table, level_number, level_set
from pointillist.rules.config import Count, Rules
from pointillist.rules.opening import at_least
from pointillist.sampling.worlds.layout import DOWN, RIGHT, Chunk, ChunkWindow, hub, passage

Tiles = tuple[Int[np.ndarray, "h w"], Bool[np.ndarray, "h w"]]
"""Levels, and whether each is known."""


class WorldRules:
    """Rules of a world of one kind of map.

    Args:
        rules: `adjacency` holds everywhere, `counts` in each chunk, `fixed` names tiles by their row and column in the
            world, negative ones included. `connected` opens a passage of its first level through each side of each
            chunk and joins the passages of a chunk.
        image: kind of map.
        training_record: of the model, with the pairs of neighbours of its training maps.

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

    def __init__(self, rules: Rules, image: ImageSpec, training_record: Mapping[str, Any]) -> None:
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
            self.adjacency = adjacency_table(rules.adjacency, image, training_record.get(RECORD))
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
        """Return the tiles of passages in a window."""
        levels, known = np.zeros((window.height, window.width), np.int64), np.zeros((window.height, window.width), bool)
        for rule, (_, level) in enumerate(self.connected):
            for row, column in self._passages(window, seed, rule):
                if 0 <= row < window.height and 0 <= column < window.width:
                    levels[row, column], known[row, column] = level, True
        return levels, known

    def fixed(self, window: ChunkWindow) -> Tiles:
        """Return the fixed tiles of a window."""
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

    @property
    def path_level(self) -> int:
        """Level of the passages of the first `connected` rule."""
        return self.connected[0][1]

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
