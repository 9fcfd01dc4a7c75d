"""Attention from all sites of a row at once, with later ones masked.

The meaning of the opcodes is in `engine/opcodes/attention.py`.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from pointillist.engine.arithmetic import matmul
from pointillist.engine.buffers import Call, Region
from pointillist.engine.opcodes.attention import FACTOR_BITS, VALUE_BITS, cache_of
from pointillist.engine.opcodes.base import output_range
from pointillist.engine.program import Instruction, KeyValueCache
from pointillist.engine.torch.buffers import TorchBuffers

LEAST = -(2**31)
"""Below every score of integers."""


def store_kv(buffers: TorchBuffers, i: Instruction, region: Region) -> Call:
    """Store keys and values of each site in its slot of the cache."""
    return partial(_store_kv, buffers, cache_of(i), region, buffers.read(i.inputs[0], region))


def _store_kv(buffers: TorchBuffers, cache: KeyValueCache, region: Region, x: Tensor) -> None:
    keys, values = x[..., : cache.key_channels], x[..., cache.key_channels :]
    for r, row in enumerate(_rows(buffers, region)):
        entries = torch.cat([by_head(keys[:, r], cache.num_heads), by_head(values[:, r], cache.num_heads)], -1)
        buffers.caches[cache].index_copy_(2, buffers.slots(row)[region.columns], entries)


def attend(buffers: TorchBuffers, i: Instruction, region: Region) -> Call:
    """Attend to all earlier sites, head by head: from all sites of a row at once, with later ones masked."""
    query, out = buffers.read(i.inputs[0], region), buffers.output(i, region)
    return partial(_attend, buffers, i, region, query, out)


def _attend(buffers: TorchBuffers, i: Instruction, region: Region, query: Tensor, out: Tensor) -> None:
    cache = cache_of(i)
    heads = query.shape[-1] // cache.key_width
    for r, row in enumerate(_rows(buffers, region)):
        masked = buffers.masked_slots(row)[region.columns]  # [columns, slots]
        entries = buffers.caches[cache][:, i.head : i.head + heads, : masked.shape[1]]
        keys, values = entries.split([cache.key_width, cache.value_width], -1)
        queries = by_head(query[:, r], heads)  # [b, heads, columns, k]
        if buffers.program.is_integer:
            mean = integer_weighted_mean(buffers.constants(i), queries, keys, values, masked).clamp(*output_range(i))
        else:
            mean = weighted_mean(queries * cache.key_width**-0.5, keys, values, masked)
        out[:, r] = mean.transpose(1, 2).flatten(2)


def weighted_mean(queries: Tensor, keys: Tensor, values: Tensor, masked: Tensor) -> Tensor:
    """Return the means of values `[b, heads, columns, v]`, weighted by the softmax of queries and keys."""
    return (queries @ keys.mT).masked_fill(masked, -torch.inf).softmax(3) @ values


def integer_weighted_mean(c: dict[str, Any], queries: Tensor, keys: Tensor, values: Tensor, masked: Tensor) -> Tensor:
    """Return the means of values in integers.

    The products are taken in float64: scores stay below 2^53, and so do sums of values times weights, for as many
    sites as `MAX_SITES`.
    """
    scores = matmul(queries, keys.double().mT)  # [b, heads, columns, slots]
    best = scores.masked_fill(masked, LEAST).amax(3, keepdim=True)
    below = ((best - scores) * c["factor"]) >> FACTOR_BITS
    weights = c["exp"][below.clamp(0, len(c["exp"]) - 1)].masked_fill(masked, 0)
    total = weights.sum(3, keepdim=True)
    result: Tensor = ((matmul(weights, values.double()) << (VALUE_BITS + 1)) + total) // (2 * total)
    return result


def by_head(x: Tensor, heads: int) -> Tensor:
    """Reshape `[b, sites, heads * c]` to `[b, heads, sites, c]`."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


def _rows(buffers: TorchBuffers, region: Region) -> range:
    rows = buffers.rows(region, 1)
    return range(rows.start, rows.stop, rows.step)
