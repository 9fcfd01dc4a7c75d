"""Data model of a recorded network: instructions over values and feature maps. Plain data; nothing here runs.

A *value* is a number of channels at one site. A *feature map* keeps a value at many sites, so that other sites can read
it. Each instruction runs in the phase in which its inputs are known: once per image, once per row (for the whole row),
at every site, or after the draw of a site. A site with several sub-pixels takes several sub-steps. An instruction on a
coarse grid, of every second (fourth, ...) row and column, runs at the sites of that grid only.

A program computes in floating point, as it was recorded, or in integers, as `rewrite` makes it of a recorded one. A
*narrow* value holds 8-bit integers: what a matrix product reads. A *wide* value holds 32-bit integers, at most `LIMIT`
in magnitude: sums, residuals, skips. An integer stands for a real number, the integer times the *unit* of its channel.
Units are known to the rewriting. A program does not contain them, because nothing that runs it needs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pointillist.distributions.kinds import LIKELIHOODS, LikelihoodKind

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
Array = NDArray[Any]
DType = np.dtype[Any]
Tap = tuple[int, int]
"""A kernel tap: an offset `(rows down, columns right)` from the current site."""

FLOAT32, INT8, UINT8, INT32 = (np.dtype(name) for name in ("float32", "int8", "uint8", "int32"))
LIMIT = 1 << 26
"""Largest magnitude of a wide value. A sum of a few of them fits in 32 bits, and results are clamped to it."""
RANGES: dict[DType, tuple[int, int]] = {INT8: (-128, 127), UINT8: (0, 255), INT32: (-LIMIT, LIMIT)}
"""The least and the largest integer of a value or map of each type."""


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
    dtype: DType = FLOAT32

    @property
    def is_narrow(self) -> bool:
        """True for 8-bit integers."""
        return self.dtype.itemsize == 1


@dataclass(frozen=True)
class View:
    """A range of channels of a value, as `chunk`, `split` and slicing make it. Nothing is copied."""

    value: Value
    start: int
    channels: int

    @property
    def phase(self) -> Phase:
        return self.value.phase

    @property
    def scale(self) -> int:
        """Grid spacing of the value."""
        return self.value.scale

    @property
    def is_narrow(self) -> bool:
        """True for 8-bit integers."""
        return self.value.is_narrow

    @property
    def is_whole(self) -> bool:
        """True if the view has all channels of the value."""
        return self.channels == self.value.channels

    def covers(self, other: View) -> bool:
        end, other_end = self.start + self.channels, other.start + other.channels
        return self.value is other.value and self.start <= other.start and other_end <= end

    def narrow(self, start: int, channels: int) -> View:
        return View(self.value, self.start + start, channels)

    def __str__(self) -> str:
        name = f"v{self.value.index}"
        return name if self.is_whole else f"{name}[{self.start}:{self.start + self.channels}]"


@dataclass(eq=False)
class FeatureMap:
    """A value at many sites: the current row, `up` finished rows, and zeros beyond the border.

    The extent grows while instructions that read the map are recorded. It counts sites of the map's own grid.

    Attributes:
        up, left, right: rows above a site, and columns on both sides of it, that some instruction reads; of a grid, as
            many rows below, too.
    """

    name: str
    channels: int
    scale: int = 1
    dtype: DType = FLOAT32
    up: int = 0
    left: int = 0
    right: int = 0
    initial_above: Array | None = None
    """Values above the first row, one per channel; None for zeros."""
    initial_left: Array | None = None
    """Values left of the first column, one per channel; None for zeros."""

    @property
    def is_narrow(self) -> bool:
        """True for 8-bit integers."""
        return self.dtype.itemsize == 1

    def extend(self, taps: tuple[Tap, ...]) -> None:
        """Extend the map so that it covers these taps."""
        self.up = max(self.up, *(abs(dy) for dy, _ in taps))
        self.left = max(self.left, *(-dx for _, dx in taps))
        self.right = max(self.right, *(dx for _, dx in taps))


@dataclass(eq=False)
class KeyValueCache(FeatureMap):
    """Keys and values that attention reads: the keys of all heads, then the values of all heads.

    The entries belong to every drawn site, or to the tokens of a prompt; the latter are inputs, and nothing is
    stored.

    Attributes:
        length: number of entries, sites of the image or tokens; 0 for the sites of a program of open size.
    """

    length: int = 0
    num_heads: int = 1
    key_channels: int = 0
    """Channels of the keys of all heads."""

    @property
    def key_width(self) -> int:
        """Channels of a key of one head."""
        return self.key_channels // self.num_heads

    @property
    def value_width(self) -> int:
        """Channels of a value of one head."""
        return (self.channels - self.key_channels) // self.num_heads


@dataclass(frozen=True, eq=False)
class ConditionInput:
    """A condition that is known before the first site.

    Attributes:
        kind: `vector`, or `map` of the image.
        channels: its channels.
        default: `[n, channels]` or `[n, height, width, channels]` as seen while recording; empty if it must be given.
        unit: the number that an integer of each channel stands for; empty in floating point.
    """

    kind: Literal["vector", "map"]
    channels: int
    default: FloatArray = field(default_factory=lambda: np.zeros(0))
    unit: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True, eq=False)
class Instruction:
    """An instruction. The class of its opcode in `opcodes` gives the meaning of the fields."""

    opcode: str
    phase: Phase
    output: View | None
    inputs: tuple[View, ...]
    scope: str = ""
    """The latest key of the forward at the time of recording, for listings and error messages."""
    constants: dict[str, Array] = field(default_factory=dict)
    map: FeatureMap | None = None
    taps: tuple[Tap, ...] = ()
    key: str = ""
    head: int = 0
    """The first head of a KV cache that is computed."""
    row_parity: int | None = None
    """The parity of the rows in which it runs, 0 or 1; None for every row. Set only in programs of an S-curve."""

    @property
    def scale(self) -> int:
        """Grid spacing of the sites at which it runs."""
        return (self.output or self.inputs[0]).scale

    @property
    def views(self) -> tuple[View, ...]:
        return self.inputs if self.output is None else (*self.inputs, self.output)

    @property
    def written(self) -> View:
        """The output of an instruction that has one."""
        assert self.output is not None
        return self.output

    @property
    def held(self) -> FeatureMap:
        """The feature map of an instruction that reads or writes one.

        Raises:
            ValueError: if it has none.
        """
        if self.map is None:
            raise ValueError(f"{self.opcode} without a map")
        return self.map

    @property
    def first_row(self) -> int:
        """The first row at which it runs. A value of a row above does not exist in the rows before."""
        return self.views[-1].value.depth


def even_levels(count: int) -> NDArray[np.int32]:
    """Return what ordered levels write to a canvas whose integers are one level apart, `[levels, 1]`.

    ```python
    even_levels(4)[:, 0]  # [-2, -1, 0, 1]
    ```
    """
    return (np.arange(count, dtype=np.int32) - count // 2)[:, None]


@dataclass(frozen=True, eq=False)
class IntegerHead:
    """The distribution that the parameters of an integer program give, as integer frequencies (`frequencies.py`).

    Attributes:
        kind: name of the likelihood.
        channels, levels: of the image.
        mixtures: components of a mixture, or of a factored distribution; else 0.
        precision: frequencies of the levels of a sub-pixel sum to `2 ** precision`.
        tables: its integer tables by name.
    """

    kind: LikelihoodKind
    channels: int
    levels: int
    mixtures: int
    precision: int
    tables: dict[str, IntArray]

    @property
    def has_table(self) -> bool:
        """True if the frequencies of all levels are computed together; False if an interval needs only some."""
        return self.levels <= LIKELIHOODS[self.kind].max_table

    @property
    def num_params(self) -> int:
        """Number of parameters of a site."""
        return LIKELIHOODS[self.kind].num_params(self.channels, self.levels, self.mixtures)


@dataclass(frozen=True, eq=False)
class Program:
    """A recorded forward, as the instructions of each phase.

        program = record(network, num_sub_steps=3, canvas_width=1, height=8, width=8)
        program.num_sub_steps  # 3
        len(program.per_row)  # instructions that run once per row

    Attributes:
        num_sub_steps: sub-pixels of a site that are drawn one after the other.
        canvas: the feature map of the image itself.
        maps: all feature maps, with the canvas.
        inputs: conditions by key.
        per_image, per_row: instructions that run once per image and once per row.
        params: the view of the parameters.
    """

    num_sub_steps: int
    canvas_width: int
    """Channels of the canvas that a sub-step writes."""
    canvas: FeatureMap
    maps: tuple[FeatureMap, ...]
    kv_caches: tuple[KeyValueCache, ...]
    inputs: dict[str, ConditionInput]
    per_image: tuple[Instruction, ...]
    per_row: tuple[Instruction, ...]
    per_site: tuple[Instruction, ...]
    """Instructions of a whole site, for engines that compute all sub-steps at once."""
    sub_steps: tuple[tuple[Instruction, ...], ...]
    """The same, cut into the channels that become known at each sub-step; an integer program is not cut."""
    post_draw: tuple[Instruction, ...]
    """Instructions that run after the draw of a site, and store what later sites attend to."""
    params: View
    size: tuple[int, int] | None = None
    """Height and width of its images; None for any size."""
    canvas_values: Array = field(default_factory=lambda: np.zeros((0, 1)))
    """What each level writes to the canvas, `[levels, e]`; in integers int8. Empty if it was recorded without."""
    s_curve: bool = False
    """True if odd rows run from right to left. Maps are indexed by site, so nothing else changes."""
    integer_head: IntegerHead | None = None
    """The distribution of an integer program; None in floating point, and of a program of a grid."""
    is_grid: bool = False
    """True if all sites are known before it runs: each instruction runs over the whole grid, before the next one."""
    cache: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """What engines derive from the instructions; programs of other inputs share it."""

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for `pickle` and `copy.deepcopy`, without what engines derive: addresses among it."""
        return {**self.__dict__, "cache": {}}

    @property
    def head(self) -> IntegerHead:
        assert self.integer_head is not None
        return self.integer_head

    @property
    def height(self) -> int:
        """Rows of its images, where it has a size."""
        assert self.size is not None
        return self.size[0]

    @property
    def width(self) -> int:
        """Columns of its images, where it has a size."""
        assert self.size is not None
        return self.size[1]

    @property
    def is_integer(self) -> bool:
        return self.canvas.dtype.kind == "i"

    @property
    def dtype(self) -> DType:
        """The type in which values are computed: the precision of floats, or int32."""
        return INT32 if self.is_integer else self.canvas.dtype

    @cached_property
    def period(self) -> int:
        """Rows (and columns) after which instructions repeat: the coarsest grid spacing, or 2 on an S-curve."""
        return max([2 if self.s_curve else 1, *(i.scale for _, part in self.parts() for i in part)])

    @cached_property
    def first_repeated_row(self) -> int:
        """The first row from which on the instructions of a row repeat; values of a row above begin before."""
        return max((i.first_row for i in self.per_row), default=0)

    @cached_property
    def weight_bytes(self) -> int:
        """Bytes of all constants, each counted once."""
        parts = (self.per_image, self.per_row, self.per_site, *self.sub_steps, self.post_draw)
        arrays = {id(array): array for part in parts for i in part for array in i.constants.values()}
        return sum(array.nbytes for array in arrays.values())

    def parts(self) -> Iterator[tuple[Phase, tuple[Instruction, ...]]]:
        """Yield the instructions of each phase, in the order in which the phases run."""
        yield from zip(Phase, (self.per_image, self.per_row, self.per_site, self.post_draw), strict=True)


def size_of(*parts: tuple[Instruction, ...]) -> tuple[int, int] | None:
    """Return the size of the images for which instructions hold a map; None for any size."""
    shapes = [i.constants["numbers"].shape for part in parts for i in part if i.opcode == "MAP_CONSTANT"]
    return (shapes[0][0], shapes[0][1]) if shapes else None
