"""Rewrite opcodes that move numbers."""

from __future__ import annotations

import numpy as np

from pointillist.engine.program import INT8, Instruction, Phase
from pointillist.engine.rewrite.builder import Form, Rewriter, input_name, is_constant_map, rewrites

VECTOR_UNIT = 2.0**-14
"""Unit of vector conditions."""


@rewrites("COPY", "SHIFT_DOWN")
def rewrite_move(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite a copy into a part of a value, or down by one row; it keeps its unit."""
    assert i.output is not None
    x = rewriter.wide(i.inputs[0])
    output, _ = rewriter.wide_target(i.output, x.unit)
    rewriter.emit(i.opcode, i, output, x.view)


@rewrites("STORE")
def rewrite_store(rewriter: Rewriter, i: Instruction) -> None:
    """Store in a map of narrow values, of wide values, or in both."""
    assert i.map is not None
    if i.map in rewriter.readers.narrow_maps:
        target, x = rewriter.map(i.map, narrow=True), rewriter.narrow(i.inputs[0])
        assert (target.unit == x.unit).all(), "the grid of a narrow value depends on the calibration alone"
        rewriter.emit("STORE", i, None, x.view, map=target.content)
    if i.map in rewriter.readers.wide_maps:
        target, x = rewriter.map(i.map, narrow=False), rewriter.wide(i.inputs[0])
        if (x.unit != target.unit).any():
            x = rewriter.rescaled(x, i.inputs[0], target.unit)
        rewriter.emit("STORE", i, None, x.view, map=target.content)


@rewrites("GATHER")
def rewrite_gather(rewriter: Rewriter, i: Instruction) -> None:
    """Gather from the narrow map, the wide one, or both, as the readers need."""
    assert i.map is not None
    assert i.output is not None
    count = len(i.taps)
    for narrow in (True, False):
        wanted = rewriter.readers.narrow_values if narrow else rewriter.readers.wide_values
        canvas = i.map is rewriter.program.canvas  # it has one form, and is widened after the gather
        if narrow != rewriter.maps[0].is_narrow if canvas else i.output.value not in wanted:
            continue
        source = rewriter.map(i.map, narrow=narrow)
        units, offsets = np.tile(source.unit, count), np.tile(source.offset, count)
        if narrow:
            quantized = rewriter.value(i.output.value, i.output.channels, dtype=source.content.dtype)
            form = Form(quantized, units, offsets)
            rewriter.set_narrow(i.output, form)
            output = form.view
        else:
            output, _ = rewriter.wide_target(i.output, units)
            rewriter.wide(i.output).offset[...] = offsets
        rewriter.emit("GATHER", i, output, map=source.content, taps=i.taps)


@rewrites("INPUT")
def rewrite_input(rewriter: Rewriter, i: Instruction) -> None:
    """Read a vector as a wide value, a map as a narrow one; a map of the network itself is a constant."""
    assert i.output is not None
    if is_constant_map(i.key):
        numbers = rewriter.program.inputs[i.key].default[0]
        output, unit = rewriter.wide_target(i.output)
        rewriter.emit("MAP_CONSTANT", i, output, numbers=np.floor(numbers / unit + 0.5).astype(np.int32))
        return
    if i.phase == Phase.IMAGE:
        output, unit = rewriter.wide_target(i.output, np.full(i.output.channels, VECTOR_UNIT))
        rewriter.declare_input(i, unit)
        rewriter.emit("INPUT", i, output, key=input_name(i.key))
        return
    unit, _ = rewriter.narrow_grid(i.output)
    chosen = rewriter.program.inputs[i.key].unit
    unit[: len(chosen)] = chosen
    quantized = rewriter.value(i.output.value, i.output.channels, dtype=INT8)
    unit = rewriter.declare_input(i, unit)
    form = Form(quantized, unit, np.zeros(quantized.channels))
    rewriter.set_narrow(i.output, form)
    rewriter.emit("INPUT", i, form.view, key=input_name(i.key))


@rewrites("UPSAMPLE")
def rewrite_upsample(rewriter: Rewriter, i: Instruction) -> None:
    """Read a quarter of the channels of a coarse site; the map has one unit."""
    assert i.map is not None
    assert i.output is not None
    source = rewriter.map(i.map, narrow=False)
    output, _ = rewriter.wide_target(i.output, source.unit[: i.output.channels])
    rewriter.emit("UPSAMPLE", i, output, map=source.content, taps=i.taps)
