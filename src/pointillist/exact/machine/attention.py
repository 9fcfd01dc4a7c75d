"""Attention in compiled code, with the bits of `exact/opcodes/attention.py`."""

from __future__ import annotations

from typing import Any

import numpy as np

from pointillist.engine.cpu.jit import inner
from pointillist.exact.machine import bytecode as bc
from pointillist.exact.opcodes.attention import FACTOR_BITS, VALUE_BITS
from pointillist.exact.program import LIMIT

Array = Any  # numba finds the types


@inner
def store_kv(a: Array, line: Array, x: int, site: int) -> None:
    """Store keys and values of a site in the cache."""
    n = line[bc.N]
    for b in range(line[bc.OUTER]):
        source, target = x + b * line[bc.X_OUTER], line[bc.Y] + b * line[bc.Y_OUTER] + site * n
        for j in range(n):
            a[target + j] = a[source + j]


@inner
def attend(a: Array, s: Array, c: Array, line: Array, y: int, x: int, sites: int) -> None:
    """Attend to the sites so far: N channels of a value, K of a key, PIECES heads; zeros where there are none.

    Z is the cache, of PIECE channels a site; W is scratch memory, A the table of the exponential, C its size, and D the
    factor.
    """
    n, k, heads, channels, scores = line[bc.N], line[bc.K], line[bc.PIECES], line[bc.PIECE], line[bc.W]
    for b in range(line[bc.OUTER]):
        for head in range(heads):
            query, out = x + b * line[bc.X_OUTER] + head * k, y + b * line[bc.Y_OUTER] + head * n
            cache = line[bc.Z] + b * line[bc.Z_OUTER]
            keys, values = cache + head * k, cache + heads * k + head * n
            if sites == 0:
                for j in range(n):
                    s[out + j] = 0
                continue
            total = weigh(a, s, c, line, query, keys, channels, scores, sites)
            for j in range(n):
                summed = np.int64(0)
                for t in range(sites):
                    summed += np.int64(s[scores + t]) * (np.int64(a[values + t * channels + j]) - 128)
                found = ((summed << (VALUE_BITS + 1)) + total) // (2 * total)
                s[out + j] = min(max(found, np.int64(-LIMIT)), np.int64(LIMIT))


@inner
def weigh(
    a: Array, s: Array, c: Array, line: Array, query: int, keys: int, channels: int, scores: int, sites: int
) -> Any:
    """Set the weights of the entries in the scratch memory; return their sum."""
    largest = np.int64(-(2**31))
    for t in range(sites):
        score = np.int64(0)
        for j in range(line[bc.K]):
            score += (np.int64(a[query + j]) - 128) * (np.int64(a[keys + t * channels + j]) - 128)
        s[scores + t] = score
        largest = max(largest, score)
    total = np.int64(0)
    for t in range(sites):
        below = ((largest - np.int64(s[scores + t])) * line[bc.D]) >> FACTOR_BITS
        weight = c[line[bc.A] + min(below, line[bc.C] - 1)]
        s[scores + t] = weight
        total += np.int64(weight)
    return total
