"""Opcodes of attention: to earlier sites through a KV cache, and to tokens.

In integers, with the scores s_j = q . k_j and m their maximum, over the entries j before the site, and E the table of
2^24 exp(-i / 256),

    e_j = E[floor((m - s_j) factor / 2^16)]                  (0 beyond the table)
    out = floor((2^9 sum of e_j v_j + sum of e_j) / (2 sum of e_j))       in steps of 2^-8 of the values

so that the factor holds the units of queries and keys, and 1 / sqrt(d). There is nothing to attend to at the first
site: there the output is 0. Among tokens, j are those whose mask is positive.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import ClassVar, NamedTuple

import numpy as np

from pointillist.engine.arithmetic import Array, double, int64, library_of, matmul
from pointillist.engine.buffers import Buffers, Call, Region
from pointillist.engine.opcodes.base import (
    EXP,
    MAX_TABLE,
    ChannelDependencies,
    Constants,
    ConstantType,
    Opcode,
    opcode,
    output_range,
)
from pointillist.engine.program import Instruction, IntArray, KeyValueCache, Phase, View

FACTOR_BITS = 16
VALUE_BITS = 8
MAX_SITES = 2**18
"""More entries could overflow 64 bits."""
FACTOR = ConstantType("int64", ("1",), 0)
Mean = Callable[[Array, Array, Array], Array]
"""Takes the mean of values `[b, heads, n, v]`, weighted by queries `[b, heads, m, k]` and keys `[b, heads, k, n]`."""
MaskedMean = Callable[[Array, Array, Array, Array], Array]
"""The same over the existing entries among n, `[b, 1, 1, n]`."""


class Heads(NamedTuple):
    """Channels of a head: of its key, and of its value."""

    key_width: int
    value_width: int


class _AttentionOpcode(Opcode):
    """Base class of both kinds of attention: a query and a result for each head."""

    def heads(self, instruction: Instruction) -> Heads:
        raise NotImplementedError

    def needs(self, instruction: Instruction, needs: ChannelDependencies) -> IntArray:
        key_width, value_width = self.heads(instruction)
        of_heads = needs.of(instruction.inputs[0]).reshape(-1, key_width).max(axis=1)
        return np.repeat(of_heads, value_width)

    def sources(self, instruction: Instruction, channel: int) -> list[View]:
        key_width, value_width = self.heads(instruction)
        first = channel // value_width * key_width
        return [instruction.inputs[0].narrow(first + i, 1) for i in range(key_width)]

    def narrow(self, instruction: Instruction, start: int, channels: int) -> Instruction:
        key_width, value_width = self.heads(instruction)
        first, count = start // value_width, channels // value_width  # runs are of whole heads
        return replace(
            instruction,
            output=None if instruction.output is None else instruction.output.narrow(start, channels),
            inputs=(instruction.inputs[0].narrow(first * key_width, count * key_width), *instruction.inputs[1:]),
            head=instruction.head + first,
        )


@opcode
class Attend(_AttentionOpcode):
    """Attend to all earlier sites: out = softmax(x . key / sqrt(d)) value, head by head; 0 at the first site."""

    takes = "narrow"
    makes = "wide"
    constants: ClassVar = {"exp": EXP, "factor": FACTOR}

    def heads(self, instruction: Instruction) -> Heads:
        cache = cache_of(instruction)
        return Heads(cache.key_width, cache.value_width)

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        query, out = buffers.read(i.inputs[0], region), buffers.output(i, region)
        mean: Mean = partial(weighted_mean, cache_of(i))
        if buffers.program.is_integer:
            mean = partial(integer_weighted_mean, buffers.constants(i), *output_range(i))
        return partial(_attend, buffers, i, region, mean, query, out)

    def flops(self, instruction: Instruction) -> int:
        """Count a multiplication and an addition for each channel of half of all keys and values."""
        return (instruction.inputs[0].channels + super().flops(instruction)) * cache_of(instruction).length

    def max_int32(self, i: Instruction) -> int:
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
    """Attend to the tokens of a prompt: out = softmax(x . key / sqrt(d)) value, head by head, over existing tokens.

    The inputs are x; a mask of the tokens, positive where a token exists; and their entries, token by token: the keys
    of all heads, then the values of all heads. The constant `heads` counts them.

    In the format: ATTEND, over the tokens instead of earlier sites; 0 if there is none
    """

    inputs = (3, 3)
    takes = "narrow"
    makes = "wide"
    constants: ClassVar = {"exp": EXP, "factor": FACTOR, "heads": ConstantType("int32", ("1",), 1, MAX_TABLE)}

    def heads(self, instruction: Instruction) -> Heads:
        query, mask, entries = instruction.inputs
        width = entries.channels // mask.channels // int(instruction.constants["heads"][0])
        count = (
            query.channels + instruction.written.channels
        ) // width  # of a narrowed instruction, fewer than there are
        return Heads(query.channels // count, instruction.written.channels // count)

    def bind(self, buffers: Buffers, i: Instruction, region: Region) -> Call:
        query, mask, entries = (buffers.read(view, region) for view in i.inputs)
        mean = partial(_masked_mean, self.heads(i).key_width)
        if buffers.program.is_integer:
            mean = partial(_integer_masked_mean, buffers.constants(i), *output_range(i))
        return partial(_cross_attend, self.heads(i), i.head, mean, query, mask, entries, buffers.output(i, region))

    def flops(self, instruction: Instruction) -> int:
        """Count a multiplication and an addition for each channel of each key and value."""
        return 2 * (instruction.inputs[0].channels + super().flops(instruction)) * instruction.inputs[1].channels

    def max_int32(self, i: Instruction) -> int:
        """Bound a score."""
        return self.heads(i).key_width * 2**14

    def problem(self, i: Instruction) -> str | None:
        if i.output is None or len(i.inputs) != 3:
            return "it needs a query, a mask and entries"
        query, mask, entries = i.inputs
        if not query.is_narrow or not entries.is_narrow or mask.is_narrow or i.output.is_narrow:
            return "it needs a narrow query, a wide mask and narrow entries, and makes a wide value"
        if {mask.phase, entries.phase} != {Phase.IMAGE} or mask.channels > MAX_SITES:
            return "its tokens are not tokens of an image"
        heads, width = int(i.constants["heads"][0]), query.channels + i.output.channels
        if (
            heads < 1
            or query.channels % heads
            or i.output.channels % heads
            or entries.channels != mask.channels * width
        ):
            return "its heads have no whole channels"
        return None


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


def _cross_attend(
    widths: Heads, head: int, mean: MaskedMean, query: Array, mask: Array, entries: Array, out: Array
) -> None:
    batch, tokens, heads = len(query), mask.shape[-1], query.shape[-1] // widths.key_width
    packed = entries.reshape(batch, tokens, -1)
    total = packed.shape[2] // sum(widths)
    chosen = slice(head, head + heads)
    keys = packed[..., : total * widths.key_width].reshape(batch, tokens, total, -1)[:, :, chosen]
    values = packed[..., total * widths.key_width :].reshape(batch, tokens, total, -1)[:, :, chosen]
    queries = query.reshape(batch, -1, heads, widths.key_width).swapaxes(1, 2)  # [b, heads, sites, k]
    exists = mask.reshape(batch, 1, 1, tokens) > 0
    result = mean(queries, keys.swapaxes(1, 2).swapaxes(2, 3), values.swapaxes(1, 2), exists)
    out[...] = result.swapaxes(1, 2).reshape(out.shape)


def _masked_mean(key_width: int, queries: Array, keys: Array, values: Array, exists: Array) -> Array:
    """Take the mean over tokens in floating point; see `MaskedMean`."""
    library = library_of(queries)
    scores = library.where(exists, queries * key_width**-0.5 @ keys, -np.inf)
    weights = library.exp(scores - library.amax(scores, axis=3, keepdims=True))
    return (weights / weights.sum(axis=3, keepdims=True)) @ values


def _integer_masked_mean(
    c: Constants, low: int, high: int, queries: Array, keys: Array, values: Array, exists: Array
) -> Array:
    """Take the mean over tokens in integers; see `MaskedMean`. Without tokens it is 0."""
    library, exp = library_of(queries), c["exp"]
    scores = matmul(queries, double(keys))
    best = library.amax(library.where(exists, scores, -(2**62)), axis=3, keepdims=True)
    below = ((best - scores) * c["factor"]) >> FACTOR_BITS
    weights = exp[below.clip(0, len(exp) - 1)] * exists
    total = weights.sum(axis=3, keepdims=True)
    sums = matmul(weights, double(values))
    return (((sums << (VALUE_BITS + 1)) + total) // (2 * total).clip(min=1)).clip(low, high)


def _softmax(scores: Array) -> Array:
    weights = np.exp(scores - scores.max(axis=3, keepdims=True))
    return weights / weights.sum(axis=3, keepdims=True)


def _by_head(x: Array, heads: int) -> Array:
    """Reshape `[b, sites, heads * c]` to `[b, heads, sites, c]`, without a copy."""
    return x.reshape(*x.shape[:2], heads, -1).swapaxes(1, 2)
