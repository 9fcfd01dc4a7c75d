"""Attention in torch; see `engine/integer/opcodes/attention.py`."""

from __future__ import annotations

import torch
from torch import Tensor

from pointillist.engine.integer.numpy.frames import Region
from pointillist.engine.integer.opcodes.attention import FACTOR_BITS, VALUE_BITS
from pointillist.engine.integer.program import IntegerCache, IntegerInstruction
from pointillist.engine.integer.torch.arithmetic import clamp, matmul
from pointillist.engine.integer.torch.frames import TorchFrames

LEAST = -(2**31)
"""Below every score."""


def attend(frames: TorchFrames, i: IntegerInstruction, region: Region) -> None:
    """Attend to all earlier sites, head by head: from all sites of a row at once."""
    assert i.output is not None
    assert isinstance(i.map, IntegerCache)
    query, entries, c = frames.read(i.inputs[0], region), frames.caches[i.map], frames.constants.of(i)
    result = torch.zeros((*query.shape[:3], i.output.channels), dtype=torch.int64, device=query.device)
    for r, row in enumerate(range(region.rows.start, region.rows.stop, region.rows.step)):
        start, stop = row * frames.width + region.columns.start, row * frames.width + region.columns.stop
        if stop > 1:  # there is nothing before the first site
            sites = torch.arange(start, stop, device=query.device)
            result[:, r] = attend_row(i.map, c["exp"], c["factor"], query[:, r], entries[:, : stop - 1], sites)
    frames.write(i.output, region, result)


def attend_row(
    cache: IntegerCache, exp: Tensor, factor: Tensor, query: Tensor, entries: Tensor, sites: Tensor
) -> Tensor:
    """Attend from sites of a row, `[b, columns, key channels]`, to the entries before each, `[b, entries, channels]`.

    The products are taken in float64: scores stay below 2^53, and so do sums of values times weights, for as many
    sites as `MAX_SITES`.
    """
    (batch, columns, _), heads = query.shape, cache.num_heads

    def by_head(x: Tensor) -> Tensor:
        return x.reshape(batch, x.shape[1], heads, -1).transpose(1, 2)

    keys, values = by_head(entries[..., : cache.key_channels]), by_head(entries[..., cache.key_channels :])
    scores = matmul(by_head(query), keys.transpose(2, 3))  # [b, heads, columns, entries]
    later = torch.arange(entries.shape[1], device=sites.device) >= sites[:, None]
    best = scores.masked_fill(later, LEAST).amax(3, keepdim=True)
    below = ((best - scores) * factor) >> FACTOR_BITS
    weights = exp[below.clamp(0, len(exp) - 1)].masked_fill(later, 0)
    total = weights.sum(3, keepdim=True).clamp(min=1)  # 0 at the first site, where the output is 0
    result = ((matmul(weights, values) << (VALUE_BITS + 1)) + total) // (2 * total)
    return clamp(result.transpose(1, 2).reshape(batch, columns, -1))
