"""Rewrite the opcodes of a local gain: they read the canvas as it is, in 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np

from pointillist.engine.opcodes.local_gain import EXPONENT_BITS, STEP_BITS
from pointillist.engine.program import INT8, Instruction
from pointillist.engine.rewrite.builder import Form, Rewriter, rewrites
from pointillist.engine.rewrite.grids import mixture_units


def _levels(i: Instruction) -> dict[str, Any]:
    return {"levels": i.constants["levels"].astype(np.int32)}


@rewrites("PREDICT")
def rewrite_predict(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite a prediction: a level of the canvas, and an exponent."""
    assert i.output is not None
    near, inside = (rewriter.narrow(view) for view in i.inputs)
    channels = i.output.channels - 1
    output, _ = rewriter.wide_target(i.output, np.append(near.unit[:channels], 1.0))
    rewriter.emit("PREDICT", i, output, near.view, inside.view, **_levels(i))


@rewrites("NORMALISE")
def rewrite_normalise(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite relative levels, to 8 bits: the prediction has the offset of the canvas."""
    assert i.output is not None
    x, inside = (rewriter.narrow(view) for view in i.inputs[:2])
    prediction = rewriter.wide(i.inputs[2])
    count, channels = x.view.channels, prediction.view.channels - 1
    unit = np.concatenate([np.full(count, 2.0**-STEP_BITS), x.unit[:channels], [2.0**-EXPONENT_BITS]])
    offset = np.concatenate([np.zeros(count), x.offset[:channels], [0.0]])
    form = Form(rewriter.value(i.output.value, i.output.channels, dtype=INT8), unit, offset)
    rewriter.set_narrow(i.output, form)
    rewriter.emit("NORMALISE", i, form.view, x.view, inside.view, prediction.view, **_levels(i))


@rewrites("PLACE")
def rewrite_place(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite parameters around a prediction, in the units of the mixture."""
    assert i.output is not None
    prediction = rewriter.wide(i.inputs[1])
    unit = mixture_units(i.output.channels, prediction.view.channels - 1)
    params = rewriter.rescaled(rewriter.wide(i.inputs[0]), i.inputs[0], unit)
    output, _ = rewriter.wide_target(i.output, unit)
    rewriter.emit("PLACE", i, output, params.view, prediction.view, **_levels(i))
