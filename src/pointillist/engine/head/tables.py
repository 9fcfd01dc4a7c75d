"""Tables of the integer distributions. They are computed in whole numbers, so that they are the same everywhere.

A program that has these tables does not store them: exp(-x) of a step is a fraction of integers of 160 bits, from its
series, and its powers are products. Every entry is rounded to the nearest integer.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.distributions.kinds import MANY

Table = NDArray[np.int32]
LOGIT_STEP, LOG_SCALE_STEP, FINE_STEP = 2.0**-8, 2.0**-8, 2.0**-16
STEPS = 256
"""Steps of an argument, for each unit."""
EXP_BITS = BITS = 24
EXP_REACH, SIGMOID_REACH, TANH_REACH = 16, 16, 8
"""The tables end here: exp is below 2^-23, and the others have reached their ends."""
SCALE_STEPS = STEPS
MIN_LOG_SCALE, MAX_LOG_SCALE = -7, 8
_PRECISION = 160
_UNIT = 1 << _PRECISION


def mean_bits(levels: int) -> int:
    """Return the bits of a mean on [-1, 1]: a step is 1 / 512 of a level, or less, for any number of levels.

    ```python
    mean_bits(256), mean_bits(65_536)  # (16, 22)
    ```
    """
    return 16 if levels <= MANY else 22


def position_bits(levels: int) -> int:
    """Return the bits of a position, which counts levels in steps of two to their power."""
    return 17 if levels <= MANY else 9


@cache
def _powers(steps: int, count: int) -> tuple[int, ...]:
    """Return exp(-i / steps) for i from 0 to `count`, in units of 2^-160."""
    term, base, n = _UNIT, _UNIT, 0  # exp(-1 / steps), term by term
    while term:
        n += 1
        term //= n * steps
        base += -term if n % 2 else term
    result = [_UNIT]
    for _ in range(count):
        result.append((result[-1] * base) >> _PRECISION)
    return tuple(result)


def _rounded(numerator: int, denominator: int) -> int:
    """Divide positive integers, and round to the nearest."""
    return (2 * numerator + denominator) // (2 * denominator)


@cache
def exp_table() -> Table:
    """Tabulate 2^24 exp(-i / 256); the last entry is 0."""
    powers = _powers(STEPS, EXP_REACH * STEPS)
    return _table([*(_rounded(power << EXP_BITS, _UNIT) for power in powers[:-1]), 0])


@cache
def sigmoid_table() -> Table:
    """Tabulate 2^24 sigmoid(i / 256), with the argument 0 in the middle."""
    powers = _powers(STEPS, SIGMOID_REACH * STEPS)
    above = [_rounded(_UNIT << BITS, _UNIT + power) for power in powers]
    return _table([*((1 << BITS) - number for number in above[:0:-1]), *above])


@cache
def tanh_table() -> Table:
    """Tabulate 2^16 tanh(i / 256), with the argument 0 in the middle."""
    powers = _powers(STEPS, 2 * TANH_REACH * STEPS)[::2]
    above = [_rounded((_UNIT - power) << 16, _UNIT + power) for power in powers]
    return _table([*(-number for number in above[:0:-1]), *above])


@cache
def inverse_table(levels: int, min_log_scale: int = MIN_LOG_SCALE) -> Table:
    """Tabulate 2^24 exp(-log_scale) 2 / (levels - 1), from the least log-scale on.

    At the largest number that an entry can have, the sigmoid reaches its ends half a level from the mean.
    """
    count = (MAX_LOG_SCALE - min_log_scale) * STEPS
    powers = _powers(STEPS, max(count, -min_log_scale * STEPS))
    largest = powers[-min_log_scale * STEPS]  # exp(-log_scale) is exp(-i / 256) / exp(min_log_scale)
    return _table(
        [min(_rounded(power << (BITS + 1), largest * (levels - 1)), 2**31 - 1) for power in powers[: count + 1]]
    )


def standard_tables(kind: str, levels: int, min_log_scale: int = MIN_LOG_SCALE) -> dict[str, Table]:
    """Return the tables of a distribution: exp; and of a mixture of logistics sigmoid, tanh and the inverse scales."""
    if kind != "mixture":
        return {"exp": exp_table()}
    inverse = inverse_table(levels, min_log_scale)
    return {"exp": exp_table(), "sigmoid": sigmoid_table(), "tanh": tanh_table(), "inverse": inverse}


def min_log_scale_of(inverse: NDArray[np.integer[Any]]) -> int:
    """Return the least log-scale of a table of inverse scales, from its length."""
    return MAX_LOG_SCALE - (len(inverse) - 1) // SCALE_STEPS


def _table(numbers: list[int]) -> Table:
    result = np.array(numbers, np.int32)
    result.setflags(write=False)
    return result
