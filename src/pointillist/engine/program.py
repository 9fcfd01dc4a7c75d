"""Data model of a recorded network: instructions over values and feature maps. Plain data; nothing here runs.

A *value* is a number of channels at one site. A *feature map* keeps a value at many sites, so that other sites can read
it. Each instruction runs in the phase in which its inputs are known: once per image, once per row (for the whole row),
at every site, or after the draw of a site. A site with several sub-pixels takes several sub-steps. An instruction on a
coarse grid, of every second (fourth, ...) row and column, runs at the sites of that grid only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.int64]
Tap = tuple[int, int]
"""A kernel tap: an offset `(rows down, columns right)` from the current site."""


class Phase(IntEnum):
    """When a value is known. An instruction runs in the latest phase of its inputs."""

    IMAGE = 0
    """Before the first site: depends on vector conditions only. One value per image, without height and width."""
    ROW = 1
    """When the row above is finished: depends on finished rows and conditions. Computed a row at a time."""
    SITE = 2
    """When the sites to the left are known, and some of the sub-pixels of the site itself."""
    POST_DRAW = 3
    """When the site itself is drawn. Later sites attend to it."""


@dataclass(frozen=True, eq=False)
class Value:
    """A number of channels per site (or per image, in phase IMAGE)."""

    index: int
    channels: int
    phase: Phase
    depth: int = 0
    """Rows between the current row and the row of the value: the number of `ctx.shift_down` around it."""
    scale: int = 1
    """Grid spacing: the value exists in rows and columns that are multiples of it."""


@dataclass(frozen=True)
class View:
    """A range of channels of a value, as `chunk`, `split` and slicing make it. Nothing is copied."""

    value: Value
    start: int
    channels: int

    @property
    def phase(self) -> Phase:
        """Phase of the value."""
        return self.value.phase

    @property
    def scale(self) -> int:
        """Grid spacing of the value."""
        return self.value.scale

    @property
    def is_whole(self) -> bool:
        """True if the view has all channels of the value."""
        return self.channels == self.value.channels

    def covers(self, other: View) -> bool:
        """Return True if the view contains the other view."""
        end, other_end = self.start + self.channels, other.start + other.channels
        return self.value is other.value and self.start <= other.start and other_end <= end

    def narrow(self, start: int, channels: int) -> View:
        """Return the view of `channels` channels that begins at channel `start` of this view."""
        return View(self.value, self.start + start, channels)

    def __str__(self) -> str:
        name = f"v{self.value.index}"
        return name if self.is_whole else f"{name}[{self.start}:{self.start + self.channels}]"


class Extent:
    """The sites around the current one that instructions read of a map."""

    up: int
    left: int
    right: int

    def extend(self, taps: tuple[Tap, ...]) -> None:
        """Extend the map so that it covers these taps."""
        self.up = max(self.up, *(-dy for dy, _ in taps))
        self.left = max(self.left, *(-dx for _, dx in taps))
        self.right = max(self.right, *(dx for _, dx in taps))


class HeadWidths:
    """The channels of one head, of the keys of all heads followed by the values of all heads."""

    channels: int
    num_heads: int
    key_channels: int

    @property
    def key_width(self) -> int:
        """Channels of a key of one head."""
        return self.key_channels // self.num_heads

    @property
    def value_width(self) -> int:
        """Channels of a value of one head."""
        return (self.channels - self.key_channels) // self.num_heads


class InstructionViews:
    """What follows from the values that an instruction reads and writes."""

    output: View | None
    inputs: tuple[View, ...]

    @property
    def scale(self) -> int:
        """Grid spacing of the sites at which it runs."""
        return (self.output or self.inputs[0]).scale

    @property
    def views(self) -> tuple[View, ...]:
        """All views that it reads and writes."""
        return self.inputs if self.output is None else (*self.inputs, self.output)

    @property
    def first_row(self) -> int:
        """The first row at which it runs. A value of a row above does not exist in the rows before."""
        return self.views[-1].value.depth


@dataclass(eq=False)
class FeatureMap(Extent):
    """A value at many sites: the current row, `up` finished rows, and zeros beyond the border.

    The extent grows while instructions that read the map are recorded. It counts sites of the map's own grid.

    Attributes:
        up, left, right: rows above and columns beside a site that some instruction reads.
    """

    name: str
    channels: int
    scale: int = 1
    up: int = 0
    left: int = 0
    right: int = 0
    initial_above: FloatArray | None = None
    """Values above the first row, one per channel; None for zeros."""
    initial_left: FloatArray | None = None
    """Values left of the first column, one per channel; None for zeros."""


@dataclass(eq=False)
class KeyValueCache(FeatureMap, HeadWidths):
    """Keys and values that attention reads: the keys of all heads, then the values of all heads.

    The entries are those of every drawn site, or of the tokens of a prompt; the latter are inputs, and nothing is
    stored.

    Attributes:
        length: number of entries: sites of the image, or tokens.
    """

    length: int = 0
    num_heads: int = 1
    key_channels: int = 0
    """Channels of the keys of all heads."""


@dataclass(frozen=True)
class ConditionInput:
    """A condition that is known before the first site. Its default is the tensor seen while recording."""

    kind: Literal["vector", "map"]
    channels: int
    default: FloatArray
    """`[n, channels]` for a vector, `[n, height, width, channels]` for a map."""


@dataclass(frozen=True)
class WeightSlice:
    """Offset and shape of an array in the packed weights."""

    offset: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of floats."""
        return int(np.prod(self.shape))


@dataclass(frozen=True, eq=False)
class Instruction(InstructionViews):
    """One instruction. The class of its opcode in `opcodes` gives the meaning of the fields."""

    opcode: str
    phase: Phase
    output: View | None
    inputs: tuple[View, ...]
    scope: str
    """The latest key of the forward at the time of recording, for listings and error messages."""
    constants: tuple[WeightSlice, ...] = ()
    map: FeatureMap | None = None
    taps: tuple[Tap, ...] = ()
    key: str = ""
    head: int = 0
    """The first head of a KV cache that is computed."""
    row_parity: int | None = None
    """The parity of the rows in which it runs, 0 or 1; None for every row. Set only in programs of an S-curve."""


@dataclass(frozen=True)
class Program:
    """A recorded forward, as the instructions of each phase.

        program = record(network, num_sub_steps=3, canvas_width=1, height=8, width=8)
        program.num_sub_steps  # 3
        len(program.per_row)  # instructions that run once per row

    Attributes:
        height, width: sites of the image.
        num_sub_steps: sub-pixels of a site that are drawn one after the other.
        canvas: the feature map of the image itself.
        maps: all feature maps, with the canvas.
        inputs: conditions by key.
        weights: packed weights, flat.
        per_image, per_row: instructions that run once per image and once per row.
        params: the view of the parameters.
    """

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
    """Instructions of a whole site, for engines that compute all sub-steps at once."""
    sub_steps: tuple[tuple[Instruction, ...], ...]
    """The same, cut into the channels that become known at each sub-step."""
    post_draw: tuple[Instruction, ...]
    """Instructions that run after the draw of a site, and store what later sites attend to."""
    params: View
    s_curve: bool = False
    """True if odd rows run from right to left. Maps are indexed by site, so nothing else changes."""
    kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What engines derive from the instructions and weights; programs of other inputs share it."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """The precision of the program."""
        return self.weights.dtype

    @cached_property
    def period(self) -> int:
        """Rows (and columns) after which instructions repeat: the coarsest grid spacing, or 2 on an S-curve."""
        return max([2 if self.s_curve else 1, *(i.scale for _, part in self.parts() for i in part)])

    def constant(self, block: WeightSlice) -> FloatArray:
        """Return an array of the packed weights."""
        return self.weights[block.offset : block.offset + block.size].reshape(block.shape)

    def parts(self) -> Iterator[tuple[str, tuple[Instruction, ...]]]:
        """Yield the name and the instructions of each part, in the order in which the parts run."""
        yield "once per image", self.per_image
        yield "once per row", self.per_row
        for sub_step, step in enumerate(self.sub_steps):
            yield f"sub-step {sub_step} of each site", step
        if self.post_draw:
            yield "after the draw of each site", self.post_draw
