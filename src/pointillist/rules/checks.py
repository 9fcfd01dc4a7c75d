"""Rules that concern a whole map, checked over the levels that its sites may still have.

While a map is drawn, a check says whether the rule may still hold; after the last site it says whether it holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt64

from pointillist.engine.constraints.flood_fill import flood_fill

Bits = UInt64[np.ndarray, "sites words"]


def may_have(domains: Bits, levels: UInt64[np.ndarray, " words"]) -> Bool[np.ndarray, " sites"]:
    """Mark the sites that may have one of some levels."""
    return np.asarray((domains & levels).any(-1))


def must_have(domains: Bits, levels: UInt64[np.ndarray, " words"]) -> Bool[np.ndarray, " sites"]:
    """Mark the sites that can have nothing but one of some levels."""
    return np.asarray(~(domains & ~levels).any(-1))


def reachable(
    passable: Bool[np.ndarray, " sites"], start: Bool[np.ndarray, " sites"], width: int
) -> Bool[np.ndarray, " sites"]:
    """Mark the passable sites that can be reached from some of them.

    Example:
        reachable(np.array([True, True, False, True]), np.array([True, False, False, False]), 4)
    """
    reached = (start & passable).astype(np.uint8)
    flood_fill(passable.astype(np.uint8), reached, np.empty(len(passable), np.int64), width)
    return np.asarray(reached, bool)


@dataclass(frozen=True)
class AtLeast:
    """At least `number` sites have one of some levels."""

    name: str
    levels: UInt64[np.ndarray, " words"]
    number: int
    repairable: bool = False  # the last rows are no more at fault than others

    def may_hold(self, domains: Bits, height: int, width: int) -> bool:
        """Return True if so many sites may have one."""
        return int(may_have(domains, self.levels).sum()) >= self.number


@dataclass(frozen=True)
class OnePiece:
    """All sites of some levels form one piece."""

    name: str
    levels: UInt64[np.ndarray, " words"]
    repairable: bool = True

    def may_hold(self, domains: Bits, height: int, width: int) -> bool:
        """Return True if all sites that must have one can be joined by sites that may have one."""
        needed = must_have(domains, self.levels)
        if not needed.any():
            return True
        first = np.zeros_like(needed)
        first[needed.argmax()] = True
        return bool(reachable(may_have(domains, self.levels), first, width)[needed].all())


@dataclass(frozen=True)
class HasPath:
    """A path leads from a site of one level to a site of another."""

    name: str
    start: UInt64[np.ndarray, " words"]
    end: UInt64[np.ndarray, " words"]
    through: UInt64[np.ndarray, " words"]
    repairable: bool = True

    def may_hold(self, domains: Bits, height: int, width: int) -> bool:
        """Return True if sites that may be on a path join an end to an end."""
        passable = may_have(domains, self.start | self.end | self.through)
        reached = reachable(passable, may_have(domains, self.start), width)
        return bool((reached & may_have(domains, self.end)).any())
