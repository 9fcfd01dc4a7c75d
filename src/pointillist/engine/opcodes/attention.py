"""Opcodes of attention: to earlier sites through a KV cache, and to tokens."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from pointillist.engine.opcodes.base import Call, ChannelDependencies, Opcode, opcode
from pointillist.engine.opcodes.sites import SiteOpcode
from pointillist.engine.program import FeatureMap, FloatArray, Instruction, IntArray, KeyValueCache, View

if TYPE_CHECKING:
    from pointillist.engine.numpy.arrays import InterpreterState


@opcode
class StoreKv(SiteOpcode):
    """Store keys and values after the draw of a site: cache[site] = x."""

    def bind(self, instruction: Instruction, state: InterpreterState, column: int | None) -> list[Call]:
        return [
            partial(
                _store_kv, state, _kv_cache(instruction), _column(column), state.read(instruction.inputs[0], column)
            )
        ]


class _AttentionOpcode(Opcode):
    """Base class of both kinds of attention: a query and a result for each head."""

    def needs(self, instruction: Instruction, needs: ChannelDependencies) -> IntArray:
        cache = _kv_cache(instruction)
        of_heads = needs.of(instruction.inputs[0]).reshape(-1, cache.key_width).max(axis=1)
        return np.repeat(of_heads, cache.value_width)

    def sources(self, instruction: Instruction, channel: int) -> list[View]:
        cache = _kv_cache(instruction)
        first = channel // cache.value_width * cache.key_width
        return [instruction.inputs[0].narrow(first + i, 1) for i in range(cache.key_width)]

    def narrow(self, instruction: Instruction, start: int, channels: int) -> Instruction:
        cache = _kv_cache(instruction)
        first, count = start // cache.value_width, channels // cache.value_width  # runs are of whole heads
        return replace(
            instruction,
            output=None if instruction.output is None else instruction.output.narrow(start, channels),
            inputs=(
                instruction.inputs[0].narrow(first * cache.key_width, count * cache.key_width),
                *instruction.inputs[1:],
            ),
            head=instruction.head + first,
        )

    def flops(self, instruction: Instruction) -> int:
        """Count a multiplication and an addition for each channel of each key and value."""
        cache = _kv_cache(instruction)
        return 2 * (instruction.inputs[0].channels + super().flops(instruction)) * cache.length


@opcode
class Attend(_AttentionOpcode):
    """Attend to all earlier sites: out = softmax(x . key / sqrt(d)) value, head by head; 0 at the first site."""

    def bind(self, instruction: Instruction, state: InterpreterState, column: int | None) -> list[Call]:
        query, out = state.read(instruction.inputs[0], column), state.write(instruction, column)
        return [partial(_attend, state, _kv_cache(instruction), instruction.head, _column(column), query, out)]

    def flops(self, instruction: Instruction) -> int:
        """Count the operations of an average site, which has half of all sites before it."""
        return super().flops(instruction) // 2


@opcode
class CrossAttend(_AttentionOpcode):
    """Attend to the tokens of a prompt: out = softmax(x . key / sqrt(d) + bias) value, head by head.

    The second input holds the biases (0, or minus infinity for padding), the keys, feature by feature, and the values,
    token by token.
    """

    def bind(self, instruction: Instruction, state: InterpreterState, column: int | None) -> list[Call]:
        query, packed = (state.read(view, column) for view in instruction.inputs)
        out = state.write(instruction, column)
        return [partial(_cross_attend, _kv_cache(instruction), instruction.head, query, packed, out)]


def _kv_cache(instruction: Instruction) -> KeyValueCache:
    if not isinstance(instruction.map, KeyValueCache):
        raise ValueError(f"{instruction.opcode} without a KV cache")
    return instruction.map


def _column(column: int | None) -> int:
    if column is None:
        raise ValueError("attention is computed at a site")
    return column


def _store_kv(state: InterpreterState, cache: FeatureMap, column: int, x: FloatArray) -> None:
    np.copyto(state.kv_caches[cache][:, state.row * state.program.width + column], x)


def _attend(
    state: InterpreterState, cache: KeyValueCache, head: int, column: int, query: FloatArray, out: FloatArray
) -> None:
    site = state.row * state.program.width + column
    if site == 0:
        out[...] = 0
        return
    heads = query.shape[-1] // cache.key_width
    first = cache.key_channels + head * cache.value_width
    entries = state.kv_caches[cache][:, :site]
    keys = entries[..., head * cache.key_width : (head + heads) * cache.key_width]
    values = entries[..., first : first + heads * cache.value_width]
    queries = query.reshape(len(query), heads, 1, -1) * np.array(cache.key_width**-0.5, query.dtype)
    scores = queries @ _by_head(keys, heads).swapaxes(2, 3)  # [b, heads, 1, sites]
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights /= weights.sum(axis=3, keepdims=True)
    np.copyto(out, (weights @ _by_head(values, heads)).reshape(out.shape))


def _cross_attend(cache: KeyValueCache, head: int, query: FloatArray, packed: FloatArray, out: FloatArray) -> None:
    batch, tokens, heads = len(query), cache.length, query.shape[-1] // cache.key_width
    packed, chosen = packed.reshape(batch, -1), slice(head, head + heads)
    bias, keys, values = np.split(packed, [tokens, tokens * (1 + cache.key_channels)], axis=1)
    keys = keys.reshape(batch, cache.num_heads, cache.key_width, tokens)[:, chosen]
    values = values.reshape(batch, tokens, cache.num_heads, cache.value_width)[:, :, chosen].swapaxes(1, 2)
    queries = query.reshape(batch, -1, heads, cache.key_width).swapaxes(1, 2)  # [b, heads, columns, k]
    scores = queries * np.array(cache.key_width**-0.5, query.dtype) @ keys + bias[:, None, None]
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    weights /= weights.sum(axis=3, keepdims=True)
    np.copyto(out, (weights @ values).swapaxes(1, 2).reshape(out.shape))


def _by_head(x: FloatArray, heads: int) -> FloatArray:
    """Reshape `[b, sites, heads * c]` to `[b, heads, sites, c]`, without a copy."""
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)
