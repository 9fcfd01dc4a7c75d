"""Constraints of a mask: sets of levels as bits, constraints between sites, and rules of the whole image."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Int, UInt64

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
