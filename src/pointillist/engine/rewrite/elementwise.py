"""Rewrite elementwise opcodes, whose functions become tables, and opcodes that move numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.opcodes.elementwise import elu, gelu, sigmoid
from pointillist.engine.program import INT8, UINT8, Instruction, Phase, View
from pointillist.engine.rewrite.builder import Form, Rewriter, input_name, is_constant_map, rewrites
from pointillist.engine.rewrite.grids import FACTOR_BITS, GATE_BITS, STEP, power, shifts

Array = NDArray[Any]


@rewrites("ADD")
def rewrite_add(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite a sum; its unit is at least the unit of each term, so that nothing is shifted to the left."""
    x, y = (rewriter.wide(view) for view in i.inputs)
    unit = np.maximum(np.maximum(x.unit, y.unit), rewriter.target_unit(i.written.value))
    output, unit = rewriter.wide_target(i.written, unit)
    rewriter.emit("ADD", i, output, x.view, y.view, left=shifts(unit, x.unit), right=shifts(unit, y.unit))


@rewrites("MULTIPLY")
def rewrite_multiply(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite a product of two values."""
    x, y = (rewriter.wide(view) for view in i.inputs)
    output, unit = rewriter.wide_target(i.written)
    rewriter.emit("MULTIPLY", i, output, x.view, y.view, shift=shifts(unit, x.unit * y.unit))


@rewrites("OFFSET")
def rewrite_offset(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite the sum with a constant."""
    x = rewriter.wide(i.inputs[0])
    output, unit = rewriter.wide_target(i.written, x.unit)
    constant = i.constants["constant"]
    rewriter.emit("OFFSET", i, output, x.view, constant=np.floor(constant / unit + 0.5).astype(np.int32))


@rewrites("SCALE")
def rewrite_scale(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite the product with a constant, in 15 bits."""
    x = rewriter.wide(i.inputs[0])
    factor = i.constants["factor"].astype(np.float64)
    step = power(np.abs(factor)) * 2.0**-FACTOR_BITS
    output, unit = rewriter.wide_target(i.written)
    rewriter.emit(
        "SCALE",
        i,
        output,
        x.view,
        factor=np.floor(factor / step + 0.5).astype(np.int16),
        shift=shifts(unit, x.unit * step),
    )


@rewrites("RELU")
def rewrite_relu(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite a rectifier; where all readers take 8 bits, as the clamp of an unsigned narrow value."""
    x = rewriter.wide(i.inputs[0])
    if rewriter.readers.is_only_narrow(i.written.value) and i.written.is_whole:
        unit, _ = rewriter.narrow_grid(i.written)
        form = rewriter.narrow_form(i.written, unit, UINT8)
        x = rewriter.refined(x, unit)
        rewriter.emit("NARROW", i, form.view, x.view, shift=shifts(unit, x.unit))
        return
    output, _ = rewriter.wide_target(i.written, x.unit)
    rewriter.emit("RELU", i, output, x.view)


def argument(rewriter: Rewriter, x: Form) -> Form:
    """Return a form that can be shifted to the steps of a table; see `Rewriter.refined`."""
    return rewriter.refined(x, np.full(len(x.unit), STEP))


@rewrites("GATE")
def rewrite_gate(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite a gate, to 8 bits where all readers take them."""
    x, y = (argument(rewriter, rewriter.wide(view)) for view in i.inputs)
    tables: dict[str, Any] = {
        "tanh": rewriter.table("tanh", np.tanh, 2.0**-GATE_BITS, np.int16),
        "sigmoid": rewriter.table("sigmoid", sigmoid, 2.0**-GATE_BITS, np.int16),
    }
    if rewriter.readers.is_only_narrow(i.written.value) and i.written.is_whole:
        unit, dtype = rewriter.narrow_grid(i.written)
        output: View = rewriter.narrow_form(i.written, unit, dtype).view
    else:
        output, unit = rewriter.wide_target(i.written)
    by: dict[str, Any] = {
        "left": shifts(STEP, x.unit),
        "right": shifts(STEP, y.unit),
        "shift": shifts(unit, 4.0**-GATE_BITS),
    }
    rewriter.emit("GATE", i, output, x.view, y.view, **tables, **by)


FUNCTIONS: dict[str, Callable[[Array], Array]] = {"TANH": np.tanh, "SIGMOID": sigmoid}
RECTIFIED: dict[str, Callable[[Array], Array]] = {
    "ELU": lambda x: elu(x) - np.maximum(x, 0),
    "GELU": lambda x: gelu(x) - np.maximum(x, 0),
}
"""Functions that are the identity far above 0, less max(x, 0)."""


@rewrites("TANH", "SIGMOID")
def rewrite_function(rewriter: Rewriter, i: Instruction) -> None:
    x = argument(rewriter, rewriter.wide(i.inputs[0]))
    unit = 2.0**-15
    output, _ = rewriter.wide_target(i.written, np.full(i.written.channels, unit))
    table = rewriter.table(i.opcode, FUNCTIONS[i.opcode], unit)
    rewriter.emit("LOOKUP", i, output, x.view, table=table, shift=shifts(STEP, x.unit))


@rewrites("ELU", "GELU")
def rewrite_rectified(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite a function that is the identity above 0; all channels of its input get one unit."""
    x = argument(rewriter, rewriter.uniform(rewriter.wide(i.inputs[0]), i.inputs[0]))
    unit = float(x.unit[0])
    output, _ = rewriter.wide_target(i.written, x.unit)
    table = rewriter.table(f"{i.opcode} {unit}", RECTIFIED[i.opcode], unit)
    rewriter.emit("RECTIFIED_LOOKUP", i, output, x.view, table=table, shift=shifts(STEP, x.unit))


@rewrites("CONSTANT")
def rewrite_constant(rewriter: Rewriter, i: Instruction) -> None:
    output, unit = rewriter.wide_target(i.written)
    constant = i.constants["constant"]
    rewriter.emit("CONSTANT", i, output, constant=np.floor(constant / unit + 0.5).astype(np.int32))


VECTOR_UNIT = 2.0**-14
"""Unit of vector conditions."""


@rewrites("COPY", "SHIFT_DOWN")
def rewrite_move(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite a copy into a part of a value, or down by one row; it keeps its unit."""
    x = rewriter.wide(i.inputs[0])
    output, _ = rewriter.wide_target(i.written, x.unit)
    rewriter.emit(i.opcode, i, output, x.view)


@rewrites("STORE")
def rewrite_store(rewriter: Rewriter, i: Instruction) -> None:
    """Store in a map of narrow values, of wide values, or in both."""
    if i.held in rewriter.readers.narrow_maps:
        target, x = rewriter.map(i.held, narrow=True), rewriter.narrow(i.inputs[0])
        assert (target.unit == x.unit).all(), "the grid of a narrow value depends on the calibration alone"
        rewriter.emit("STORE", i, None, x.view, map=target.content)
    if i.held in rewriter.readers.wide_maps:
        target, x = rewriter.map(i.held, narrow=False), rewriter.wide(i.inputs[0])
        if (x.unit != target.unit).any():
            x = rewriter.rescaled(x, i.inputs[0], target.unit)
        rewriter.emit("STORE", i, None, x.view, map=target.content)


@rewrites("GATHER")
def rewrite_gather(rewriter: Rewriter, i: Instruction) -> None:
    """Gather from the narrow map, the wide one, or both, as the readers need."""
    count = len(i.taps)
    for narrow in (True, False):
        wanted = rewriter.readers.narrow_values if narrow else rewriter.readers.wide_values
        canvas = i.held is rewriter.program.canvas  # it has one form, and is widened after the gather
        if narrow != rewriter.maps[0].is_narrow if canvas else i.written.value not in wanted:
            continue
        source = rewriter.map(i.held, narrow=narrow)
        units, offsets = np.tile(source.unit, count), np.tile(source.offset, count)
        if narrow:
            output = rewriter.narrow_form(i.written, units, source.content.dtype, offsets).view
        else:
            output, _ = rewriter.wide_target(i.written, units)
            rewriter.wide(i.written).offset[...] = offsets
        rewriter.emit("GATHER", i, output, map=source.content, taps=i.taps)


@rewrites("INPUT")
def rewrite_input(rewriter: Rewriter, i: Instruction) -> None:
    """Read a vector as a wide value, a map as a narrow one; a map of the network itself is a constant."""
    if is_constant_map(i.key):
        numbers = rewriter.program.inputs[i.key].default[0]
        output, unit = rewriter.wide_target(i.written)
        rewriter.emit("MAP_CONSTANT", i, output, numbers=np.floor(numbers / unit + 0.5).astype(np.int32))
        return
    if i.phase == Phase.IMAGE:
        output, unit = rewriter.wide_target(i.written, np.full(i.written.channels, VECTOR_UNIT))
        rewriter.declare_input(i, unit)
        rewriter.emit("INPUT", i, output, key=input_name(i.key))
        return
    unit = rewriter.declare_input(i, rewriter.narrow_grid(i.written)[0])
    form = rewriter.narrow_form(i.written, unit, INT8)
    rewriter.emit("INPUT", i, form.view, key=input_name(i.key))


@rewrites("UPSAMPLE")
def rewrite_upsample(rewriter: Rewriter, i: Instruction) -> None:
    """Read a quarter of the channels of a coarse site; the map has one unit."""
    source = rewriter.map(i.held, narrow=False)
    output, _ = rewriter.wide_target(i.written, source.unit[: i.written.channels])
    rewriter.emit("UPSAMPLE", i, output, map=source.content, taps=i.taps)
