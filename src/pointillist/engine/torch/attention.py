"""Attention: to earlier sites through a KV cache, in floating point and in integers, and to the tokens of a prompt."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pointillist.engine.integer.numpy.frames import Region
from pointillist.engine.integer.opcodes.attention import FACTOR_BITS, VALUE_BITS
from pointillist.engine.torch.arithmetic import clamp, matmul
from pointillist.engine.torch.frames import TorchFrames

LEAST = -(2**31)
"""Below every score of integers."""


def store_kv(frames: TorchFrames, i: Any, region: Region) -> None:
    """Store keys and values of each site in its slot of the cache."""
    x, cache = frames.read(i.inputs[0], region), i.map
    keys, values = x.split([cache.key_channels, cache.channels - cache.key_channels], -1)
    for r, row in enumerate(range(region.rows.start, region.rows.stop, region.rows.step)):
        entries = torch.cat([by_head(keys[:, r], cache.num_heads), by_head(values[:, r], cache.num_heads)], -1)
        frames.caches[cache].index_copy_(2, frames.slots(row)[region.columns], entries)


def attend(frames: TorchFrames, i: Any, region: Region) -> None:
    """Attend to all earlier sites, head by head: from all sites of a row at once, with later ones masked."""
    query, cache = frames.read(i.inputs[0], region), i.map
    heads, first = query.shape[-1] // cache.key_width, getattr(i, "head", 0)
    result = query.new_zeros(*query.shape[:3], i.output.channels)
    for r, row in enumerate(range(region.rows.start, region.rows.stop, region.rows.step)):
        masked = frames.masked_slots(row)[region.columns]  # [columns, slots]
        entries = frames.caches[cache][:, first : first + heads, : masked.shape[1]]
        keys, values = entries.split([cache.key_width, cache.value_width], -1)
        queries = by_head(query[:, r], heads)  # [b, heads, columns, k]
        if result.is_floating_point():
            mean = weighted_mean(queries * cache.key_width**-0.5, keys, values, masked)
        else:
            mean = integer_weighted_mean(frames.constants.of(i), queries, keys, values, masked)
        result[:, r] = mean.transpose(1, 2).flatten(2)
    frames.write(i.output, region, result)


def weighted_mean(queries: Tensor, keys: Tensor, values: Tensor, masked: Tensor) -> Tensor:
    """Return the means of values `[b, heads, columns, v]`, weighted by the softmax of queries and keys."""
    return (queries @ keys.mT).masked_fill(masked, -torch.inf).softmax(3) @ values


def integer_weighted_mean(c: dict[str, Any], queries: Tensor, keys: Tensor, values: Tensor, masked: Tensor) -> Tensor:
    """Return the means of values in integers; see `engine/integer/opcodes/attention.py`.

    The products are taken in float64: scores stay below 2^53, and so do sums of values times weights, for as many
    sites as `MAX_SITES`.
    """
    scores = matmul(queries, keys.mT)  # [b, heads, columns, slots]
    best = scores.masked_fill(masked, LEAST).amax(3, keepdim=True)
    below = ((best - scores) * c["factor"]) >> FACTOR_BITS
    weights = c["exp"][below.clamp(0, len(c["exp"]) - 1)].masked_fill(masked, 0)
    total = weights.sum(3, keepdim=True)
    return clamp(((matmul(weights, values) << (VALUE_BITS + 1)) + total) // (2 * total))


def cross_attend(frames: TorchFrames, i: Any, region: Region) -> None:
    """Attend to the tokens of a prompt: softmax(x . key / sqrt(d) + bias) value, head by head."""
    cache, (query, packed) = i.map, (frames.read(view, region) for view in i.inputs)
    heads, tokens = query.shape[-1] // cache.key_width, cache.length
    part = slice(i.head, i.head + heads)
    sizes = [tokens, tokens * cache.key_channels, tokens * (cache.channels - cache.key_channels)]
    bias, keys, values = packed[:, 0, 0].split(sizes, 1)
    keys = keys.reshape(-1, cache.num_heads, cache.key_width, tokens)[:, part]
    values = values.reshape(-1, tokens, cache.num_heads, cache.value_width)[:, :, part].transpose(1, 2)
    queries = by_head(query.flatten(1, 2), heads) * cache.key_width**-0.5  # [b, heads, sites, k]
    result = (queries @ keys + bias[:, None, None]).softmax(3) @ values
    frames.write(i.output, region, result.transpose(1, 2).reshape(*query.shape[:3], -1))


def by_head(x: Tensor, heads: int) -> Tensor:
    """Reshape `[b, sites, heads * c]` to `[b, heads, sites, c]`."""
    return x.reshape(*x.shape[:2], heads, -1).transpose(1, 2)


INTEGER = {"STORE_KV": store_kv, "ATTEND": attend}
FLOAT = {**INTEGER, "CROSS_ATTEND": cross_attend}
