"""Attention in integers: an exponential table, and one division for each channel.

With the scores s_j = q . k_j and m their maximum, over the entries j before the site, and E the table of
2^24 exp(-i / 256),

    e_j = E[floor((m - s_j) factor / 2^16)]                  (0 beyond the table)
    out = floor((2^9 sum of e_j v_j + sum of e_j) / (2 sum of e_j))       in steps of 2^-8 of the values

so that the factor holds the units of queries and keys, and 1 / sqrt(d). There is nothing to attend to at the first
site: there the output is 0.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.integer.arithmetic import clamp
from pointillist.engine.integer.numpy.frames import Frames, Region
from pointillist.engine.integer.opcodes.base import IntegerOpcode, integer_opcode
from pointillist.engine.program import Instruction, IntArray, KeyValueCache

FACTOR_BITS = 16
VALUE_BITS = 8
MAX_SITES = 2**18
"""More entries could overflow 64 bits."""


@integer_opcode
class Attend(IntegerOpcode):
    """Attend to all earlier sites, head by head: see the head of this file."""

    constants: ClassVar = {"exp": "int32", "factor": "int64"}

    def run(self, frames: Frames, i: Instruction, region: Region) -> None:
        cache, query = i.map, frames.read(i.inputs[0], region)
        assert isinstance(cache, KeyValueCache)
        assert i.output is not None
        entries, width = frames.caches[cache], frames.width
        result = np.zeros((*query.shape[:3], i.output.channels), np.int32)
        for r, row in enumerate(range(region.rows.start, region.rows.stop, region.rows.step)):
            for n, column in enumerate(range(region.columns.start, region.columns.stop)):
                site = row * width + column
                if site:
                    result[:, r, n] = attend(cache, i.constants, query[:, r, n], entries[:, :site])
        frames.write(i.output, region, result)

    def largest(self, i: Instruction) -> int:
        """Bound a score."""
        return i.map.key_width * 2**14 if isinstance(i.map, KeyValueCache) else 2**31

    def problem(self, i: Instruction) -> str | None:
        cache = i.map
        if not isinstance(cache, KeyValueCache) or i.output is None or len(i.inputs) != 1 or not i.inputs[0].is_narrow:
            return "it attends to a cache by a narrow query"
        if (i.inputs[0].channels, i.output.channels) != (cache.key_channels, cache.channels - cache.key_channels):
            return "its cache has other channels"
        return None


def attend(
    cache: KeyValueCache, constants: dict[str, IntArray], query: IntArray, entries: IntArray
) -> NDArray[np.int32]:
    """Attend from one site, `[b, key channels]`, to entries `[b, sites, channels]`."""
    batch, sites, heads = len(query), entries.shape[1], cache.num_heads
    keys = entries[..., : cache.key_channels].reshape(batch, sites, heads, -1).transpose(0, 2, 3, 1)
    values = entries[..., cache.key_channels :].reshape(batch, sites, heads, -1).transpose(0, 2, 1, 3)
    scores = _products(query.reshape(batch, heads, 1, -1), keys)  # [b, heads, 1, sites]
    exp = constants["exp"]
    below = ((scores.max(axis=3, keepdims=True) - scores) * constants["factor"][0]) >> FACTOR_BITS
    weights = exp[np.minimum(below, len(exp) - 1)].astype(np.int64)
    total = weights.sum(axis=3, keepdims=True)
    result = ((_products(weights, values) << (VALUE_BITS + 1)) + total) // (2 * total)
    return clamp(result.reshape(batch, -1))


def _products(x: IntArray, y: IntArray) -> NDArray[np.int64]:
    """Multiply stacks of matrices of integers whose sums stay below 2^53."""
    result: NDArray[np.int64] = np.matmul(x.astype(np.float64), y.astype(np.float64)).astype(np.int64)
    return result
