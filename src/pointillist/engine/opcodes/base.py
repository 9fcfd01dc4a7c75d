"""What every opcode can do, and the table of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pointillist.engine.program import FeatureMap, FloatArray, Instruction, IntArray, Value, View
from pointillist.engine.weights import Weights

if TYPE_CHECKING:
    from pointillist.engine.numpy.arrays import InterpreterState

Call = Callable[[], Any]


@dataclass
class ChannelDependencies:
    """How many sub-pixels of its own site each channel needs: of values, and of maps at the site itself."""

    values: dict[Value, IntArray] = field(default_factory=dict)
    maps: dict[FeatureMap, IntArray] = field(default_factory=dict)

    def of(self, view: View) -> IntArray:
        """Of the channels of a view; values of earlier levels need none."""
        if view.value not in self.values:
            return np.zeros(view.channels, np.int64)
        return self.values[view.value][view.start : view.start + view.channels]

    def note(self, view: View, needs: IntArray) -> None:
        """Remember the needs of a view that has just been made."""
        whole = self.values.setdefault(view.value, np.zeros(view.value.channels, np.int64))
        part = slice(view.start, view.start + view.channels)
        whole[part] = np.maximum(whole[part], needs)  # a value may be made one way in even rows, another in odd ones


class Opcode:
    """Base of all opcodes; by itself, one that treats each channel alone: `out[i] = f(inputs[i], constants[i])`."""

    can_narrow = True
    """Whether an instruction can be cut to a run of its channels."""

    def bind(self, instruction: Instruction, state: InterpreterState, column: int | None) -> list[Call]:
        """The calls that compute the output; `column` is None outside the pixel part."""
        inputs = [state.read(view, column) for view in instruction.inputs]
        constants = [state.program.constant(block) for block in instruction.constants]
        return self.calls(state.write(instruction, column), *inputs, *constants)

    def calls(self, out: FloatArray, *inputs: FloatArray) -> list[Call]:
        """The calls of an elementwise opcode, which may write to `out` before they have read everything."""
        raise NotImplementedError

    def needs(self, instruction: Instruction, needs: ChannelDependencies, weights: Weights) -> IntArray:
        """How many sub-pixels of its own site each output channel needs."""
        found: IntArray = np.max([needs.of(view) for view in instruction.inputs], axis=0)
        return found

    def sources(self, instruction: Instruction, channel: int, weights: Weights) -> list[View]:
        """The single channels that one output channel is computed from: to explain in an error what it depends on."""
        return [view.narrow(channel, 1) for view in instruction.inputs]

    def narrow(self, instruction: Instruction, start: int, channels: int, weights: Weights) -> Instruction:
        """The same instruction for a run of its channels."""
        blocks = [weights.pack(weights.read(block)[start : start + channels]) for block in instruction.constants]
        return replace(
            instruction,
            output=None if instruction.output is None else instruction.output.narrow(start, channels),
            inputs=tuple(view.narrow(start, channels) for view in instruction.inputs),
            constants=tuple(blocks),
        )

    def flops(self, instruction: Instruction) -> int:
        """Floating-point operations per site."""
        return 0 if instruction.output is None else instruction.output.channels


OPCODES: dict[str, Opcode] = {}


def opcode(kind: type[Opcode]) -> type[Opcode]:
    """Enter an opcode into the table, under its class name in capitals."""
    OPCODES[re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).upper()] = kind()
    return kind


def copy_of(x: FloatArray, out: FloatArray) -> Call:
    """out = x; a ufunc, which unlike `np.copyto` is called without a detour through Python."""
    return partial(np.positive, x, out)


def number(value: float | int, like: FloatArray) -> FloatArray:
    """A constant in the precision of an array; numpy converts a Python float at every call."""
    return np.array(value, like.dtype)
