"""Store matrices in fewer bytes without loss, by detecting the values of a quantized model.

A column of float32 is int8 with one scale if all its values are multiples of their greatest common divisor, by 127 at
most. A value is a bf16 if the lower half of its bits is zero. Any other matrix stays float32.
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
_FIRST_ROWS = 16  # usually enough to decide


class WeightFormat(IntEnum):
    """Storage format of a matrix."""

    FLOAT = 0
    BF16 = 1
    INT8 = 2


@dataclass(frozen=True)
class QuantizedMatrix:
    """A stored matrix `[k, n]`.

    Attributes:
        weight_format: its format.
        numbers: floats, the upper halves of floats, or int8.
        scales: of the columns, for int8.
    """

    weight_format: WeightFormat
    numbers: NDArray[np.generic]
    scales: FloatArray | None = None


def smallest(matrix: FloatArray) -> QuantizedMatrix:
    """Return the matrix in the smallest format that restores it to the bit."""
    if matrix.dtype == np.float32:
        found = _whole_numbers(matrix)
        if found is not None:
            return QuantizedMatrix(WeightFormat.INT8, *found)
        bits = np.ascontiguousarray(matrix).view(np.uint32)
        if not (bits & 0xFFFF).any():
            return QuantizedMatrix(WeightFormat.BF16, (bits >> 16).astype(np.uint16))
    return QuantizedMatrix(WeightFormat.FLOAT, matrix)


def _whole_numbers(matrix: FloatArray) -> tuple[NDArray[np.int8], FloatArray] | None:
    """Return int8 numbers and the scale of each column, or None. A zero may lose its sign, which changes no sum."""
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
    """Return the greatest common divisor of each column, or None where it is too small."""
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
