"""Rewrite an LSTM along a row."""

from __future__ import annotations

from typing import Any

import numpy as np

from pointillist.engine.opcodes.elementwise import sigmoid
from pointillist.engine.opcodes.recurrence import HIDDEN_BITS, STATE_BITS
from pointillist.engine.program import Instruction
from pointillist.engine.rewrite.builder import Rewriter, rewrites
from pointillist.engine.rewrite.grids import shifts, weight_units
from pointillist.engine.rewrite.tables import GATE_BITS, STEP


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
