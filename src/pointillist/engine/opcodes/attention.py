"""Opcodes of attention: to earlier sites through a KV cache, and to tokens.

In integers, with the scores s_j = q . k_j and m their maximum, over the entries j before the site, and E the table of
2^24 exp(-i / 256),

    e_j = E[floor((m - s_j) factor / 2^16)]                  (0 beyond the table)
    out = floor((2^9 sum of e_j v_j + sum of e_j) / (2 sum of e_j))       in steps of 2^-8 of the values

so that the factor holds the units of queries and keys, and 1 / sqrt(d). There is nothing to attend to at the first
site: there the output is 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import ClassVar

import numpy as np

from pointillist.engine.arithmetic import Array, int64, matmul
from pointillist.engine.buffers import Buffers, Call, Region
from pointillist.engine.opcodes.base import ChannelDependencies, Constants, Opcode, opcode, output_range
from pointillist.engine.program import Instruction, IntArray, KeyValueCache, View

FACTOR_BITS = 16
VALUE_BITS = 8
MAX_SITES = 2**18
"""More entries could overflow 64 bits."""
Mean = Callable[[Array, Array, Array], Array]
"""Takes the mean of values `[b, heads, n, v]`, weighted by queries `[b, heads, m, k]` and keys `[b, heads, k, n]`."""


class _AttentionOpcode(Opcode):
    """Base class of both kinds of attention: a query and a result for each head."""

    def needs(self, instruction: Instruction, needs: ChannelDependencies) -> IntArray:
        cache = cache_of(instruction)
        of_heads = needs.of(instruction.inputs[0]).reshape(-1, cache.key_width).max(axis=1)
        return np.repeat(of_heads, cache.value_width)

    def sources(self, instruction: Instruction, channel: int) -> list[View]:
        cache = cache_of(instruction)
        first = channel // cache.value_width * cache.key_width
        return [instruction.inputs[0].narrow(first + i, 1) for i in range(cache.key_width)]

    def narrow(self, instruction: Instruction, start: int, channels: int) -> Instruction:
        cache = cache_of(instruction)
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
        cache = cache_of(instruction)
        return 2 * (instruction.inputs[0].channels + super().flops(instruction)) * cache.length


@opcode
class Attend(_AttentionOpcode):
    """Attend to all earlier sites: out = softmax(x . key / sqrt(d)) value, head by head; 0 at the first site."""

    constants: ClassVar = {"exp": "int32", "factor": "int64"}

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        query, out = buffers.read(i.inputs[0], region), buffers.output(i, region)
        mean: Mean = partial(weighted_mean, cache_of(i))
        if buffers.program.is_integer:
            mean = partial(integer_weighted_mean, buffers.constants(i), *output_range(i))
        return partial(_attend, buffers, i, region, mean, query, out)

    def flops(self, instruction: Instruction) -> int:
        """Count the operations of an average site, which has half of all sites before it."""
        return super().flops(instruction) // 2

    def largest(self, i: Instruction) -> int:
        """Bound a score."""
        return cache_of(i).key_width * 2**14

    def problem(self, i: Instruction) -> str | None:
        cache = i.map
        if not isinstance(cache, KeyValueCache) or i.output is None or len(i.inputs) != 1 or not i.inputs[0].is_narrow:
            return "it attends to a cache by a narrow query"
        if (i.inputs[0].channels, i.output.channels) != (cache.key_channels, cache.channels - cache.key_channels):
            return "its cache has other channels"
        return None


@opcode
class CrossAttend(_AttentionOpcode):
    """Attend to the tokens of a prompt: out = softmax(x . key / sqrt(d) + bias) value, head by head.

    The second input holds the biases (0, or minus infinity for padding), the keys, feature by feature, and the values,
    token by token.
    """

    has_integers = False

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        query, packed = (buffers.read(view, region) for view in i.inputs)
        return partial(_cross_attend, cache_of(i), i.head, query, packed, buffers.output(i, region))


def cache_of(instruction: Instruction) -> KeyValueCache:
    """Return the KV cache that an instruction reads or writes.

    Raises:
        ValueError: if it has none.
    """
    if not isinstance(instruction.map, KeyValueCache):
        raise ValueError(f"{instruction.opcode} without a KV cache")
    return instruction.map


def _attend(buffers: Buffers, i: Instruction, region: Region, mean: Mean, query: Array, out: Array) -> None:
    cache, rows, columns = cache_of(i), buffers.rows(region, 1), region.columns
    for r, row in enumerate(range(rows.start, rows.stop, rows.step)):
        for n, column in enumerate(range(columns.start, columns.stop, columns.step)):
            site = row * buffers.width + column
            if site:
                out[:, r, n] = attend(cache, i.head, mean, query[:, r, n], buffers.caches[cache][:, :site])
            else:
                out[:, r, n] = 0


def attend(cache: KeyValueCache, first: int, mean: Mean, query: Array, entries: Array) -> Array:
    """Attend from one site, `[b, keys of some heads]`, to entries `[b, sites, channels]`; `first` is the first head."""
    heads = query.shape[-1] // cache.key_width
    start, width = cache.key_channels + first * cache.value_width, heads * cache.value_width
    keys = _by_head(entries[..., first * cache.key_width : (first + heads) * cache.key_width], heads)
    values = _by_head(entries[..., start : start + width], heads)
    return mean(query.reshape(len(query), heads, 1, -1), keys.swapaxes(2, 3), values).reshape(len(query), -1)


def weighted_mean(cache: KeyValueCache, queries: Array, keys: Array, values: Array) -> Array:
    """Take the mean in floating point; see `Mean`."""
    return _softmax(queries * np.array(cache.key_width**-0.5, queries.dtype) @ keys) @ values


def integer_weighted_mean(c: Constants, low: int, high: int, queries: Array, keys: Array, values: Array) -> Array:
    """Take the mean in integers; sums stay below 2^53. See `Mean`, and the head of this file."""
    scores = matmul(queries, keys.astype(np.float64))
    exp, below = c["exp"], ((scores.max(axis=3, keepdims=True) - scores) * c["factor"]) >> FACTOR_BITS
    weights = exp[below.clip(max=len(exp) - 1)]
    total = weights.sum(axis=3, keepdims=True)
    sums = matmul(weights, values.astype(np.float64))
    return int64(((sums << (VALUE_BITS + 1)) + total) // (2 * total)).clip(low, high)


def _cross_attend(cache: KeyValueCache, head: int, query: Array, packed: Array, out: Array) -> None:
    batch, tokens, heads = len(query), cache.length, query.shape[-1] // cache.key_width
    packed, chosen = packed.reshape(batch, -1), slice(head, head + heads)
    bias, keys, values = np.split(packed, [tokens, tokens * (1 + cache.key_channels)], axis=1)
    keys = keys.reshape(batch, cache.num_heads, cache.key_width, tokens)[:, chosen]
    values = values.reshape(batch, tokens, cache.num_heads, cache.value_width)[:, :, chosen].swapaxes(1, 2)
    queries = query.reshape(batch, -1, heads, cache.key_width).swapaxes(1, 2)  # [b, heads, sites, k]
    scores = queries * np.array(cache.key_width**-0.5, query.dtype) @ keys + bias[:, None, None]
    out[...] = (_softmax(scores) @ values).swapaxes(1, 2).reshape(out.shape)


def _softmax(scores: Array) -> Array:
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    return weights / weights.sum(axis=3, keepdims=True)


def _by_head(x: Array, heads: int) -> Array:
    """Reshape `[b, sites, heads * c]` to `[b, heads, sites, c]`, without a copy."""
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)
