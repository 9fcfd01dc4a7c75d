"""The integer arithmetic that defines integer programs: shifts that round, tables, and products.

    shift(x, s) = floor((x + 2^(s-1)) / 2^s)   for s > 0: to the nearest, halves upwards
    shift(x, s) = x 2^-s                       for s <= 0

A right shift of a negative integer rounds down, in numpy, in torch, in C and in LLVM (`ashr`), so all of them agree.
Products are taken in floating point, where sums of integers are exact in any order while they stay below 2^24 (float32)
or 2^53 (float64), so BLAS does the work.

Functions that numpy and torch spell differently stand here too, so that the arithmetic is written once for both.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from pointillist.engine.program import IntArray

Array: TypeAlias = Any
"""An array of numpy, or a tensor of torch."""
SHIFTS = ("shift", "left", "right", "gate")
"""Constants of instructions that are shifts of channels."""
HALF_BITS = 16
"""Bits of the lower half of a wide value in a product."""


def library_of(x: Array) -> Any:
    """Return the module of an array: numpy, or torch, which is not imported here."""
    return sys.modules[type(x).__module__.partition(".")[0]]


def int64(x: Array) -> Array:
    """Convert to 64 bits."""
    return x.long() if hasattr(x, "long") else x.astype("int64")


def double(x: Array) -> Array:
    """Convert to double precision, in which products of matrices of integers are taken."""
    return x.double() if hasattr(x, "double") else x.astype("float64")


def count_like(count: int, x: Array) -> Array:
    """Return 0, 1, ... in the library and on the device of an array."""
    library = library_of(x)
    return library.arange(count, device=x.device) if hasattr(x, "long") else library.arange(count)


def take_last(x: Array, index: Array) -> Array:
    """Read entries of the last axis, at as many indices for each of the other axes."""
    library = library_of(x)
    take = library.take_along_dim if hasattr(x, "long") else library.take_along_axis
    return take(x, index, -1)


def cast(x: Array, like: Array) -> Array:
    """Convert to the type of another array."""
    return x.to(like.dtype) if hasattr(x, "long") else x.astype(like.dtype)


class Shift(NamedTuple):
    """Shifts of the channels of a value: `((x << left) + half) >> right`."""

    left: Array | None
    half: Array
    right: Array


def shifts(by: IntArray) -> Shift:
    """Prepare shifts to the right, or to the left where `by` is negative."""
    by = np.asarray(by, np.int64)
    right, left = np.maximum(by, 0), np.maximum(-by, 0)
    return Shift(left if left.any() else None, (np.int64(1) << right) >> 1, right)


def shift(x: Array, by: Shift) -> Array:
    """Divide by a power of two and round to the nearest, or multiply; `x` has 64 bits.

    ```python
    shift(np.array([5, -5]), shifts(np.array([1, 1])))  # [3, -2]
    ```
    """
    moved = x if by.left is None else x << by.left
    return (moved + by.half) >> by.right


def shift_bits(x: Array, bits: int) -> Array:
    """Divide by `2 ** bits` and round to the nearest, halves upwards; `bits` is positive."""
    return (x + (1 << (bits - 1))) >> bits


def lookup(table: Array, x: Array) -> Array:
    """Read a table of odd length, with 0 in its middle; its ends hold beyond."""
    middle = len(table) // 2
    return table[x.clip(-middle, middle) + middle]


def interpolate(table: Array, x: Array) -> Array:
    """Read a table of odd length at arguments in steps of 2^-16, 0 in its middle, by linear interpolation."""
    middle = len(table) // 2
    index = ((x >> 8) + middle).clip(0, len(table) - 2)
    inside = (x - ((index - middle) << 8)).clip(0, 256)
    low, high = int64(table[index]), int64(table[index + 1])
    return low + (((high - low) * inside) >> 8)


def bit_length(x: Array) -> Array:
    """Return the number of bits of positive integers."""
    library = library_of(x)
    result, rest = library.zeros_like(x), x
    for step in (32, 16, 8, 4, 2, 1):
        large = rest >= (1 << step)
        result = result + library.where(large, step, 0)
        rest = library.where(large, rest >> step, rest)
    return result + 1


def matmul(x: Array, y: Array) -> Array:
    """Multiply matrices of integers, the second in a floating-point type that holds the sums."""
    return int64(cast(x, y) @ y)


def matmul_wide(x: Array, matrix: Array) -> Array:
    """Multiply values of 32 bits by weights of 16: two products, of 16 bits of the values each."""
    high = x >> HALF_BITS
    low = x - (high << HALF_BITS)
    return (matmul(high, matrix) << HALF_BITS) + matmul(low, matrix)


def prepare(name: str, array: IntArray) -> Any:
    """Return a constant of an instruction as it is computed with: a `Shift`, a matrix of floats, or int64."""
    if name in SHIFTS:
        return shifts(array)
    if name == "matrix":
        largest = 255 * int(np.abs(array.astype(np.int64)).sum(axis=0).max(initial=0))
        return array.astype(np.float32 if array.dtype == np.int8 and largest < 2**24 else np.float64)
    return array.astype(np.int64)
