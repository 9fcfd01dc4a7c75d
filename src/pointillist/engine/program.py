"""What a recorded network is: a table of instructions over values and maps. Plain data, no torch, nothing that runs.

A *value* is a number of channels at one site; a *map* keeps a value at many sites, so that another site can read it.
Each instruction runs at the phase at which its inputs are known: once per image, once per row (for the whole row), or
at every site, where a site with several sub-pixels takes several sub-steps. What lies on a coarse grid, of every second
(fourth, ...) row and column, runs at the sites of that grid only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]
Tap = tuple[int, int]
"""An offset `(rows down, columns right)` from the site at hand."""


class Phase(IntEnum):
    """When a value is known; an instruction runs at the highest phase of its inputs."""

    IMAGE = 0
    """Before the first site: depends on vector conditions only. One value per image, no height or width."""
    ROW = 1
    """When the row above is finished: depends on finished rows and conditions. Computed a row at a time."""
    SITE = 2
    """When the sites to the left are known, and some of the sub-pixels of its own site."""
    POST_DRAW = 3
    """When its own site is drawn: whole. What later sites attend to."""


@dataclass(frozen=True, eq=False)
class Value:
    """A number of channels per site (or per image, at phase GIVEN)."""

    index: int
    channels: int
    phase: Phase
    depth: int = 0
    """How many rows above the site at hand it belongs: in `ctx.shift_down` one more than outside."""
    scale: int = 1
    """Its grid: it exists in rows and columns that are multiples of this."""


@dataclass(frozen=True)
class View:
    """A run of channels of a value: what `chunk`, `split` and slicing make. Nothing is copied."""

    value: Value
    start: int
    channels: int

    @property
    def phase(self) -> Phase:
        """The phase of the value seen."""
        return self.value.phase

    @property
    def scale(self) -> int:
        """The grid of the value seen."""
        return self.value.scale

    @property
    def is_whole(self) -> bool:
        """Whether all channels of the value are seen."""
        return self.channels == self.value.channels

    def covers(self, other: View) -> bool:
        """Whether it sees all that the other view sees."""
        end, other_end = self.start + self.channels, other.start + other.channels
        return self.value is other.value and self.start <= other.start and other_end <= end

    def narrow(self, start: int, channels: int) -> View:
        """The run of `channels` that begins at `start` of this view."""
        return View(self.value, self.start + start, channels)

    def __str__(self) -> str:
        name = f"v{self.value.index}"
        return name if self.is_whole else f"{name}[{self.start}:{self.start + self.channels}]"


@dataclass(eq=False)
class FeatureMap:
    """A value at many sites, indexed by site: the current row, `up` finished rows, and zeros beyond the border.

    The reach grows while instructions that read the map are recorded. It counts sites of the map's own grid.
    """

    name: str
    channels: int
    scale: int = 1
    up: int = 0
    left: int = 0
    right: int = 0
    initial_above: FloatArray | None = None
    """What lies above the first row, one number a channel; None for zeros."""
    initial_left: FloatArray | None = None
    """What lies left of the first column; None for zeros."""

    def extend(self, taps: tuple[Tap, ...]) -> None:
        """Make room for these taps."""
        self.up = max(self.up, *(-dy for dy, _ in taps))
        self.left = max(self.left, *(-dx for _, dx in taps))
        self.right = max(self.right, *(dx for _, dx in taps))


@dataclass(eq=False)
class KeyValueCache(FeatureMap):
    """Keys and values that are looked up: the keys of all heads, then the values of all heads.

    Of every site that is drawn; or of the tokens of a prompt, which are given, so that nothing is kept.
    """

    length: int = 0
    num_heads: int = 1
    key_channels: int = 0
    """Channels of all keys."""

    @property
    def key_width(self) -> int:
        """Channels of one key of one head."""
        return self.key_channels // self.num_heads

    @property
    def value_width(self) -> int:
        """Channels of one value of one head."""
        return (self.channels - self.key_channels) // self.num_heads


@dataclass(frozen=True)
class ConditionInput:
    """A condition known before the first site, with the tensor seen while recording as its default."""

    kind: Literal["vector", "map"]
    channels: int
    default: FloatArray
    """`[n, channels]` for a vector, `[n, height, width, channels]` for a map."""


@dataclass(frozen=True)
class WeightSlice:
    """Where an array lies in the packed weights."""

    offset: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of floats."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, eq=False)
class Instruction:
    """One row of the table. What the fields mean to an opcode is said in its class in `opcodes`."""

    opcode: str
    phase: Phase
    output: View | None
    inputs: tuple[View, ...]
    scope: str
    """The latest key of the forward when this was recorded, for listings and error messages."""
    constants: tuple[WeightSlice, ...] = ()
    map: FeatureMap | None = None
    taps: tuple[Tap, ...] = ()
    key: str = ""
    head: int = 0
    """The first head of a memory that is computed."""
    row_parity: int | None = None
    """The parity of the rows in which it runs, 0 or 1; None for every row. Only a program that snakes has others."""

    @property
    def scale(self) -> int:
        """The grid at whose sites it runs."""
        return (self.output or self.inputs[0]).scale

    @property
    def views(self) -> tuple[View, ...]:
        """All that it reads and makes."""
        return self.inputs if self.output is None else (*self.inputs, self.output)

    @property
    def first_row(self) -> int:
        """The first row at which it runs: what belongs to a row above cannot be computed before there is one."""
        return self.views[-1].value.depth


@dataclass(frozen=True)
class Program:
    """A recorded forward: what to run once per image, per row, at each sub-step of each site, and after its draw."""

    height: int
    width: int
    num_sub_steps: int
    canvas_width: int
    """Floats that one sub-pixel writes to the canvas."""
    canvas: FeatureMap
    maps: tuple[FeatureMap, ...]
    kv_caches: tuple[KeyValueCache, ...]
    inputs: dict[str, ConditionInput]
    weights: FloatArray
    per_image: tuple[Instruction, ...]
    per_row: tuple[Instruction, ...]
    per_site: tuple[Instruction, ...]
    """A whole site at once, as an engine that sees whole maps runs it."""
    sub_steps: tuple[tuple[Instruction, ...], ...]
    """The pixel part, cut into the channels that become known at each sub-step."""
    post_draw: tuple[Instruction, ...]
    """What is kept of a site for later ones, once all its sub-pixels are drawn."""
    params: View
    s_curve: bool = False
    """Whether odd rows are walked from right to left. Maps are indexed by site, so nothing else changes."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The precision in which the program runs."""
        return self.weights.dtype

    @cached_property
    def period(self) -> int:
        """After how many rows, and columns, the same instructions run again: the scale of the coarsest grid, or 2."""
        return max([2 if self.s_curve else 1, *(i.scale for _, part in self.parts() for i in part)])

    def constant(self, block: WeightSlice) -> FloatArray:
        """An array from the packed weights."""
        return self.weights[block.offset : block.offset + block.size].reshape(block.shape)

    def parts(self) -> Iterator[tuple[str, tuple[Instruction, ...]]]:
        """The named lists of instructions, in the order in which they run."""
        yield "once per image", self.per_image
        yield "once per row", self.per_row
        for sub_step, step in enumerate(self.sub_steps):
            yield f"sub-step {sub_step} of each site", step
        if self.post_draw:
            yield "after the draw of each site", self.post_draw
