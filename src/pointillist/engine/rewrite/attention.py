"""Rewrite attention: queries and keys with one unit each, so that a score has one."""

from __future__ import annotations

import numpy as np

from pointillist.engine.head.tables import LOGIT_STEP, exp_table
from pointillist.engine.opcodes.attention import FACTOR_BITS, VALUE_BITS
from pointillist.engine.program import INT8, Instruction, KeyValueCache, View
from pointillist.engine.rewrite.builder import Form, Rewriter, rewrites
from pointillist.engine.rewrite.grids import narrow_units, shifts


def _cache(rewriter: Rewriter, cache: KeyValueCache) -> tuple[KeyValueCache, np.ndarray]:
    """Return the exact cache, and the units of its channels: one for all keys."""
    if cache not in rewriter.caches:
        unit, _ = rewriter.narrow_grid(rewriter.readers.cached[cache])
        unit[: cache.key_channels] = unit[: cache.key_channels].max()
        quantized = KeyValueCache(
            cache.name, cache.channels, dtype=INT8, num_heads=cache.num_heads, key_channels=cache.key_channels
        )
        rewriter.caches[cache] = (quantized, unit)
    return rewriter.caches[cache]


def _narrowed(rewriter: Rewriter, view: View, unit: np.ndarray) -> View:
    """Return a view in 8 bits, in given units."""
    source = rewriter.wide(view)
    quantized = rewriter.value(view.value, view.channels, dtype=INT8)
    form = Form(quantized, unit, np.zeros(view.channels))
    source = rewriter.refined(source, unit)
    rewriter.emit("NARROW", source.view, form.view, source.view, shift=shifts(unit, source.unit))
    return form.view


@rewrites("STORE_KV")
def rewrite_store_kv(rewriter: Rewriter, i: Instruction) -> None:
    """Store keys and values in 8 bits."""
    assert isinstance(i.map, KeyValueCache)
    quantized, unit = _cache(rewriter, i.map)
    rewriter.emit("STORE_KV", i, None, _narrowed(rewriter, i.inputs[0], unit), map=quantized)


@rewrites("ATTEND")
def rewrite_attend(rewriter: Rewriter, i: Instruction) -> None:
    """Attend; the factor turns a difference of scores into steps of the exponential table."""
    assert isinstance(i.map, KeyValueCache)
    assert i.output is not None
    quantized, units = _cache(rewriter, i.map)
    unit, _ = rewriter.narrow_grid(i.inputs[0])
    unit = np.full(i.inputs[0].channels, unit.max())
    query = _narrowed(rewriter, i.inputs[0], unit)
    step = float(unit[0] * units[0]) * i.map.key_width**-0.5
    factor = np.array([round(step / LOGIT_STEP * 2**FACTOR_BITS)], np.int64)
    output, _ = rewriter.wide_target(i.output, units[quantized.key_channels :] * 2.0**-VALUE_BITS)
    rewriter.emit("ATTEND", i, output, query, map=quantized, exp=rewriter.exp_table(exp_table), factor=factor)


@rewrites("CROSS_ATTEND")
def rewrite_cross_attend(rewriter: Rewriter, i: Instruction) -> None:
    """Attend to tokens: their entries in 8 bits, in the same units for all tokens, with one for all keys."""
    assert i.output is not None
    query, mask, entries = i.inputs
    tokens, keys = mask.channels, query.channels
    largest = rewriter.largest(entries.value).reshape(tokens, -1).max(axis=0)
    units = np.maximum(narrow_units(largest, INT8), rewriter.target_unit(entries.value))
    units[:keys] = units[:keys].max()
    unit, _ = rewriter.narrow_grid(query)
    unit = np.full(keys, unit.max())
    heads = int(i.constants["heads"][0])
    step = float(unit[0] * units[0]) * (keys // heads) ** -0.5
    output, _ = rewriter.wide_target(i.output, units[keys:] * 2.0**-VALUE_BITS)
    rewriter.emit(
        "CROSS_ATTEND",
        i,
        output,
        _narrowed(rewriter, query, unit),
        rewriter.wide(mask).view,
        _narrowed(rewriter, entries, np.tile(units, tokens)),
        exp=rewriter.exp_table(exp_table),
        factor=np.array([round(step / LOGIT_STEP * 2**FACTOR_BITS)], np.int64),
        heads=np.array([heads], np.int32),
    )
