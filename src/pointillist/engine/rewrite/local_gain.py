"""Rewrite the opcodes of a local gain: they read the canvas as it is, in 8 bits, or in 32 for more than 256 levels."""

from __future__ import annotations

from typing import Any

import numpy as np

from pointillist.distributions.kinds import MANY
from pointillist.engine.opcodes.local_gain import EXPONENT_BITS, STEP_BITS, Levels
from pointillist.engine.program import INT8, Instruction
from pointillist.engine.rewrite.builder import Form, Rewriter, rewrites
from pointillist.engine.rewrite.grids import mixture_units


def _levels(i: Instruction) -> dict[str, Any]:
    return {"levels": i.constants["levels"].astype(np.int32)}


@rewrites("PREDICT")
def rewrite_predict(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite a prediction: a level of the canvas, and an exponent."""
    assert i.output is not None
    near, inside = rewriter.canvas(i.inputs[0]), rewriter.narrow(i.inputs[1])
    channels = i.output.channels - 1
    output, _ = rewriter.wide_target(i.output, np.append(near.unit[:channels], 1.0))
    rewriter.emit("PREDICT", i, output, near.view, inside.view, **_levels(i))


@rewrites("NORMALISE")
def rewrite_normalise(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite relative levels, to 8 bits: the prediction has the offset of the canvas."""
    assert i.output is not None
    x, inside = rewriter.canvas(i.inputs[0]), rewriter.narrow(i.inputs[1])
    prediction = rewriter.wide(i.inputs[2])
    count, channels = x.view.channels, prediction.view.channels - 1
    step = 2.0 ** Levels(int(i.constants["levels"][0])).narrowing  # a base is rounded down to a multiple of it
    unit = np.concatenate([np.full(count, 2.0**-STEP_BITS), x.unit[:channels] * step, [2.0**-EXPONENT_BITS]])
    offset = np.concatenate([np.zeros(count), (x.offset[:channels] + (step - 1) / 2) / step, [0.0]])
    form = Form(rewriter.value(i.output.value, i.output.channels, dtype=INT8), unit, offset)
    rewriter.set_narrow(i.output, form)
    rewriter.emit("NORMALISE", i, form.view, x.view, inside.view, prediction.view, **_levels(i))


@rewrites("PLACE")
def rewrite_place(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite parameters around a prediction, in the units of the mixture."""
    assert i.output is not None
    prediction = rewriter.wide(i.inputs[1])
    channels, levels = prediction.view.channels - 1, int(i.constants["levels"][0])
    outputs = mixture_units(i.output.channels, channels, MANY)
    params = rewriter.rescaled(rewriter.wide(i.inputs[0]), i.inputs[0], outputs)
    output, _ = rewriter.wide_target(i.output, mixture_units(i.output.channels, channels, levels))
    rewriter.emit("PLACE", i, output, params.view, prediction.view, **_levels(i))
