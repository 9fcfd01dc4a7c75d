"""Base class of opcodes, their table, and the dependencies of channels on sub-pixels."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.engine.program import FeatureMap, FloatArray, Instruction, IntArray, Value, View

if TYPE_CHECKING:
    from pointillist.engine.numpy.arrays import InterpreterState

Call = Callable[[], Any]


@dataclass
class ChannelDependencies:
    """For each channel, the number of sub-pixels of its own site that it depends on.

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
    """Base class of opcodes. It treats each channel alone: `out[i] = f(inputs[i], constants[i])`."""

    can_narrow = True
    """True if an instruction can be narrowed to some of its channels."""

    def bind(self, instruction: Instruction, state: InterpreterState, column: int | None) -> list[Call]:
        """Return the calls that compute the output; `column` is None outside the parts of a site."""
        inputs = [state.read(view, column) for view in instruction.inputs]
        return self.calls(state.write(instruction, column), *inputs, *instruction.constants.values())

    def calls(self, out: FloatArray, *inputs: FloatArray) -> list[Call]:
        """Return the calls of an elementwise opcode. They may write to `out` before all inputs are read."""
        raise NotImplementedError

    def needs(self, instruction: Instruction, needs: ChannelDependencies) -> IntArray:
        """Return, for each output channel, the number of sub-pixels of its own site that it depends on."""
        result: IntArray = np.stack([needs.of(view) for view in instruction.inputs]).max(axis=0)
        return result

    def sources(self, instruction: Instruction, channel: int) -> list[View]:
        """Return the single channels from which one output channel is computed, for error messages."""
        return [view.narrow(channel, 1) for view in instruction.inputs]

    def narrow(self, instruction: Instruction, start: int, channels: int) -> Instruction:
        """Narrow an instruction to `channels` channels from channel `start` on."""
        return replace(
            instruction,
            output=None if instruction.output is None else instruction.output.narrow(start, channels),
            inputs=tuple(view.narrow(start, channels) for view in instruction.inputs),
            constants={name: array[start : start + channels] for name, array in instruction.constants.items()},
        )

    def flops(self, instruction: Instruction) -> int:
        """Count the floating-point operations per site."""
        return 0 if instruction.output is None else instruction.output.channels


OPCODES: dict[str, Opcode] = {}


def opcode(kind: type[Opcode]) -> type[Opcode]:
    """Register an opcode under its class name in capitals, such as SHIFT_DOWN for `ShiftDown`."""
    OPCODES[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).upper()] = kind()
    return kind


def copy_of(x: FloatArray, out: FloatArray) -> Call:
    """Return the call out = x: a ufunc, which avoids the Python code of `np.copyto`."""
    return partial(np.positive, x, out)


def number(value: float | int, like: FloatArray) -> FloatArray:
    """Make a constant in the precision of an array; numpy would convert a Python float at every call."""
    return np.array(value, like.dtype)
