"""Matrices in fewer bytes, where that changes nothing: the values of a rounded model (`rounding.py`), found by looking.

A column of float32 is whole numbers times one scale if all its values are multiples of their greatest common divisor,
by 127 at most; a value is a bf16 if the lower half of its bits is zero. What is neither stays float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import FloatArray

LARGEST = 127
_DIGITS = 24
_WIDEST = 8  # powers of two between the values of a column: more cannot be whole numbers up to 127
_FIRST_ROWS = 16  # mostly they tell


class WeightFormat(IntEnum):
    """How a matrix lies in memory."""

    FLOAT = 0
    BF16 = 1
    INT8 = 2


@dataclass(frozen=True)
class QuantizedMatrix:
    """A matrix `[k, n]` as it is kept: floats, the upper halves of floats, or whole numbers with a scale a column."""

    weight_format: WeightFormat
    numbers: NDArray[np.generic]
    scales: FloatArray | None = None


def smallest(matrix: FloatArray) -> QuantizedMatrix:
    """The matrix in as few bytes as give it back to the bit."""
    if matrix.dtype == np.float32:
        found = _whole_numbers(matrix)
        if found is not None:
            return QuantizedMatrix(WeightFormat.INT8, *found)
        bits = np.ascontiguousarray(matrix).view(np.uint32)
        if not (bits & 0xFFFF).any():
            return QuantizedMatrix(WeightFormat.BF16, (bits >> 16).astype(np.uint16))
    return QuantizedMatrix(WeightFormat.FLOAT, matrix)


def _whole_numbers(matrix: FloatArray) -> tuple[NDArray[np.int8], FloatArray] | None:
    """Whole numbers and the scale of each column, or None. A zero may lose its sign, which no sum can tell."""
    for rows in (_FIRST_ROWS, len(matrix)):
        scales = _divisors(matrix[:rows])
        if scales is None:
            return None
        with np.errstate(all="ignore"):
            whole = np.rint(matrix / scales)
        if np.abs(whole).max(initial=0) <= LARGEST and np.array_equal(whole * scales, matrix):
            return whole.astype(np.int8), scales
    return None


def _divisors(matrix: FloatArray) -> FloatArray | None:
    """The greatest common divisor of each column, or None where it is too small."""
    digits, powers = np.frexp(matrix)
    used = matrix != 0
    least = np.where(used, powers, np.iinfo(powers.dtype).max).min(axis=0)
    least = np.where(used.any(axis=0), least, 0)
    shifts = np.where(used, powers - least, 0)
    if not np.isfinite(matrix).all() or shifts.max(initial=0) > _WIDEST:
        return None
    divisors = np.gcd.reduce(np.ldexp(digits, _DIGITS + shifts).astype(np.int64), axis=0)
    scales: FloatArray = np.ldexp(np.maximum(divisors, 1).astype(matrix.dtype), least - _DIGITS)
    return scales
