"""Constraints of a mask: sets of levels as bits, constraints between sites, and checks of whole images."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int, UInt64

from pointillist.engine.constraints.domains import WORD

Bits = UInt64[np.ndarray, "... words"]


@runtime_checkable
class Check(Protocol):
    """A rule that is checked after each row, over the levels that the sites may still have."""

    @property
    def name(self) -> str:
        """Name of the rule in messages."""

    @property
    def repairable(self) -> bool:
        """True if drawing the last rows again may help."""

    def may_hold(self, domains: Bits, height: int, width: int) -> bool:
        """Return False if no choice from the domains `[sites, words]` obeys the rule."""


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
