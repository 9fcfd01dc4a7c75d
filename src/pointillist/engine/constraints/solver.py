"""Rules as `runtime/solver.h` reads them, and the masks of images in memory that the library fills."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool

from pointillist.engine.constraints.constraints import Check, Constraints, to_bits
from pointillist.engine.library import aligned, load_library
from pointillist.errors import ConfigError, EngineError

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
