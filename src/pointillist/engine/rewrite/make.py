"""Make an integer program from a recorded one: calibrate, rewrite, prove."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.distributions.kinds import LIKELIHOODS, MANY, LikelihoodKind
from pointillist.engine.buffers import Buffers
from pointillist.engine.head.frequencies import precision_of
from pointillist.engine.head.tables import LOGIT_STEP, MIN_LOG_SCALE, standard_tables
from pointillist.engine.interpreter import OPERATIONS, run_whole
from pointillist.engine.opcodes.base import prove_ranges
from pointillist.engine.program import (
    INT8,
    INT32,
    FeatureMap,
    IntegerHead,
    Phase,
    Program,
    Value,
    View,
    even_levels,
    size_of,
)
from pointillist.engine.rewrite import elementwise, linear  # noqa: F401  (register their rules)
from pointillist.engine.rewrite.builder import Form, Rewriter, input_name, is_constant_map
from pointillist.engine.rewrite.grids import MAX_WEIGHT, canvas_unit, mixture_units, power
from pointillist.errors import EngineError

Array = NDArray[Any]
Batch = tuple[NDArray[np.int64], dict[str, Array]]
"""Levels `[b, c, h, w]` and features of the conditions by name (`[b, v]`, `[b, h, w, m]`), in the raster frame."""


def rewrite_to_integers(
    program: Program,
    batches: Sequence[Batch],
    level_values: Array,
    kind: LikelihoodKind,
    *,
    ordered: bool,
    channels: int,
    mixtures: int = 0,
    min_log_scale: int = MIN_LOG_SCALE,
) -> Program:
    """Rewrite a program in integers.

    Args:
        program: recorded, in float32.
        batches: training images for the calibration.
        level_values: network input of each level, `[levels, e]`.
        kind: likelihood of the parameters.
        ordered: whether levels lie evenly on [-1, 1].
        channels: channels of the image.
        mixtures: components of a mixture, or of a factored distribution.
        min_log_scale: least log-scale of a component.

    Raises:
        EngineError: if the program, or the likelihood, is not supported.
    """
    levels = len(level_values)
    if levels > (most := LIKELIHOODS[kind].max_levels):
        raise EngineError(f"The integer program supports up to {most:,} levels, not {levels:,}: use another engine.")
    precision = precision_of(levels)
    tables: dict[str, Any] = dict(standard_tables(kind, levels, min_log_scale))
    values, canvas = _canvas(program, level_values, ordered=ordered)
    rewriter = Rewriter(program, canvas)
    rewriter.run(calibrate(program, [(_write(level_values, x), _inputs(program, features)) for x, features in batches]))
    params = _parameters(rewriter, program.params, kind, channels, levels)
    code = {phase: tuple(part) for phase, part in rewriter.code.items()}
    for part in code.values():
        prove_ranges(part)
    return Program(
        num_sub_steps=program.num_sub_steps,
        canvas_width=program.canvas_width,
        canvas=canvas.content,
        maps=tuple(rewriter.maps),
        kv_caches=tuple(cache for cache, _ in rewriter.caches.values()),
        inputs=rewriter.inputs,
        per_image=code[Phase.IMAGE],
        per_row=code[Phase.ROW],
        per_site=code[Phase.SITE],
        sub_steps=(code[Phase.SITE],) * program.num_sub_steps,
        post_draw=code[Phase.POST_DRAW],
        params=params,
        size=size_of(*code.values()),
        integer_head=IntegerHead(kind, channels, levels, mixtures, precision, tables),
        canvas_values=values,
        s_curve=program.s_curve,
    )


def rewrite_grid(program: Program, canvases: Sequence[Array], unit: Array, out_unit: Array) -> Program:
    """Rewrite the program of a grid in integers, from a canvas in 8 bits to a map in 8 bits.

    Args:
        program: recorded, in float32.
        canvases: grids of the calibration, `[b, h, w, c]`.
        unit: the number that an integer of each channel of the canvas stands for.
        out_unit: the same of the map that it makes.

    Raises:
        EngineError: if the program is not supported.
    """
    drawn = FeatureMap("canvas", program.canvas.channels, dtype=INT8)
    rewriter = Rewriter(program, Form(drawn, unit, np.zeros(drawn.channels)))
    rewriter.run(calibrate(program, [(canvas, {}) for canvas in canvases]))
    params = rewriter.narrowed(program.params, out_unit)
    code = tuple(rewriter.code[Phase.ROW])
    prove_ranges(code)
    return replace(program, canvas=drawn, maps=tuple(rewriter.maps), per_row=code, params=params, size=None, cache={})


def _canvas(
    program: Program, level_values: Array, *, ordered: bool
) -> tuple[NDArray[np.int8] | NDArray[np.int32], Form]:
    """Choose what a level writes to the canvas, and the map that holds it: 8 bits, or many levels as they are."""
    count, dtype = len(level_values), INT8
    values: Array = level_values
    if ordered and count > MANY and any(i.opcode == "PREDICT" for _, part in program.parts() for i in part):
        dtype, values = INT32, even_levels(count)
        units, offsets = np.array([canvas_unit(count)]), np.array([count // 2 - (count - 1) / 2])
    elif ordered and count <= MANY:
        if count <= MAX_WEIGHT + 1:  # the odd integers from -(count - 1) on: their zero is the zero of the border
            integers, offset = 2 * even_levels(count)[:, 0] + 2 * (count // 2) - (count - 1), 0.0
        else:
            integers, offset = even_levels(count)[:, 0], count // 2 - (count - 1) / 2
        values, units = integers[:, None], np.array([canvas_unit(count)])
        offsets = np.array([offset])
    else:
        units = 2 * power(np.abs(level_values).max(axis=0).astype(np.float64) / MAX_WEIGHT)
        units = np.where(np.abs(level_values).max(axis=0) <= units / 2 * MAX_WEIGHT, units / 2, units)
        values, offsets = np.floor(level_values / units + 0.5), np.zeros(len(units))
    content = FeatureMap("canvas", program.canvas.channels, dtype=dtype, up=program.canvas.up, left=program.canvas.left)
    sub = program.num_sub_steps * program.canvas_width // len(units)
    return values.astype(dtype), Form(content, np.tile(units, sub), np.tile(offsets, sub))


def _write(level_values: Array, x: NDArray[np.int64]) -> Array:
    """Return the canvas `[b, h, w, i]` of levels."""
    result = level_values[x.transpose(0, 2, 3, 1)]
    return result.reshape(*result.shape[:3], -1)


def _inputs(program: Program, features: dict[str, Array]) -> dict[str, Array]:
    """Return the inputs of the recorded program, `[b, 1, 1, c]` or `[b, h, w, c]`: layers share features."""
    result = {key: features[input_name(key)] for key in program.inputs if not is_constant_map(key)}
    result |= {key: each.default for key, each in program.inputs.items() if is_constant_map(key)}
    return {key: array[:, None, None] if array.ndim == 2 else array for key, array in result.items()}


def _parameters(rewriter: Rewriter, params: View, kind: str, channels: int, levels: int) -> View:
    """Bring the parameters to the steps in which the frequencies are computed."""
    unit = np.full(params.channels, LOGIT_STEP)
    if kind == "mixture":
        unit = mixture_units(params.channels, channels, levels)
    result = rewriter.wide(params)
    return result.view if (result.unit == unit).all() else rewriter.rescaled(result, params, unit).view


def calibrate(program: Program, batches: Sequence[tuple[Array, dict[str, Array]]]) -> dict[Value, Array]:
    """Run images through a program, and return the largest magnitude of each channel of every value.

    Args:
        program: a recorded program.
        batches: canvases `[b, h, w, i]` with the inputs of the program, `[b, 1, 1, c]` or `[b, h, w, c]`.
    """
    largest: dict[Value, Array] = {}
    parts = (program.per_row, program.per_site, program.post_draw)
    gathered = {i.output.value for part in parts for i in part if i.opcode == "GATHER" and i.output is not None}
    for canvas, inputs in batches:
        height, width = canvas.shape[1:3]
        buffers = Buffers(program, len(canvas), height, width, inputs)
        run_whole(buffers, OPERATIONS, canvas)
        for value, array in buffers.values():
            if value in gathered:  # they have the grid of their map
                continue
            result = np.abs(array).reshape(-1, value.channels).max(axis=0)
            largest[value] = np.maximum(largest.get(value, result), result)
    return largest
