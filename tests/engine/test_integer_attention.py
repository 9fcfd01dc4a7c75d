"""Attention by the library in C against its meaning, over more sites than small images have."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from pointillist.engine.c.run import params_in_c
from pointillist.engine.head.tables import exp_table
from pointillist.engine.opcodes import attention
from pointillist.engine.program import (
    INT8,
    INT32,
    LIMIT,
    FeatureMap,
    Instruction,
    IntegerHead,
    KeyValueCache,
    Phase,
    Program,
    Value,
    View,
)

CHUNK = 2**15
"""Sites whose products of bytes the library adds in 32 bits."""


def attending(heads: int, key: int, value: int, entries: np.ndarray, factor: int) -> Program:
    """Return a program that stores what the canvas holds, and attends to it by the keys of the pixel to the left."""
    channels, width = heads * (key + value), heads * value
    canvas = FeatureMap("canvas", channels, dtype=INT8)
    canvas.extend(((0, -1), (0, 0)))
    cache = KeyValueCache("cache", channels, dtype=INT8, num_heads=heads, key_channels=heads * key)
    left, here = Value(0, channels, Phase.SITE, dtype=INT8), Value(1, channels, Phase.POST_DRAW, dtype=INT8)
    out = View(Value(2, width, Phase.SITE, dtype=INT32), 0, width)
    query = View(left, 0, heads * key)
    constants = {"exp": exp_table(), "factor": np.array([factor])}
    site = (
        Instruction("GATHER", Phase.SITE, View(left, 0, channels), (), map=canvas, taps=((0, -1),)),
        Instruction("ATTEND", Phase.SITE, out, (query,), constants=constants, map=cache),
    )
    draw = (
        Instruction("GATHER", Phase.POST_DRAW, View(here, 0, channels), (), map=canvas, taps=((0, 0),)),
        Instruction("STORE_KV", Phase.POST_DRAW, None, (View(here, 0, channels),), map=cache),
    )
    head = IntegerHead("categorical", 1, width, 0, 16, {"exp": exp_table()})
    return Program(
        1,
        channels,
        canvas,
        (canvas,),
        (cache,),
        {},
        (),
        (),
        site,
        (site,),
        draw,
        out,
        integer_head=head,
        canvas_values=entries.astype(np.int8),
    )


@pytest.mark.proof
@pytest.mark.one_in(2)
@pytest.mark.parametrize(("heads", "key", "value"), [(1, 8, 32), (2, 3, 5), (3, 5, 17)])
def test_many_sites(heads: int, key: int, value: int) -> None:
    """The sums of more than one chunk, of keys and values of any width, are those of numpy."""
    rng, shape, factor = np.random.default_rng(key), (180, 189), 1_500
    assert np.prod(shape) > CHUNK
    entries = rng.integers(-128, 128, (heads * value, heads * (key + value)))
    program = attending(heads, key, value, entries, factor)
    levels = rng.integers(0, heads * value, (1, 1, *shape))
    params = params_in_c(program, levels, {})
    stored, cache = entries[levels[0, 0]].reshape(-1, entries.shape[1]), program.kv_caches[0]
    constants = {"exp": exp_table().astype(np.int64), "factor": np.array([factor])}
    mean = partial(attention.integer_weighted_mean, constants, -LIMIT, LIMIT)
    assert not params[0, 0, 0].any()
    for row, column in ((0, 1), (0, 63), (0, 64), (0, 66), (5, 0), (90, 17), (179, 180), (179, 188)):
        site = row * shape[1] + column
        query = stored[site - 1, : heads * key] if column else np.zeros(heads * key, np.int64)
        due = attention.attend(cache, 0, mean, query[None], stored[None, :site])[0]
        assert np.array_equal(params[0, row, column], due)
