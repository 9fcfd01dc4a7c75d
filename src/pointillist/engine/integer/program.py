"""Data model of an integer program: instructions over integers, whose results are the same bits everywhere.

A *narrow* value holds 8-bit integers, signed or not: what a matrix product reads. A *wide* value holds 32-bit integers,
at most `LIMIT` in magnitude: sums, residuals, skips. An instruction is defined by integer arithmetic alone
(`arithmetic.py`), so that it gives the same result in any order of summation, on any processor, for any batch.

An integer stands for a real number, the integer times the *unit* of its channel. Units are known to the rewrite that
makes a program (`rewrite/`). A program does not contain them, because nothing that runs it needs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import Extent, HeadWidths, InstructionViews, Phase, Tap, Value, View

IntArray = NDArray[np.integer[Any]]

LIMIT = 1 << 26
"""Largest magnitude of a wide value. A sum of a few of them fits in 32 bits, and results are clamped to it."""
NARROW_RANGE = {True: (-128, 127), False: (0, 255)}
"""Range of a narrow value, by whether it is signed."""


@dataclass(frozen=True, eq=False)
class IntegerValue(Value):
    """A number of integer channels per site (or per image, in phase IMAGE)."""

    narrow: bool = False
    """True for 8 bits, False for 32."""
    signed: bool = True

    @property
    def range(self) -> tuple[int, int]:
        """The least and the largest integer that it can hold."""
        return NARROW_RANGE[self.signed] if self.narrow else (-LIMIT, LIMIT)


@dataclass(eq=False)
class IntegerMap(Extent):
    """A value at many sites, with zeros beyond the border, or initial states.

    Attributes:
        up, left, right: rows above and columns beside a site that some instruction reads.
    """

    index: int
    channels: int
    narrow: bool
    signed: bool = True
    scale: int = 1
    up: int = 0
    left: int = 0
    right: int = 0
    initial_above: IntArray | None = None
    initial_left: IntArray | None = None

    @property
    def range(self) -> tuple[int, int]:
        """The least and the largest integer that it can hold."""
        return NARROW_RANGE[self.signed] if self.narrow else (-LIMIT, LIMIT)


@dataclass(eq=False)
class IntegerCache(IntegerMap, HeadWidths):
    """Keys and values of all heads that attention reads; one entry for each drawn site.

    Attributes:
        num_heads: number of heads.
        key_channels: channels of the keys of all heads.
    """

    num_heads: int = 1
    key_channels: int = 0


@dataclass(frozen=True, eq=False)
class IntegerInput:
    """A condition as integers, known before the first site.

    Attributes:
        kind: `vector` (wide, `[b, channels]`) or `map` (narrow, `[b, height, width, channels]`).
        channels: its channels.
        unit: what an integer of each channel stands for.
    """

    kind: Literal["vector", "map"]
    channels: int
    unit: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class IntegerInstruction(InstructionViews):
    """One instruction; the class of its opcode in `engine/integer/opcodes` gives the meaning of the fields."""

    opcode: str
    phase: Phase
    output: View | None
    inputs: tuple[View, ...]
    constants: dict[str, IntArray] = field(default_factory=dict)
    map: IntegerMap | None = None
    taps: tuple[Tap, ...] = ()
    key: str = ""
    row_parity: int | None = None


@dataclass(frozen=True, eq=False)
class IntegerHead:
    """The distribution that the parameters give, as integer frequencies (`frequencies.py`).

    Attributes:
        kind: `bernoulli`, `categorical` or `mixture`.
        channels, levels: of the image.
        mixtures: components of a mixture, else 0.
        precision: frequencies of the levels of a sub-pixel sum to `2 ** precision`.
        tables: its integer tables by name, arrays of the library that runs the program.
    """

    kind: Literal["bernoulli", "categorical", "mixture"]
    channels: int
    levels: int
    mixtures: int
    precision: int
    tables: dict[str, Any]


@dataclass(frozen=True, eq=False)
class IntegerProgram:
    """A program in integers. It has no size: it runs over images of any height and width.

    Attributes:
        num_sub_steps: sub-pixels of a site that are drawn one after the other.
        canvas_width: channels of the canvas that one sub-pixel writes.
        canvas: the feature map of the image itself.
        canvas_values: what a level writes to the canvas, int8 `[levels, canvas_width]`.
        maps, kv_caches: all feature maps, with the canvas, and all KV caches.
        inputs: conditions by name.
        params: the view of the parameters.
        head: the distribution that they give.
        s_curve: True if odd rows run from right to left.
        kept: what an executor derives from the program.
    """

    num_sub_steps: int
    canvas_width: int
    canvas: IntegerMap
    canvas_values: IntArray
    maps: tuple[IntegerMap, ...]
    kv_caches: tuple[IntegerCache, ...]
    inputs: dict[str, IntegerInput]
    per_image: tuple[IntegerInstruction, ...]
    per_row: tuple[IntegerInstruction, ...]
    per_site: tuple[IntegerInstruction, ...]
    post_draw: tuple[IntegerInstruction, ...]
    params: View
    head: IntegerHead
    s_curve: bool = False
    kept: dict[str, Any] = field(default_factory=dict, repr=False)

    def parts(self) -> Iterator[tuple[Phase, tuple[IntegerInstruction, ...]]]:
        """Yield the instructions of each phase, in the order in which they run."""
        yield from zip(Phase, (self.per_image, self.per_row, self.per_site, self.post_draw), strict=True)


def has_one_size(program: IntegerProgram) -> bool:
    """Return True for a program that holds a map for images of one size."""
    return any(i.opcode == "MAP_CONSTANT" for _, part in program.parts() for i in part)
