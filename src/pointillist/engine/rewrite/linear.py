"""Rewrite matrix products and LSTMs: integer weights with a power of two for each output."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.opcodes.elementwise import sigmoid
from pointillist.engine.opcodes.recurrence import HIDDEN_BITS, STATE_BITS
from pointillist.engine.program import Instruction, Phase
from pointillist.engine.rewrite.builder import Rewriter, rewrites
from pointillist.engine.rewrite.grids import GATE_BITS, STEP, power, shifts, weight_units

Array = NDArray[Any]
PROJECT_BITS = 15


@rewrites("LINEAR")
def rewrite_linear(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite a product, once an image in 64 bits, else in 8."""
    assert i.output is not None
    matrix, *bias = (array.astype(np.float64) for array in i.constants.values())
    offset = bias[0] if bias else np.zeros(matrix.shape[1])
    if i.phase == Phase.IMAGE:
        _project(rewriter, i, matrix, offset)
        return
    x = rewriter.narrow(i.inputs[0])
    offset = offset + (x.offset * x.unit) @ matrix
    scaled = matrix * x.unit[:, None]
    unit = weight_units(np.abs(scaled).max(axis=0, initial=0), offset)
    start = rewriter.wide(i.inputs[1]) if len(i.inputs) > 1 else None
    wanted = start.unit if start is not None else None
    output, out_unit = rewriter.wide_target(i.output, wanted)
    weights = rewriter.round_weights(i, scaled / unit)
    constants: dict[str, Any] = {
        "matrix": weights.astype(np.int8),
        "bias": np.floor(offset / unit + 0.5).astype(np.int32),
        "shift": shifts(out_unit, unit),
    }
    inputs = [x.view]
    if start is not None:
        moved = start if (start.unit == out_unit).all() else rewriter.rescaled(start, i.inputs[1], out_unit)
        inputs.append(moved.view)
    rewriter.emit("LINEAR", i, output, *inputs, **constants)


def _project(rewriter: Rewriter, i: Instruction, matrix: Array, offset: Array) -> None:
    assert i.output is not None
    x = rewriter.wide(i.inputs[0])
    scaled = matrix * x.unit[:, None]
    unit = 2 * power(np.abs(scaled).max(axis=0, initial=0)) * 2.0**-PROJECT_BITS
    output, out_unit = rewriter.wide_target(i.output)
    key = (id(i.constants["matrix"]), x.unit.tobytes(), out_unit.tobytes())
    if key not in rewriter.projections:  # a weight that is used for each token is stored once
        rewriter.projections[key] = {
            "matrix": np.floor(scaled / unit + 0.5).clip(-(2**15), 2**15 - 1).astype(np.int16),
            "bias": np.floor(offset / unit + 0.5).astype(np.int64),
            "shift": shifts(out_unit, unit),
        }
    rewriter.emit("PROJECT", i, output, x.view, **rewriter.projections[key])


@rewrites("SCAN")
def rewrite_scan(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite the recurrence; its states have fixed units."""
    assert i.output is not None
    matrix, hidden, cell = (array.astype(np.float64) for array in i.constants.values())
    x = rewriter.wide(i.inputs[0])
    scaled = matrix * 2.0**-HIDDEN_BITS
    unit = weight_units(np.abs(scaled).max(axis=0, initial=0), np.zeros(matrix.shape[1]))
    constants: dict[str, Any] = {
        "matrix": rewriter.round_weights(i, scaled / unit).astype(np.int8),
        "shift": shifts(x.unit, unit),
        "gate": shifts(STEP, x.unit),
        "tanh": rewriter.table("tanh", np.tanh, 2.0**-GATE_BITS, np.int16),
        "sigmoid": rewriter.table("sigmoid", sigmoid, 2.0**-GATE_BITS, np.int16),
        "hidden": np.clip(np.floor(hidden * 2.0**HIDDEN_BITS + 0.5), -128, 127).astype(np.int32),
        "cell": np.floor(cell * 2.0**STATE_BITS + 0.5).astype(np.int32),
    }
    output, _ = rewriter.wide_target(i.output, np.full(i.output.channels, 2.0**-STATE_BITS))
    rewriter.emit("SCAN", i, output, x.view, taps=i.taps, **constants)
