"""Attention in compiled code against its meaning, over more sites than small images have."""

from __future__ import annotations

from functools import partial
from typing import Any

import numba
import numpy as np
import pytest

from pointillist.engine.cpu.integer import bytecode as bc
from pointillist.engine.cpu.integer.attention import CHUNK, attend, cache_size, store_kv
from pointillist.engine.cpu.integer.bytecode import aligned
from pointillist.engine.head.frequencies import exp_table
from pointillist.engine.opcodes import attention
from pointillist.engine.program import INT8, LIMIT, KeyValueCache


@numba.njit  # type: ignore[untyped-decorator]
def run(a: Any, s: Any, c: Any, store: Any, line: Any, entries: Any, sites: int) -> None:
    """Store all entries, and attend to them."""
    for site in range(sites):
        a[: entries.shape[1]] = entries[site]
        store_kv(a, store, 0, site)
    attend(a, s, c, line, line[bc.Y], line[bc.X], sites)


@pytest.mark.one_in(2)
@pytest.mark.parametrize(("heads", "key", "value"), [(1, 8, 32), (2, 3, 5), (3, 5, 17)])
def test_many_sites(heads: int, key: int, value: int) -> None:
    """The sums of more than one chunk, of keys and values of any width, are those of numpy."""
    rng = np.random.default_rng(key)
    channels = heads * (key + value)
    cache = KeyValueCache("", channels, dtype=INT8, num_heads=heads, key_channels=heads * key)
    sites, table = CHUNK + 1_235, exp_table()
    entries = rng.integers(-128, 128, (sites, cache.channels))
    query = rng.integers(-128, 128, cache.key_channels)
    constants = {"exp": table.astype(np.int64), "factor": np.array([1_500])}
    mean = partial(attention.integer_weighted_mean, constants, -LIMIT, LIMIT)
    due = attention.attend(cache, 0, mean, query[None], entries[None])[0]
    a, s = aligned(4096 + cache_size(sites, cache.channels), np.uint8), aligned(sites + 1024, np.int32)
    store, line = np.zeros(bc.FIELDS, np.int64), np.zeros(bc.FIELDS, np.int64)
    store[[bc.OUTER, bc.N, bc.K, bc.Y]] = 1, cache.channels, cache.key_channels, 4096
    line[[bc.OUTER, bc.N, bc.K, bc.PIECES, bc.PIECE]] = 1, value, key, heads, cache.channels
    line[[bc.Z, bc.W, bc.C, bc.D, bc.X, bc.Y]] = 4096, 1024, len(table), 1_500, 2048, 0
    a[2048 : 2048 + len(query)] = query + 128
    run(a, s, table.astype(np.int32), store, line, (entries + 128).astype(np.uint8), sites)
    assert np.array_equal(s[: len(due)], due)
