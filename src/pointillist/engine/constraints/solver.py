"""Rules and constraints of a mask as `runtime/solver.h` reads them, and the masks of images in memory that it fills."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np

from pointillist.engine.library import aligned, load_library
from pointillist.errors import ConfigError, EngineError
from pointillist.images.array_types import Bool, Int, UInt64

WORD = 64
"""Levels in a word of bits."""
Bits = UInt64[np.ndarray, "... words"]
RIGHT, DOWN, LEFT, UP = range(4)
"""Directions of `adjacency`; the opposite of d is (d + 2) % 4."""


class Kind(IntEnum):
    """Kinds of rules of the whole image, in the order of `runtime/solver.h`."""

    AT_LEAST = 0
    ONE_PIECE = 1
    PATH = 2
    ENTERED = 3


@dataclass(frozen=True, kw_only=True)
class Check:
    """A rule of the whole image, checked after each row over the levels that the sites may still have.

    ```python
    Check(name="`connected` floor", kind=Kind.ONE_PIECE, levels=to_bits(floor))
    ```

    Attributes:
        name: of the rule, in messages.
        kind: what the sites that may have one of the levels must do: be `number` or more, be one piece, join a site of
            `start` to one of `end`, or join all `passages` of a rectangle and leave none of their pieces closed in it.
        levels: bits `[words]`; of a path without its ends.
        repairable: True if drawing the last rows again may help.
        number: of sites, at least.
        start, end: levels of the ends of a path.
        inside: rows and columns of the rectangle.
        passages: rows and columns of the passages.
    """

    name: str
    kind: Kind
    levels: UInt64[np.ndarray, " words"]
    repairable: bool = True
    number: int = 0
    start: UInt64[np.ndarray, " words"] | None = None
    end: UInt64[np.ndarray, " words"] | None = None
    inside: tuple[slice, slice] = (slice(0, 0), slice(0, 0))
    passages: tuple[tuple[int, int], ...] = ()


def to_bits(allowed: Bool[np.ndarray, "... k"]) -> Bits:
    """Pack sets of levels, 64 in a word.

    Example:
        to_bits(np.array([True, False, True]))  # [5]
    """
    words = -(-allowed.shape[-1] // WORD)
    padded = np.zeros((*allowed.shape[:-1], words * WORD), bool)
    padded[..., : allowed.shape[-1]] = allowed
    packed: Bits = np.packbits(padded, axis=-1, bitorder="little").view(np.uint64)
    return packed.astype(np.uint64)  # contiguous, whatever the shape was


def from_bits(bits: Bits, levels: int) -> Bool[np.ndarray, "... k"]:
    """Unpack sets of levels: the inverse of `to_bits`."""
    flat = np.unpackbits(np.ascontiguousarray(bits).view(np.uint8), axis=-1, bitorder="little")
    return flat[..., :levels].astype(bool)


@dataclass(kw_only=True)
class Constraints:
    """Constraints between the sites of an image of one channel.

    Attributes:
        adjacency: levels that may follow each level to the right, below, to the left and above, bool `[4, k, k]`.
        partners: for each site another one that must have the same level, `[partners, h * w]`.
        sets, limits: sets of levels, bool `[sets, k]`, and how many sites may have one of a set at most.
    """

    adjacency: Bool[np.ndarray, "4 k k"] | None = None
    partners: list[Int[np.ndarray, " sites"]] = field(default_factory=list)
    sets: list[Bool[np.ndarray, " k"]] = field(default_factory=list)
    limits: list[int] = field(default_factory=list)

    @property
    def any(self) -> bool:
        """True if sites constrain each other at all."""
        return self.adjacency is not None or bool(self.partners or self.sets)


ALIVE, DEAD, REJECTED = range(3)
"""Values of STATUS: DEAD has a site without levels, or breaks a rule; REJECTED is not drawn by the rules any more."""
STATUS, ATTEMPT, SITE, BROKEN, EXPONENT = range(5)
"""Columns of the state of an image that are read here."""
MUST, MAY = range(2)
"""Columns of `counts`."""
STATE, SLOTS = 10, 4
"""Columns of the state, and states of an engine that a search saves."""
_I64, _POINTER = ctypes.c_int64, ctypes.c_void_p


class _Rule(ctypes.Structure):
    """`pt_rule`."""

    _fields_ = (
        *((name, _I64) for name in ("kind", "is_repairable", "number")),
        *((name, _POINTER) for name in ("levels", "start", "end")),
        *((name, _I64) for name in ("top", "left", "height", "width", "num_passages")),
        ("passages", _POINTER),
    )


class _Rules(ctypes.Structure):
    """`pt_rules`."""

    _fields_ = (
        *((name, _I64) for name in ("channels", "height", "width", "levels", "is_weighted")),
        ("allowed", _POINTER),
        ("adjacency", _POINTER),
        ("num_partners", _I64),
        ("partners", _POINTER),
        ("num_sets", _I64),
        ("sets", _POINTER),
        ("limits", _POINTER),
        ("num_rules", _I64),
        ("rules", _POINTER),
    )


class MaskFields(ctypes.Structure):
    """`pt_mask`, as far as it is read here."""

    _fields_ = (
        ("rules", _POINTER),
        *((name, _I64) for name in ("images", "sites", "words", "tracked", "origin", "row_step", "column_step")),
        *((name, _POINTER) for name in ("bits", "start", "counts", "start_counts", "state", "mass")),
    )


class Search(ctypes.Structure):
    """`pt_search`: the choice of the next row of a batch."""

    _fields_ = (
        ("mask", _POINTER),
        *((name, _I64) for name in ("first", "count", "height", "width")),
        *((name, _I64) for name in ("row", "final_rows", "save", "restore", "begun", "num_saved", "oldest")),
        ("saved", _I64 * SLOTS),
    )


def solver_library() -> Any:
    """Return the library in C, which solves rules.

    Raises:
        EngineError: if it is missing on this platform.
    """
    library = load_library()
    if library is None:
        raise EngineError("Masks on levels need the library in C, missing on this platform: leave out the rules.")
    return library


class RuleArrays:
    """Rules of an image in the memory of this process: `pt_rules`.

    Args:
        allowed: levels that each sub-pixel may have.
        constraints: between the sites of the image.
        checks: rules of the whole image.
        weighted: add up the probability of the allowed levels.

    Raises:
        ConfigError: if they do not fit the image.
    """

    channels: int
    height: int
    width: int
    levels: int
    constraints: Constraints
    checks: tuple[Check, ...]
    weighted: bool

    def __init__(
        self,
        allowed: Bool[np.ndarray, "c h w k"],
        constraints: Constraints,
        checks: Sequence[Check] = (),
        *,
        weighted: bool = False,
    ) -> None:
        self.channels, self.height, self.width, self.levels = allowed.shape
        self.constraints, self.checks, self.weighted = constraints, tuple(checks), weighted
        self._arrays: list[np.ndarray] = []
        adjacency, sets = constraints.adjacency, constraints.sets
        rules = [self._rule(check) for check in self.checks]
        self._struct = _Rules(
            *allowed.shape,
            weighted,
            self._keep(to_bits(allowed.reshape(self.channels, -1, self.levels))),
            None if adjacency is None else self._keep(to_bits(adjacency)),
            len(constraints.partners),
            self._keep(np.array(constraints.partners, np.int64)),
            len(sets),
            self._keep(to_bits(np.array(sets, bool).reshape(-1, self.levels))),
            self._keep(np.array(constraints.limits, np.int64)),
            len(rules),
            self._keep(np.frombuffer(b"".join(map(bytes, rules)), np.uint8)) if rules else None,
        )
        self.address: int = ctypes.addressof(self._struct)
        if solver_library().pt_mask_memory(self.address, 1) < 0:
            raise ConfigError(
                f"`rules` or `allowed` do not fit an image of {self.height}x{self.width}, "
                f"{self.channels} channels and {self.levels:,} levels: it is too large."
            )

    def _keep(self, array: np.ndarray) -> int:
        """Keep an array as long as the rules; return its address."""
        self._arrays.append(np.ascontiguousarray(array))
        return int(self._arrays[-1].ctypes.data)

    def _rule(self, check: Check) -> _Rule:
        rows, columns = check.inside
        ends = [set_of for set_of in (check.start, check.end) if set_of is not None]
        sites = [row * self.width + column for row, column in check.passages]
        return _Rule(
            check.kind,
            check.repairable,
            check.number,
            self._keep(np.bitwise_or.reduce([check.levels, *ends])),
            *(None if set_of is None else self._keep(set_of) for set_of in (check.start, check.end)),
            *(rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start),
            len(sites),
            self._keep(np.array(sites, np.int64)),
        )

    def begin(self, count: int) -> tuple[np.ndarray, MaskFields]:
        """Begin the masks of some images: their memory, and where their arrays lie in it.

        Raises:
            EngineError: if they are too large.
        """
        library = solver_library()
        size = library.pt_mask_memory(self.address, count)
        if size < 0:
            raise EngineError(f"{count:,} images of {self.height}x{self.width} are too many: use smaller batches.")
        memory = aligned(size)
        library.pt_mask_begin(self.address, count, memory.ctypes.data)
        return memory, MaskFields.from_address(memory.ctypes.data)
