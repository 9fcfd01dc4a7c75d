"""Base class of opcodes, their table and the types of their constants, and the dependencies of channels on sub-pixels.

Python checks constants of files by these types; `tools/make_opcodes.py` writes them for C, for JavaScript and for the
page on the format.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np

from pointillist.engine.arithmetic import Array, int64
from pointillist.engine.buffers import Buffers, Call, Region
from pointillist.engine.program import LIMIT, RANGES, FeatureMap, Instruction, IntArray, Value, View
from pointillist.errors import EngineError

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


Constants = Mapping[str, Any]
"""Constants of an instruction: arrays, and in integers as `arithmetic.prepare` returns them."""
INT32_MAX = 2**31 - 1
MAX_WIDE = 2**62
"""Largest magnitude of an intermediate result in 64 bits; see `docs/reference/program_format.md`."""


@dataclass
class ChannelDependencies:
    """For each channel, the number of sub-pixels of the same site that it depends on.

    Attributes:
        values: counts of the channels of values.
        maps: counts of the channels of feature maps, at the site itself.
    """

    values: dict[Value, IntArray] = field(default_factory=dict)
    maps: dict[FeatureMap, IntArray] = field(default_factory=dict)

    def of(self, view: View) -> IntArray:
        """Return the counts of the channels of a view; 0 for values of earlier phases."""
        if view.value not in self.values:
            return np.zeros(view.channels, np.int64)
        return self.values[view.value][view.start : view.start + view.channels]

    def note(self, view: View, needs: IntArray) -> None:
        """Record the counts of a view that has just been made."""
        whole = self.values.setdefault(view.value, np.zeros(view.value.channels, np.int64))
        part = slice(view.start, view.start + view.channels)
        whole[part] = np.maximum(whole[part], needs)  # even and odd rows may differ


class Opcode:
    """Meaning of an instruction over any region of the image, in floating point and in integers.

    By default an opcode treats each channel of each site alone. What follows "In the format:" in its docstring is its
    row in `docs/reference/program_format.md`.

    Attributes:
        inputs: least and largest number of its inputs.
        takes, makes: `wide` or `narrow`, for its first input and for its output in integers; None for either.
        each_channel: whether channel k of the output depends on channel k of the inputs alone.
        constants: its constants in integers, in the order of the library in C.
        code: the opcode that the library in C runs for it; None if it is this one.
        is_packed: whether the library has its constants in another form than files.
        has_floats, has_integers: whether it has a meaning in floating point, and in integers.
        can_narrow: whether an instruction can be narrowed to some of its channels.
    """

    inputs: ClassVar[tuple[int, int]] = (1, 1)
    takes: ClassVar[str | None] = None
    makes: ClassVar[str | None] = None
    each_channel = False
    constants: ClassVar[dict[str, ConstantType]] = {}
    code: ClassVar[str | None] = None
    is_packed = False
    has_floats = True
    has_integers = True
    can_narrow = True

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        """Return the call that runs an instruction over a region.

        With buffers by row it may be repeated in other rows, because their arrays stay where they are.
        """
        out, formula = buffers.output(i, region), self.formula(buffers, i)
        inputs = [buffers.read(view, region) for view in i.inputs]
        if not buffers.program.is_integer:
            return partial(_compute, out, formula, inputs)
        return partial(_compute_integers, out, formula, inputs, *output_range(i))

    def formula(self, buffers: Buffers, i: Instruction) -> Callable[..., Array]:
        """Return what computes the output of an instruction from its inputs, before it is clamped to its range."""
        return partial(self.integers if buffers.program.is_integer else self.floats, buffers.constants(i))

    def floats(self, c: Constants, *x: Array) -> Array:
        """Compute the output from the constants and the inputs, in floating point."""
        raise NotImplementedError

    def integers(self, c: Constants, *x: Array) -> Array:
        """Compute the output from the constants and the inputs, in integers, before it is clamped to its range."""
        raise NotImplementedError

    # ---- proof of causality, and cost, of recorded programs ----

    def needs(self, instruction: Instruction, needs: ChannelDependencies) -> IntArray:
        """Return, for each output channel, the number of sub-pixels of the same site that it depends on."""
        result: IntArray = np.stack([needs.of(view) for view in instruction.inputs]).max(axis=0)
        return result

    def sources(self, instruction: Instruction, channel: int) -> list[View]:
        """Return the single channels from which one output channel is computed, for error messages."""
        return [view.narrow(channel, 1) for view in instruction.inputs]

    def narrow(self, instruction: Instruction, start: int, channels: int) -> Instruction:
        return replace(
            instruction,
            output=None if instruction.output is None else instruction.output.narrow(start, channels),
            inputs=tuple(view.narrow(start, channels) for view in instruction.inputs),
            constants={name: array[start : start + channels] for name, array in instruction.constants.items()},
        )

    def flops(self, instruction: Instruction) -> int:
        """Count the floating-point operations per site."""
        return 0 if instruction.output is None else instruction.output.channels

    # ---- proof of ranges of integer programs ----

    def max_int32(self, i: Instruction) -> int:
        """Return the largest magnitude of an intermediate sum that is computed in 32 bits."""
        return 0

    def max_int64(self, i: Instruction) -> int:
        """Return the largest magnitude of an intermediate product or sum that is computed in 64 bits."""
        return 0

    def problem(self, i: Instruction) -> str | None:
        """Return what is wrong with the channels and kinds of an instruction from a file; None if nothing is."""
        if i.output is None or not i.inputs:
            return "a value is missing"
        if any(view.channels != i.output.channels for view in i.inputs):
            return "values of different channels are combined"
        return None


def _compute(out: Array, formula: Callable[..., Array], inputs: list[Array]) -> None:
    out[...] = formula(*inputs)


def _compute_integers(out: Array, formula: Callable[..., Array], inputs: list[Array], low: int, high: int) -> None:
    out[...] = formula(*map(int64, inputs)).clip(low, high)


def output_range(i: Instruction) -> tuple[int, int]:
    """Return the least and the largest integer of the output."""
    return RANGES[i.written.value.dtype]


OPCODES: dict[str, Opcode] = {}


def opcode(kind: type[Opcode]) -> type[Opcode]:
    """Register an opcode under its class name in capitals, such as SHIFT_DOWN for `ShiftDown`."""
    OPCODES[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).upper()] = kind()
    return kind


def prove_ranges(code: tuple[Instruction, ...]) -> None:
    """Prove that no sum of these integer instructions overflows, in 32 or 64 bits, whatever the inputs.

    Raises:
        EngineError: if one could.
    """
    for i in code:
        if i.opcode not in OPCODES or not OPCODES[i.opcode].has_integers:
            raise EngineError(f"The integer program has the unknown instruction `{i.opcode}`: upgrade pointillist.")
        largest = OPCODES[i.opcode].max_int32(i)
        if largest > INT32_MAX:
            raise EngineError(
                f"The integer program could overflow: a sum of `{i.opcode}` can reach {largest:,}, and 32 bits hold "
                f"{INT32_MAX:,}. Make it again with `pointillist quantize --integer`."
            )
        wide = OPCODES[i.opcode].max_int64(i)
        if wide > MAX_WIDE:
            raise EngineError(
                f"The integer program could overflow: a sum of `{i.opcode}` can reach {wide:,}, over the limit of "
                f"{MAX_WIDE:,}. Make it again with `pointillist quantize --integer`."
            )
