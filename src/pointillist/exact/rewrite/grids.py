"""Choose the grids: the power of two that an integer of each channel stands for."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.exact.program import NARROW_RANGE

Array = NDArray[Any]
WIDE_BITS = 16
"""Bits of the largest magnitude of a wide value; ten more are left for values beyond those of the calibration."""
TRIED = 3
"""Units tried for a channel of a narrow value: the one that clips nothing, and so many halves of it."""
TINY = 2.0**-40
FACTOR_BITS = 13
"""Bits of a constant factor after its first."""
MAX_WEIGHT = 127
"""Largest magnitude of a weight."""


def power(x: Array) -> Array:
    """Return the largest power of two that is at most each number; `TINY` for less."""
    found: Array = 2.0 ** np.floor(np.log2(np.maximum(x, TINY)))
    return found


def wide_unit(largest: Array) -> float:
    """Return the unit of a wide value whose largest magnitudes are these."""
    return float(power(np.maximum(largest.max(initial=0), 2.0**-12))) * 2.0 ** (1 - WIDE_BITS)


def narrow_units(samples: Array, *, signed: bool) -> Array:
    """Choose the units of the channels of a narrow value, by the least mean square error on samples.

    Args:
        samples: `[sites, c]`.
        signed: whether the value may be negative.
    """
    samples = samples.astype(np.float64)
    low, high = NARROW_RANGE[signed]
    largest = np.abs(samples).max(axis=0)
    first = 2.0 ** np.ceil(np.log2(np.maximum(largest, TINY) / high))
    # a channel that is almost silent gets no finer grid than its neighbours need
    first = np.maximum(first, first.max() * 2.0**-8)
    best, least = first, np.full(len(first), np.inf)
    for halving in range(TRIED):
        unit = first * 2.0**-halving
        rounded = np.clip(np.floor(samples / unit + 0.5), low, high) * unit
        error = ((rounded - samples) ** 2).mean(axis=0)
        best, least = np.where(error < least, unit, best), np.minimum(error, least)
    units: Array = best
    return units


def shifts(to: Array | float, of: Array | float) -> Array:
    """Return the shifts from one unit to another."""
    found: Array = np.round(np.log2(np.asarray(to) / np.asarray(of))).astype(np.int8)
    return found
