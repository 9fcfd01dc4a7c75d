"""The integer arithmetic that defines integer programs, in numpy: shifts that round, and clamps.

    shift(x, s) = floor((x + 2^(s-1)) / 2^s)   for s > 0: to the nearest, halves upwards
    shift(x, s) = x 2^-s                       for s <= 0

A right shift of a negative integer rounds down, in numpy, in C and in LLVM (`ashr`), so all of them agree.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.program import LIMIT, IntArray

MAX_SHIFT = 31


def shift(x: IntArray, by: IntArray) -> NDArray[np.int64]:
    """Divide by a power of two and round to the nearest, or multiply where `by` is negative; in 64 bits.

    ```python
    shift(np.array([5, -5]), np.array([1, 1]))  # [3, -2]
    ```
    """
    right, left = np.maximum(by, 0).astype(np.int64), np.maximum(-by, 0).astype(np.int64)
    half = (np.int64(1) << right) >> 1
    moved: NDArray[np.int64] = ((x.astype(np.int64) << left) + half) >> right
    return moved


def clamp(x: IntArray, low: int = -LIMIT, high: int = LIMIT) -> NDArray[np.int32]:
    """Clamp to a range of 32 bits."""
    return np.clip(x, low, high).astype(np.int32)


def matmul(x: IntArray, matrix: IntArray) -> NDArray[np.int64]:
    """Multiply matrices of integers, exactly.

    Floating-point products of integers are exact in any order of summation while every partial sum stays below 2^24
    (float32) or 2^53 (float64), so BLAS does the work.
    """
    largest = int(np.abs(matrix.astype(np.int64)).sum(axis=0).max(initial=0)) * int(np.abs(x).max(initial=0))
    number: Any = np.float32 if largest < 2**24 else np.float64
    if largest >= 2**53:
        whole: NDArray[np.int64] = np.matmul(x.astype(np.int64), matrix.astype(np.int64))
        return whole
    product: NDArray[np.int64] = np.matmul(x.astype(number), matrix.astype(number)).astype(np.int64)
    return product
