"""Small networks over prompts in integers: the same bits on every platform, in any order of the sums.

A number x stands as the integer round(2^18 x), of magnitude at most 2^24; a weight as round(2^20 w), at most 2^22; a
bias as round(2^38 b), at most 2^60. Rounding is to the nearest, halves upwards. With S the table of
round(2^24 / (1 + exp(-i / 256))), i = -4096 .. 4096, read by linear interpolation, its ends beyond,

    linear(x) = floor((sum of weight x + bias + 2^19) / 2^20)
    silu(x)   = floor((x S(x) + 2^23) / 2^24)

A sum of up to 2^16 products stays below 2^62.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.errors import ConfigError

Integers = NDArray[np.int64]
BITS, WEIGHT_BITS = 18, 20
LIMIT, WEIGHT_LIMIT, BIAS_LIMIT = 1 << 24, 1 << 22, 1 << 60
MAX_TERMS = 1 << 16
_TABLE_BITS, _STEP_BITS, _REACH = 24, 8, 16
_ARGUMENTS = np.arange(-_REACH << _STEP_BITS, (_REACH << _STEP_BITS) + 1) / (1 << _STEP_BITS)
SIGMOID: Integers = np.floor(2.0**_TABLE_BITS / (1 + np.exp(-_ARGUMENTS)) + 0.5).astype(np.int64)
"""No entry lies near a half before it is rounded, so that every library of mathematics rounds it so."""


def to_fixed(x: NDArray[np.floating[Any]], bits: int = BITS, limit: int = LIMIT) -> Integers:
    """Round numbers to integers in steps of `2 ** -bits`, of magnitude at most `limit`."""
    result: Integers = np.clip(np.floor(x.astype(np.float64) * 2.0**bits + 0.5), -limit, limit).astype(np.int64)
    return result


def from_fixed(x: Integers) -> NDArray[np.float64]:
    """Return the numbers that integers stand for, without rounding."""
    return x / 2.0**BITS


def linear(x: Integers, weight: NDArray[np.floating[Any]], bias: NDArray[np.floating[Any]]) -> Integers:
    """Apply a linear layer to `[in]`.

    Raises:
        ConfigError: if it has too many inputs.
    """
    if len(x) > MAX_TERMS:
        raise ConfigError(f"An encoder of prompts has {len(x):,} inputs, which must be at most {MAX_TERMS:,}.")
    total = to_fixed(weight, WEIGHT_BITS, WEIGHT_LIMIT) @ x.clip(-LIMIT, LIMIT)
    total = total + to_fixed(bias, BITS + WEIGHT_BITS, BIAS_LIMIT)
    result: Integers = (total + (1 << (WEIGHT_BITS - 1))) >> WEIGHT_BITS
    return result


def silu(x: Integers) -> Integers:
    """Apply x sigmoid(x)."""
    x = x.clip(-LIMIT, LIMIT)
    inside = BITS - _STEP_BITS
    index = ((x >> inside) + len(SIGMOID) // 2).clip(0, len(SIGMOID) - 2)
    rest = (x - ((index - len(SIGMOID) // 2) << inside)).clip(0, 1 << inside)
    low = SIGMOID[index]
    squashed = low + (((SIGMOID[index + 1] - low) * rest) >> inside)
    result: Integers = (x * squashed + (1 << (_TABLE_BITS - 1))) >> _TABLE_BITS
    return result
