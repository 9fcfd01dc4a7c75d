"""Opcodes of attention: to earlier sites, whose keys and values are kept once they are drawn, and to tokens."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pointillist.engine.opcodes.base import Call, Opcode, opcode
from pointillist.engine.opcodes.sites import SiteOpcode
from pointillist.engine.program import FeatureMap, FloatArray, Instruction, IntArray, KeyValueCache, View
from pointillist.engine.weights import Weights

if TYPE_CHECKING:
    from pointillist.engine.channel_dependencies import ChannelDependencies
    from pointillist.engine.numpy.arrays import InterpreterState


@opcode
class StoreKV(SiteOpcode):
    """memory[site] = x, after the draw of the site"""

    def bind(self, instruction: Instruction, arrays: InterpreterState, column: int | None) -> list[Call]:
        return [
            partial(
                _remember, arrays, _memory(instruction), _column(column), arrays.read(instruction.inputs[0], column)
            )
        ]


class _AttentionOpcode(Opcode):
    """What both kinds of attention have in common: a query for each head, and an answer."""

    def needs(self, instruction: Instruction, needs: ChannelDependencies, weights: Weights) -> IntArray:
        memory = _memory(instruction)
        of_heads = needs.of(instruction.inputs[0]).reshape(-1, memory.key_width).max(axis=1)
        return np.repeat(of_heads, memory.value_width)

    def sources(self, instruction: Instruction, channel: int, weights: Weights) -> list[View]:
        memory = _memory(instruction)
        first = channel // memory.value_width * memory.key_width
        return [instruction.inputs[0].narrow(first + i, 1) for i in range(memory.key_width)]

    def narrow(self, instruction: Instruction, start: int, channels: int, weights: Weights) -> Instruction:
        memory = _memory(instruction)
        first, count = start // memory.value_width, channels // memory.value_width  # runs are of whole heads
        return replace(
            instruction,
            output=None if instruction.output is None else instruction.output.narrow(start, channels),
            inputs=(
                instruction.inputs[0].narrow(first * memory.key_width, count * memory.key_width),
                *instruction.inputs[1:],
            ),
            head=instruction.head + first,
        )

    def flops(self, instruction: Instruction) -> int:
        """A multiplication and an addition for each key and value that is looked at."""
        memory = _memory(instruction)
        return 2 * (instruction.inputs[0].channels + super().flops(instruction)) * memory.sites


@opcode
class Attend(_AttentionOpcode):
    """out = softmax(x . key / sqrt(d)) value over all earlier sites, head by head; 0 at the first site"""

    def bind(self, instruction: Instruction, arrays: InterpreterState, column: int | None) -> list[Call]:
        query, out = arrays.read(instruction.inputs[0], column), arrays.write(instruction, column)
        return [partial(_attend, arrays, _memory(instruction), instruction.head, _column(column), query, out)]

    def flops(self, instruction: Instruction) -> int:
        """At an average site, which has half of all sites before it."""
        return super().flops(instruction) // 2


@opcode
class CrossAttend(_AttentionOpcode):
    """out = softmax(x . key / sqrt(d) + bias) value over the tokens of a prompt, head by head

    The second input holds the biases (0, or minus infinity where there is no token), the keys, feature by feature, and
    the values, token by token.
    """

    def bind(self, instruction: Instruction, arrays: InterpreterState, column: int | None) -> list[Call]:
        query, told = (arrays.read(view, column) for view in instruction.inputs)
        out = arrays.write(instruction, column)
        return [partial(_cross_attend, _memory(instruction), instruction.head, query, told, out)]


def _memory(instruction: Instruction) -> KeyValueCache:
    if not isinstance(instruction.map, KeyValueCache):
        raise ValueError(f"{instruction.opcode} without a memory")
    return instruction.map


def _column(column: int | None) -> int:
    if column is None:
        raise ValueError("attention is computed at a site")
    return column


def _remember(arrays: InterpreterState, memory: FeatureMap, column: int, x: FloatArray) -> None:
    np.copyto(arrays.memories[memory][:, arrays.row * arrays.program.width + column], x)


def _attend(
    arrays: InterpreterState, memory: KeyValueCache, head: int, column: int, query: FloatArray, out: FloatArray
) -> None:
    site = arrays.row * arrays.program.width + column
    if site == 0:
        out[...] = 0
        return
    heads = query.shape[-1] // memory.key_width
    first = memory.keys + head * memory.value_width
    kept = arrays.memories[memory][:, :site]
    keys = kept[..., head * memory.key_width : (head + heads) * memory.key_width]
    values = kept[..., first : first + heads * memory.value_width]
    asked = query.reshape(len(query), heads, 1, -1) * np.array(memory.key_width**-0.5, query.dtype)
    scores = asked @ _by_head(keys, heads).swapaxes(2, 3)  # [b, heads, 1, sites]
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights /= weights.sum(axis=3, keepdims=True)
    np.copyto(out, (weights @ _by_head(values, heads)).reshape(out.shape))


def _cross_attend(memory: KeyValueCache, head: int, query: FloatArray, told: FloatArray, out: FloatArray) -> None:
    batch, tokens, heads = len(query), memory.sites, query.shape[-1] // memory.key_width
    told, chosen = told.reshape(batch, -1), slice(head, head + heads)
    bias, keys, values = np.split(told, [tokens, tokens * (1 + memory.keys)], axis=1)
    keys = keys.reshape(batch, memory.heads, memory.key_width, tokens)[:, chosen]
    values = values.reshape(batch, tokens, memory.heads, memory.value_width)[:, :, chosen].swapaxes(1, 2)
    asked = query.reshape(batch, -1, heads, memory.key_width).swapaxes(1, 2)  # [b, heads, columns, k]
    scores = asked * np.array(memory.key_width**-0.5, query.dtype) @ keys + bias[:, None, None]
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights /= weights.sum(axis=3, keepdims=True)
    np.copyto(out, (weights @ values).swapaxes(1, 2).reshape(out.shape))


def _by_head(x: FloatArray, heads: int) -> FloatArray:
    """`[b, sites, heads * c]` as `[b, heads, sites, c]`, without a copy."""
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)
