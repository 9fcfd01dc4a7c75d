"""Opcodes that mix channels: matrix products, and recurrent layers over finished rows.

An LSTM in integers has its hidden state h in 8 bits, in steps of 2^-7, its cell state c in steps of 2^-14, and tables
of 2^14 tanh and 2^14 sigmoid at steps of 2^-8:

    gates   = clamp(x + shift(h @ matrix, by))               o, f, i, g
    o, f, i = sigmoid[shift(gates, gate)],   g = tanh[shift(gates, gate)]
    c       = clamp(shift(f c, 14) + shift(i g, 14))
    out     = shift(o tanh[shift(c, 6)], 14),   h = clamp(shift(out, 7))
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np

from pointillist.engine.arithmetic import Array, bit_length, int64, lookup, matmul, matmul_wide, shift, shift_bits
from pointillist.engine.buffers import Buffers, Call, Region
from pointillist.engine.opcodes.base import (
    WIDE,
    ChannelDependencies,
    Constants,
    ConstantType,
    Opcode,
    opcode,
    shifts,
    table,
)
from pointillist.engine.opcodes.elementwise import Elementwise, sigmoid
from pointillist.engine.program import INT8, LIMIT, RANGES, Instruction, IntArray, Phase, View


@opcode
class Linear(Opcode):
    """Matrix product: out = x @ matrix [+ bias] [+ start].

    The inputs are x and, optionally, a start. In integers x is narrow: out = shift(x @ matrix + bias, by) [+ start].

    In the format: shift(sum over j of x_j matrix[j, k] + bias, shift), plus y if there is a second input
    """

    inputs = (1, 2)
    takes = "narrow"
    makes = "wide"
    constants: ClassVar = {
        "matrix": ConstantType("int8", ("n", "m")),
        "bias": ConstantType("int32"),
        "shift": shifts(30),
    }
    is_packed = True

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        if buffers.program.is_integer:
            return super().bind(buffers, i, region)
        x, *terms = (buffers.read(view, region) for view in i.inputs)
        out, c = buffers.output(i, region), buffers.constants(i)
        rows, terms = _rows(x), [*([c["bias"]] if "bias" in c else []), *terms]
        assert buffers.held == "image" or np.shares_memory(rows, x), "a repeated call must not read a copy"
        return partial(_product, rows, c["matrix"], terms, out, _rows(out) if out.flags.c_contiguous else None)

    def integers(self, c: Constants, *x: Array) -> Array:
        out = shift(matmul(_rows(x[0]), c["matrix"]) + c["bias"], c["shift"]).reshape(*x[0].shape[:-1], -1)
        for start in x[1:]:
            out = out + start
        return out

    def needs(self, instruction: Instruction, needs: ChannelDependencies) -> IntArray:
        x, *start = instruction.inputs
        result: IntArray = ((instruction.constants["matrix"] != 0) * needs.of(x)[:, None]).max(axis=0)
        return np.maximum(result, needs.of(start[0])) if start else result

    def sources(self, instruction: Instruction, channel: int) -> list[View]:
        x, *start = instruction.inputs
        used = np.flatnonzero(instruction.constants["matrix"][:, channel]).tolist()
        return [x.narrow(row, 1) for row in used] + [view.narrow(channel, 1) for view in start]

    def narrow(self, instruction: Instruction, start: int, channels: int) -> Instruction:
        constants = {name: array[..., start : start + channels] for name, array in instruction.constants.items()}
        used = np.flatnonzero(constants["matrix"].any(axis=1))  # masks leave rows of zeros at the ends
        first, last = (int(used[0]), int(used[-1]) + 1) if used.size else (0, 1)
        x, *begin = instruction.inputs
        return replace(
            instruction,
            output=None if instruction.output is None else instruction.output.narrow(start, channels),
            inputs=(x.narrow(first, last - first), *(view.narrow(start, channels) for view in begin)),
            constants=constants | {"matrix": np.ascontiguousarray(constants["matrix"][first:last])},
        )

    def flops(self, instruction: Instruction) -> int:
        return 2 * instruction.constants["matrix"].size + super().flops(instruction)

    def max_int32(self, i: Instruction) -> int:
        """Bound each sum by its weights, and what is added to it by the shift and the start."""
        low, high = RANGES[i.inputs[0].value.dtype]
        matrix, by = i.constants["matrix"].astype(np.int64), i.constants["shift"].astype(np.int64)
        products = np.maximum(np.abs(matrix * low), np.abs(matrix * high)).sum(axis=0)
        # a machine may hold narrow values as unsigned numbers, x + 128, and take 128 times the weights off the bias
        unsigned = (np.abs(matrix) * 255).sum(axis=0) + 128 * np.abs(matrix.sum(axis=0))
        sums = np.maximum(products, unsigned) + np.abs(i.constants["bias"].astype(np.int64))
        before = (sums << np.maximum(-by, 0)) + ((1 << np.maximum(by, 0)) >> 1)
        after = (sums >> np.maximum(by, 0)) + 1 + (LIMIT if len(i.inputs) > 1 else 0)
        return int(np.maximum(before, after).max(initial=0))

    def problem(self, i: Instruction) -> str | None:
        if i.output is None or not 1 <= len(i.inputs) <= 2 or not i.inputs[0].is_narrow or i.output.is_narrow:
            return "it needs a narrow value, and makes a wide one"
        if len(i.inputs) == 2 and (i.inputs[1].channels != i.output.channels or i.inputs[1].is_narrow):
            return "it starts from another number of channels"
        return None


ROOT_BITS = 7
"""Bits of the place of a sum of squares in a table, which covers a factor of 4."""
SQUARED = 2**20
"""Largest magnitude of a number that RMS_NORM squares: the sums of 2^12 squares fit 53 bits."""


@opcode
class RmsNorm(Elementwise):
    """Divide by the root mean square over the channels: out = x / sqrt(mean of x^2 + epsilon).

    Zhang and Sennrich 2019, arXiv 1910.07467, without its gains. In integers the reciprocal root is a table.

    In the format: shift(x_k table[(S >> 2 q - 7) - 128], shift + q), with x clamped to 2^20, S = epsilon + sum of x^2
    and q = floor(log2(S) / 2)
    """

    each_channel = False
    constants: ClassVar = {
        "table": table("int16", 0, 2**15 - 1),
        "epsilon": ConstantType("int32", ("1",), 1, 2**30),
        "shift": ConstantType("int8", ("m",), -20, 24, bits=64),
    }
    can_narrow = False

    def floats(self, c: Constants, *x: Array) -> Array:
        return x[0] / ((x[0] * x[0]).mean(-1)[..., None] + c["epsilon"]) ** 0.5

    def integers(self, c: Constants, *x: Array) -> Array:
        h = x[0].clip(-SQUARED, SQUARED)
        squares = (h * h).sum(-1)[..., None] + c["epsilon"]
        half = (bit_length(squares) - 1) >> 1
        place = ((squares << ROOT_BITS) >> (2 * half)) - 2**ROOT_BITS
        moved, by = h * c["table"][place], c["shift"].right - (0 if c["shift"].left is None else c["shift"].left) + half
        right, left = by.clip(0, None), (-by).clip(0, None)
        return ((moved << left) + ((1 << right) >> 1)) >> right

    def needs(self, instruction: Instruction, needs: ChannelDependencies) -> IntArray:
        return np.full(instruction.inputs[0].channels, needs.of(instruction.inputs[0]).max())

    def problem(self, i: Instruction) -> str | None:
        size = 3 * 2**ROOT_BITS + 1
        return f"its table has not {size} entries" if len(i.constants["table"]) != size else super().problem(i)


@opcode
class Project(Opcode):
    """Matrix product of a wide vector of integers, once an image, in 64 bits: out = shift(x @ matrix + bias, by).

    In the format: the same without y, in phase 0
    """

    takes = makes = "wide"
    constants: ClassVar = {
        "matrix": ConstantType("int16", ("n", "m")),
        "bias": ConstantType("int64"),
        "shift": shifts(62, bits=64),
    }
    has_floats = False

    def integers(self, c: Constants, *x: Array) -> Array:
        return shift(matmul_wide(x[0], c["matrix"]) + c["bias"], c["shift"])

    def max_int64(self, i: Instruction) -> int:
        weights = np.abs(i.constants["matrix"].astype(object)).sum(axis=0)
        sums = LIMIT * weights + np.abs(i.constants["bias"].astype(object))
        return max(int(total) << max(0, -int(by)) for total, by in zip(sums, i.constants["shift"], strict=True))

    def problem(self, i: Instruction) -> str | None:
        if i.output is None or len(i.inputs) != 1 or i.phase != Phase.IMAGE or i.output.is_narrow:
            return "it makes one wide vector of another"
        return None


def _product(x: Array, matrix: Array, terms: list[Array], out: Array, flat: Array | None) -> None:
    if flat is None:
        out[...] = (x @ matrix).reshape(out.shape)
    else:
        x.dot(matrix, flat)
    for term in terms:
        np.add(out, term, out)


def _rows(x: Array) -> Array:
    """Reshape `[b, rows, columns, c]` to `[sites, c]`, so that one product serves all sites."""
    return x.reshape(-1, x.shape[-1])


STATE_BITS, HIDDEN_BITS, TABLE_BITS = 14, 7, 8
State = tuple[Array, Array]
"""Hidden state and cell state."""


@opcode
class Scan(Opcode):
    """Run an LSTM along the row: gates from x + hidden state of the neighbour @ matrix; out = hidden state.

    The constants are the matrix and the initial hidden and cell states. The tap tells the side of the previous site.
    See `nn/functional/recurrence.py`.

    In the format: a row at once; see below
    """

    takes = makes = "wide"
    constants: ClassVar = {
        "matrix": ConstantType("int8", ("m", "4m")),
        "shift": shifts(30, "4m"),
        "gate": shifts(4, "4m"),
        "tanh": table("int16", -(2**STATE_BITS), 2**STATE_BITS),
        "sigmoid": table("int16", -(2**STATE_BITS), 2**STATE_BITS),
        "hidden": WIDE,
        "cell": WIDE,
    }
    is_packed = True
    can_narrow = False

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        step = _step_integers if buffers.program.is_integer else _step
        x, out, c = buffers.read(i.inputs[0], region), buffers.output(i, region), buffers.constants(i)
        return partial(_scan, step, c, columns_from(i, x), x, out)

    def flops(self, instruction: Instruction) -> int:
        matrix = instruction.constants["matrix"]
        return 2 * matrix.size + 4 * int(matrix.shape[1])

    def max_int32(self, i: Instruction) -> int:
        matrix, by = i.constants["matrix"].astype(np.int64), i.constants["shift"].astype(np.int64)
        sums = (np.abs(matrix) * 255).sum(axis=0) + 128 * np.abs(matrix.sum(axis=0))
        return int(np.maximum(sums << np.maximum(-by, 0), LIMIT + 1 + (sums >> np.maximum(by, 0))).max(initial=0))

    def problem(self, i: Instruction) -> str | None:
        if i.output is None or len(i.inputs) != 1 or i.inputs[0].is_narrow or i.output.is_narrow:
            return "it makes a wide value of another"
        d = i.output.channels
        if i.inputs[0].channels != 4 * d or i.constants["matrix"].shape != (d, 4 * d) or len(i.taps) != 1:
            return "its channels do not fit"
        return None


def columns_from(i: Instruction, x: Array) -> range:
    """Return the columns of a value in the order of a recurrence."""
    ((_, side),) = i.taps
    return range(x.shape[2])[:: 1 if side < 0 else -1]


def _scan(
    step: Callable[[Constants, Array, State], tuple[Array, State]], c: Constants, columns: range, x: Array, out: Array
) -> None:
    state = c["hidden"], c["cell"]
    for column in columns:
        out[:, :, column], state = step(c, x[:, :, column], state)


def _step(c: Constants, x: Array, state: State) -> tuple[Array, State]:
    hidden, cell = state
    d = hidden.shape[-1]
    pre = x + hidden @ c["matrix"]
    gates = sigmoid(pre[..., : 3 * d])
    cell = gates[..., d : 2 * d] * cell + gates[..., 2 * d :] * np.tanh(pre[..., 3 * d :])
    hidden = gates[..., :d] * np.tanh(cell)
    return hidden, (hidden, cell)


def _step_integers(c: Constants, x: Array, state: State) -> tuple[Array, State]:
    """Return the output and the state after one cell, in integers; see the head of this file."""
    hidden, cell = state
    d = hidden.shape[-1]
    gates = (int64(x) + shift(matmul(hidden, c["matrix"]), c["shift"])).clip(-LIMIT, LIMIT)
    arguments = shift(gates, c["gate"])
    squashed, candidate = lookup(c["sigmoid"], arguments[..., : 3 * d]), lookup(c["tanh"], arguments[..., 3 * d :])
    o, f, i = (squashed[..., part * d : (part + 1) * d] for part in range(3))
    cell = (shift_bits(f * cell, STATE_BITS) + shift_bits(i * candidate, STATE_BITS)).clip(-LIMIT, LIMIT)
    out = shift_bits(o * lookup(c["tanh"], shift_bits(cell, STATE_BITS - TABLE_BITS)), STATE_BITS)
    return out, (shift_bits(out, STATE_BITS - HIDDEN_BITS).clip(*RANGES[INT8]), cell)
