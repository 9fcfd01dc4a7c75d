"""Constants of opcodes in integers: their types, shapes and ranges, for every reading of a program.

Python checks files by them; `tools/make_opcodes.py` writes them for C, for JavaScript and for the page on the format.
"""

from __future__ import annotations

from dataclasses import dataclass

from pointillist.engine.program import LIMIT

MAX_EXP = 2**24
"""Largest entry of a table of exponentials; the scale of its first entry."""
MAX_TABLE = 2**20
"""Most entries of a table."""


@dataclass(frozen=True)
class ConstantType:
    """Type, shape and range of a constant.

    Attributes:
        dtype: type in which it is stored.
        shape: its axes: `m` stands for the channels of the output, `n` for channels of the first input, `4m` for four
            times as many, `1` for one number, `odd` for a table; other names for any number.
        low: least number.
        high: largest number.
        bits: of shifts, the width of what is shifted; 0 for others.
    """

    dtype: str
    shape: tuple[str, ...] = ("m",)
    low: int = -(2**63)
    high: int = 2**63 - 1
    bits: int = 0

    def sizes(self, outputs: int, inputs: int) -> tuple[int | None, ...]:
        """Return the size of each axis; None for any."""
        known = {"m": outputs, "n": inputs, "4m": 4 * outputs, "1": 1}
        return tuple(known.get(axis) for axis in self.shape)

    @property
    def is_table(self) -> bool:
        """True for a table, which has an odd number of entries."""
        return self.shape == ("odd",)


def numbers(dtype: str, limit: int, *shape: str) -> ConstantType:
    """Return the type of numbers up to a limit in magnitude, one for each channel of the output."""
    return ConstantType(dtype, shape or ("m",), -limit, limit)


def shifts(left: int, *shape: str, bits: int = 32) -> ConstantType:
    """Return the type of shifts by at most `left` to the left; one of 32 bits by 31 to the right leaves nothing."""
    return ConstantType("int8", shape or ("m",), -left, 62, bits)


def table(dtype: str, low: int, high: int) -> ConstantType:
    """Return the type of a table whose entries lie in a range."""
    return ConstantType(dtype, ("odd",), low, high)


WIDE = numbers("int32", LIMIT)
"""One wide number for each channel."""
EXP = table("int32", 0, MAX_EXP)
"""Exponentials, from 2^24 on."""
