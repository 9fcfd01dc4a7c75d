"""The integer arithmetic of integer programs in torch; see `engine/integer/arithmetic.py`.

Only operations that every device has, and whose result is the same in any order: 64-bit sums, products, comparisons and
shifts. A right shift of a negative integer rounds down, in torch as in numpy.

CUDA has no matrix products of integers in torch. So they are taken in float64, in which a sum of integers is exact in
any order while it stays below 2^53. Float32 would be exact below 2^24, but torch may replace its products by those of
TF32 or bfloat16 (`torch.set_float32_matmul_precision`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from pointillist.engine.program import LIMIT, IntArray

HALF_BITS = 16
"""Bits of the lower half of a wide value in a product."""


class Shift(NamedTuple):
    """Shifts of the channels of a value: `((x << left) + half) >> right`."""

    left: Tensor | None
    half: Tensor
    right: Tensor


def shifts(by: IntArray, device: torch.device) -> Shift:
    """Prepare shifts to the right, or to the left where `by` is negative."""
    right, left = np.maximum(by, 0).astype(np.int64), np.maximum(-by.astype(np.int64), 0)

    def tensor(array: Any) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(device)

    return Shift(tensor(left) if left.any() else None, tensor((np.int64(1) << right) >> 1), tensor(right))


def shift(x: Tensor, by: Shift) -> Tensor:
    """Divide by a power of two and round to the nearest, halves upwards, or multiply; `x` is int64.

    ```python
    shift(torch.tensor([5, -5]), shifts(np.array([1, 1]), torch.device("cpu")))  # [3, -2]
    ```
    """
    moved = x if by.left is None else x << by.left
    return (moved + by.half) >> by.right


def shift_bits(x: Tensor, bits: int) -> Tensor:
    """Divide by `2 ** bits` and round to the nearest, halves upwards; `bits` is positive."""
    return (x + (1 << (bits - 1))) >> bits


def clamp(x: Tensor, low: int = -LIMIT, high: int = LIMIT) -> Tensor:
    """Clamp to a range."""
    return x.clamp(low, high)


def lookup(table: Tensor, x: Tensor) -> Tensor:
    """Read a table of odd length, with 0 in its middle; its ends hold beyond."""
    middle = len(table) // 2
    return table[x.clamp(-middle, middle) + middle]


def matmul(x: Tensor, y: Tensor) -> Tensor:
    """Multiply matrices of integers whose sums stay below 2^53, in float64.

    Those of narrow values by weights of 8 bits do, up to 2^38 channels.
    """
    return torch.matmul(x.double(), y.double()).long()


def matmul_wide(x: Tensor, matrix: Tensor) -> Tensor:
    """Multiply values of 32 bits by weights of 16: two products in float64, of 16 bits of the values each."""
    high = x >> HALF_BITS
    low = x - (high << HALF_BITS)
    return (matmul(high, matrix) << HALF_BITS) + matmul(low, matrix)
