"""Endless maps by seed: a chunk is a function of the program, the seed, the rules and its coordinates alone.

A chunk is drawn in a window around it, which holds what earlier phases (`rules.py`) drew next to it. With u the tiles
of the window that are not known, and c the tiles of the chunk among them,

    c ~ p(u | known tiles of the window)

by the conditional of a model that completes images; what is drawn outside of the chunk is thrown away, which
leaves the marginal. The program is integers, and so are the features of known tiles, so a chunk has the same bytes in
any order of visits, in any process, on any platform.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.conditioning.known import OBSERVED
from pointillist.engine.batch import empty_batch
from pointillist.errors import ConfigError, Range
from pointillist.files.suggestions import arguments
from pointillist.images.array_types import Int
from pointillist.model.folder.opening import open_any_program
from pointillist.model.portable import ProgramModel
from pointillist.sampling.masks import draw_until_accepted
from pointillist.sampling.rules.config import Rules, parse_rules
from pointillist.sampling.uniforms import seed_of
from pointillist.sampling.worlds.rules import Chunk, ChunkWindow, Tiles, WorldRules, chunk_uniforms, earlier_neighbours
from pointillist.system import check_memory

__all__ = ["World"]

if TYPE_CHECKING:
    from pointillist.engine.constraints.masks import LevelMask

WINDOW = "window"
"""Class of a model whose images are windows of larger maps."""
REMEMBERED = 64
"""Chunks that a world remembers by default."""
_FREE_TRIES = 6
"""Attempts before the passages of a chunk are joined by straight paths."""


MAX_CHUNK = 1024
"""Most tiles along a side of a chunk, which is drawn in one piece."""
MAX_PLACE = 2**52
_PLACE = Range(-MAX_PLACE, MAX_PLACE)
"""Largest row or column, of chunks or tiles: times the side of a chunk it is below 2^63."""


class World:
    """An endless map of one-channel levels.

    ```python
    world = pt.World("dungeons", seed=7, rules={"adjacency": "observed"})
    world.chunk(-3, 5).shape  # (32, 32)
    world.tiles(-8, 100, 40, 60).shape  # (40, 60)
    ```

    Args:
        model: a bundled model, a folder, or an open model, that completes images and has an integer program.
        seed: names the world; 0 is one as any other.
        rules: rules, a dictionary or a TOML file; see `WorldRules`.
        label: class of the maps; None for `window`, where the model has such a class.
        chunk_size: side of a chunk.
        margin: tiles around a chunk that its draw sees.
        remembered: chunks in memory, at most.

    Raises:
        ConfigError: if the model does not complete images, has no integer program or several channels, or a rule is
            none of worlds.
    """

    seed: int
    chunk_size: int
    margin: int

    @arguments(chunk_size=Range(2, MAX_CHUNK), remembered=Range(1))
    def __init__(
        self,
        model: Any,
        seed: int = 0,
        rules: Rules | Mapping[str, Any] | str | Path | None = None,
        *,
        label: str | int | None = None,
        chunk_size: int = 32,
        margin: int = 8,
        remembered: int = REMEMBERED,
    ) -> None:
        self.model: ProgramModel = open_world_model(model)
        self.seed, self.chunk_size = seed_of(seed), chunk_size
        Range(1, chunk_size)("margin", margin)
        self.margin = margin
        self.rules: Rules = parse_rules(rules) or Rules()
        self._rules = WorldRules(self.rules, self.model.image, self.model.training_record.adjacency)
        self.label: str | int | None = label if label is not None else WINDOW if WINDOW in self.model.classes else None
        self._order = self.model.order()
        self.model.conditions.inputs(self.label)  # rejects a label of another model
        self._remembered: OrderedDict[Chunk, Int[np.ndarray, "h w"]] = OrderedDict()
        self._most = remembered

    @arguments(x=_PLACE, y=_PLACE)
    def chunk(self, x: int, y: int) -> Int[np.ndarray, "h w"]:
        """Return the levels of the chunk in column x and row y, which may be negative; y grows downwards.

        Raises:
            ConfigError: naming the chunk and the rule, if its rules cannot be met, or the argument that names nowhere.
        """
        chunk = int(x), int(y)
        result = self._remembered.get(chunk)
        if result is None:
            result = self._draw(chunk)
            result.flags.writeable = False
            self._remembered[chunk] = result
            while len(self._remembered) > self._most:
                self._remembered.popitem(last=False)
        else:
            self._remembered.move_to_end(chunk)
        return result

    @arguments(row=_PLACE, column=_PLACE, height=Range(1, MAX_PLACE), width=Range(1, MAX_PLACE))
    def tiles(self, row: int, column: int, height: int, width: int) -> Int[np.ndarray, "h w"]:
        """Return the levels of a rectangle of the world, from its first row and column on.

        Raises:
            ConfigError: as for `chunk`, or if the rectangle is empty or does not fit in memory.
        """
        row, column, height, width = map(int, (row, column, height, width))
        check_memory(height * width * np.dtype(self.dtype).itemsize, f"{height:,} x {width:,} tiles", "ask for fewer")
        result, size = np.empty((height, width), self.dtype), self.chunk_size
        window = ChunkWindow((0, 0), row, column, height, width, size)
        for y in range(row // size, (row + height - 1) // size + 1):
            for x in range(column // size, (column + width - 1) // size + 1):
                here, there = window.overlap(y * size, x * size, size, size)
                result[here] = self.chunk(x, y)[there]
        return result

    def __repr__(self) -> str:
        return f"World(seed={self.seed}, chunks of {self.chunk_size}x{self.chunk_size})"

    @property
    def dtype(self) -> type[np.unsignedinteger[Any]]:
        return np.uint8 if self.model.image.levels <= 256 else np.uint16

    def _draw(self, chunk: Chunk) -> Int[np.ndarray, "h w"]:
        size, margin = self.chunk_size, self.margin
        x, y = chunk
        whole = ChunkWindow(chunk, y * size - margin, x * size - margin, size + 2 * margin, size + 2 * margin, size)
        levels, known = self._rules.fixed(whole)
        for other in earlier_neighbours(chunk):
            drawn = self.chunk(*other)
            here, there = whole.overlap(other[1] * size, other[0] * size, size, size)
            levels[here], known[here] = drawn[there], True
        window = self._cropped(whole, known)
        here, there = whole.overlap(window.top, window.left, window.height, window.width)
        passages = self._rules.passages(window, self.seed)
        levels, known = levels[here].copy(), known[here].copy()
        new = passages[1] & ~known
        levels[new], known[new] = passages[0][new], True
        return self._fill(window, (levels, known))[window.inside].astype(self.dtype)

    def _cropped(self, whole: ChunkWindow, known: np.ndarray) -> ChunkWindow:
        """Leave out the sides of a window on which nothing is known."""
        margin, size = self.margin, self.chunk_size
        above, below = (known[rows].any() for rows in (slice(0, margin), slice(margin + size, None)))
        left, right = (known[:, columns].any() for columns in (slice(0, margin), slice(margin + size, None)))
        return ChunkWindow(
            whole.chunk,
            whole.top + margin * (not above),
            whole.left + margin * (not left),
            size + margin * (int(above) + int(below)),
            size + margin * (int(left) + int(right)),
            size,
        )

    def _fill(self, window: ChunkWindow, tiles: Tiles) -> Int[np.ndarray, "h w"]:
        """Draw the tiles of a window that are not known."""
        uniforms = chunk_uniforms(self.seed, window.chunk, (window.height, window.width))
        if not self._rules.binds:
            return self._sampled(window, tiles, uniforms, None)
        template = self._rules.mask(window, tiles, self.seed)

        def draw(numbers: Any, mask: LevelMask) -> tuple[Any, ...]:
            return (self._sampled(window, tiles, uniforms, mask)[None],)

        joins = bool(self.rules.connected)
        try:
            tries = min(self.rules.tries, _FREE_TRIES) if joins else self.rules.tries
            return np.asarray(draw_until_accepted(template, 1, tries, draw)[0][0][0])
        except ConfigError as error:
            if not joins:
                raise ConfigError(f"Chunk {window.name}: {error}") from error
        levels, known = tiles
        path = self._rules.paths(window, self.seed) & ~known
        levels, known = np.where(path, self._rules.connected[0][1], levels), known | path
        tiles = levels, known
        template = self._rules.mask(window, tiles, self.seed)
        try:
            return np.asarray(draw_until_accepted(template, 1, self.rules.tries, draw)[0][0][0])
        except ConfigError as error:
            raise ConfigError(f"Chunk {window.name}: {error}") from error

    def _sampled(self, window: ChunkWindow, tiles: Tiles, uniforms: np.ndarray, mask: LevelMask | None) -> np.ndarray:
        levels, known = (array[None, None] for array in tiles)
        order, size = self._order, (window.height, window.width)
        read = self.model.conditions.inputs(self.label, size=size, known=(levels[0], known[0]))
        batch = empty_batch(uniforms[None, None], order, (levels, known[0]))
        batch.mask = mask
        result: np.ndarray = self.model.draw(batch, self.model.encode(read, 1, size, order), order)[0, 0]
        return result


def open_world_model(model: Any) -> ProgramModel:
    """Open the integer program of a model that completes maps.

    Args:
        model: a bundled model, a folder, or an open model.

    Raises:
        ConfigError: if it cannot draw worlds, and why.
        EngineError: if it has no integer program.

    Example:
        open_world_model("dungeons").image.level_names
    """
    portable = open_any_program(model)
    if portable.image.channels != 1:
        raise ConfigError(f"`model` has images of {portable.image.channels} channels: worlds need maps of one.")
    if portable.fixed_size:
        raise ConfigError(
            f"`model` draws images of {portable.image.height}x{portable.image.width} only, by learned positions: "
            "worlds need a model that draws any size, such as 'dungeons'."
        )
    parts = {part.name: part for part in portable.parts[0]}
    if OBSERVED not in parts or parts[OBSERVED].encoder is None:
        raise ConfigError(
            "`model` cannot draw worlds: it was not trained to complete images, or its integer program cannot encode "
            "known pixels. Train it with `known` as a condition, and make its integer program."
        )
    return portable
