"""Base class of exact opcodes, and their table."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np

from pointillist.engine.integer.arithmetic import shift
from pointillist.engine.integer.numpy.frames import Frames, Region
from pointillist.engine.program import RANGES, Instruction, IntArray
from pointillist.errors import EngineError

INT32_MAX = 2**31 - 1


class IntegerOpcode(ABC):
    """Meaning of an instruction: over any region of the image, from integers to integers.

    Attributes:
        constants: names of its constants with the type in which each is stored.
    """

    constants: ClassVar[dict[str, str]] = {}

    @abstractmethod
    def run(self, frames: Frames, i: Instruction, region: Region) -> None:
        """Compute the output over a region."""

    def largest(self, i: Instruction) -> int:
        """Return the largest magnitude of an intermediate sum that is computed in 32 bits."""
        return 0

    def problem(self, i: Instruction) -> str | None:
        """Return what is wrong with the channels and kinds of an instruction from a file; None if nothing is."""
        if i.output is None or not i.inputs:
            return "it lacks a value"
        if any(view.channels != i.output.channels for view in i.inputs):
            return "values of different channels are combined"
        return None


INTEGER_OPCODES: dict[str, IntegerOpcode] = {}


def integer_opcode(kind: type[IntegerOpcode]) -> type[IntegerOpcode]:
    """Register an opcode under its class name in capitals, such as MULTIPLY for `Multiply`."""
    INTEGER_OPCODES[re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).upper()] = kind()
    return kind


def prove_ranges(code: tuple[Instruction, ...]) -> None:
    """Prove that no 32-bit sum of these instructions overflows, whatever the inputs.

    Raises:
        EngineError: if one could.
    """
    for i in code:
        if i.opcode not in INTEGER_OPCODES:
            raise EngineError(f"The integer program has the unknown instruction `{i.opcode}`: upgrade pointillist.")
        largest = INTEGER_OPCODES[i.opcode].largest(i)
        if largest > INT32_MAX:
            raise EngineError(
                f"The integer program could overflow: a sum of `{i.opcode}` can reach {largest:,}, and 32 bits hold "
                f"{INT32_MAX:,}. Make it again with `pointillist quantize --integer`."
            )


def output_range(i: Instruction) -> tuple[int, int]:
    """Return the least and the largest integer of the output."""
    assert i.output is not None
    return RANGES[i.output.value.dtype]


def lookup(table: IntArray, x: IntArray, by: IntArray) -> IntArray:
    """Read a table of odd length, with 0 in its middle, at `shift(x, by)`; its ends hold beyond."""
    middle = len(table) // 2
    result: IntArray = table[np.clip(shift(x, by), -middle, middle) + middle]
    return result
