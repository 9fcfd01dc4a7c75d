"""Rewrite matrix products and LSTMs, attention, and local gains.

Weights become integers with a power of two for each output. Queries and keys have one unit each, so that a score has
one. The opcodes of a local gain read the canvas as it is, in 8 bits, or in 32 for more than 256 levels.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.distributions.kinds import MANY
from pointillist.engine.head.tables import LOGIT_STEP, exp_table
from pointillist.engine.opcodes.attention import FACTOR_BITS, VALUE_BITS
from pointillist.engine.opcodes.elementwise import sigmoid
from pointillist.engine.opcodes.linear import HIDDEN_BITS, ROOT_BITS, STATE_BITS
from pointillist.engine.opcodes.local_gain import EXPONENT_BITS, FINE_BITS, STEP_BITS, Levels
from pointillist.engine.program import INT8, Instruction, KeyValueCache, Phase, View
from pointillist.engine.rewrite.builder import Form, Rewriter, rewrites
from pointillist.engine.rewrite.grids import GATE_BITS, STEP, mixture_units, narrow_units, power, shifts, weight_units

Array = NDArray[Any]
PROJECT_BITS = 15
FINE = 128
"""How much finer the rest of a weight is than the weight."""


@rewrites("LINEAR")
def rewrite_linear(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite a product, once an image in 64 bits, else in 8."""
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
    output, out_unit = rewriter.wide_target(i.written, wanted)
    weights = rewriter.round_weights(i, scaled / unit)
    inputs = [x.view]
    if start is not None:
        moved = start if (start.unit == out_unit).all() else rewriter.rescaled(start, i.inputs[1], out_unit)
        inputs.append(moved.view)
    if (rest := rewriter.rests.get(i.inputs[0])) is not None:
        # their sum is a prediction, whose terms cancel where neighbours hardly differ: what is rounded away counts
        none = np.zeros(matrix.shape[1])
        for view, part, step in (
            (x.view, (scaled / unit - weights) * FINE, unit / FINE),
            (rest, weights[: rest.channels], unit * 2.0**-FINE_BITS),
        ):
            total = View(rewriter.value(i.written.value, i.written.channels), 0, i.written.channels)
            _product(rewriter, i, total, [view, *inputs[1:]], part, none, shifts(out_unit, step))
            inputs = [x.view, total]
    _product(rewriter, i, output, inputs, weights, offset / unit, shifts(out_unit, unit))


def _product(
    rewriter: Rewriter, i: Instruction, output: View, inputs: list[View], weights: Array, bias: Array, by: Array
) -> None:
    constants: dict[str, Any] = {
        "matrix": rewriter.round_weights(i, weights).astype(np.int8),
        "bias": np.floor(bias + 0.5).astype(np.int32),
        "shift": by,
    }
    rewriter.emit("LINEAR", i, output, *inputs, **constants)


def _project(rewriter: Rewriter, i: Instruction, matrix: Array, offset: Array) -> None:
    x = rewriter.wide(i.inputs[0])
    scaled = matrix * x.unit[:, None]
    unit = 2 * power(np.abs(scaled).max(axis=0, initial=0)) * 2.0**-PROJECT_BITS
    output, out_unit = rewriter.wide_target(i.written)
    key = (id(i.constants["matrix"]), x.unit.tobytes(), out_unit.tobytes())
    if key not in rewriter.projections:  # a weight that is used for each token is stored once
        rewriter.projections[key] = {
            "matrix": np.floor(scaled / unit + 0.5).clip(-(2**15), 2**15 - 1).astype(np.int16),
            "bias": np.floor(offset / unit + 0.5).astype(np.int64),
            "shift": shifts(out_unit, unit),
        }
    rewriter.emit("PROJECT", i, output, x.view, **rewriter.projections[key])


@rewrites("RMS_NORM")
def rewrite_rms_norm(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite a division by the root mean square: the unit of the input drops out of it."""
    x = rewriter.uniform(rewriter.wide(i.inputs[0]), i.inputs[0])
    count, unit = i.written.channels, float(x.unit[0])
    output, out_unit = rewriter.wide_target(i.written)
    bits = 14 - int(np.ceil(np.log2(count) / 2))
    roots = (count / (1 + (np.arange(3 * 2**ROOT_BITS + 1) + 0.5) / 2**ROOT_BITS)) ** 0.5 * 2**bits
    rewriter.emit(
        "RMS_NORM",
        i,
        output,
        x.view,
        table=rewriter.shared(f"root {count}", lambda: np.floor(roots + 0.5).astype(np.int16)),
        epsilon=np.array([float(i.constants["epsilon"][0]) * count / unit**2]).clip(1, 2**30).astype(np.int32),
        shift=shifts(out_unit, 2.0**-bits),
    )


@rewrites("SCAN")
def rewrite_scan(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite the recurrence; its states have fixed units."""
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
    output, _ = rewriter.wide_target(i.written, np.full(i.written.channels, 2.0**-STATE_BITS))
    rewriter.emit("SCAN", i, output, x.view, taps=i.taps, **constants)


def _levels(i: Instruction) -> dict[str, Any]:
    return {"levels": i.constants["levels"].astype(np.int32)}


@rewrites("PREDICT")
def rewrite_predict(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite a prediction: a level of the canvas, and an exponent."""
    near, inside = rewriter.canvas(i.inputs[0]), rewriter.narrow(i.inputs[1])
    channels = i.written.channels - 1
    output, _ = rewriter.wide_target(i.written, np.append(near.unit[:channels], 1.0))
    rewriter.emit("PREDICT", i, output, near.view, inside.view, **_levels(i))


@rewrites("NORMALISE")
def rewrite_normalise(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite relative levels, to 8 bits: the prediction has the offset of the canvas."""
    x, inside = rewriter.canvas(i.inputs[0]), rewriter.narrow(i.inputs[1])
    prediction = rewriter.wide(i.inputs[2])
    count, channels = x.view.channels, prediction.view.channels - 1
    step = 2.0 ** Levels(int(i.constants["levels"][0])).narrowing  # a base is rounded down to a multiple of it
    unit = np.concatenate([np.full(count, 2.0**-STEP_BITS), x.unit[:channels] * step, [2.0**-EXPONENT_BITS]])
    offset = np.concatenate([np.zeros(count), (x.offset[:channels] + (step - 1) / 2) / step, [0.0]])
    whole = rewriter.value(i.written.value, i.written.channels + count, dtype=INT8)
    form = Form(View(whole, 0, i.written.channels), unit, offset)
    rewriter.set_narrow(i.written, form)
    rewriter.rests[i.written] = View(whole, i.written.channels, count)
    rewriter.emit("NORMALISE", i, View(whole, 0, whole.channels), x.view, inside.view, prediction.view, **_levels(i))


@rewrites("PLACE")
def rewrite_place(rewriter: Rewriter, i: Instruction) -> None:
    """Rewrite parameters around a prediction, in the units of the mixture."""
    prediction = rewriter.wide(i.inputs[1])
    channels, levels = prediction.view.channels - 1, int(i.constants["levels"][0])
    outputs = mixture_units(i.written.channels, channels, MANY)
    params = rewriter.rescaled(rewriter.wide(i.inputs[0]), i.inputs[0], outputs)
    output, _ = rewriter.wide_target(i.written, mixture_units(i.written.channels, channels, levels))
    rewriter.emit("PLACE", i, output, params.view, prediction.view, **_levels(i))


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


@rewrites("STORE_KV")
def rewrite_store_kv(rewriter: Rewriter, i: Instruction) -> None:
    """Store keys and values in 8 bits."""
    assert isinstance(i.map, KeyValueCache)
    quantized, unit = _cache(rewriter, i.map)
    rewriter.emit("STORE_KV", i, None, rewriter.narrowed(i.inputs[0], unit), map=quantized)


@rewrites("ATTEND")
def rewrite_attend(rewriter: Rewriter, i: Instruction) -> None:
    """Attend; the factor turns a difference of scores into steps of the exponential table."""
    assert isinstance(i.map, KeyValueCache)
    quantized, units = _cache(rewriter, i.map)
    unit, _ = rewriter.narrow_grid(i.inputs[0])
    unit = np.full(i.inputs[0].channels, unit.max())
    query = rewriter.narrowed(i.inputs[0], unit)
    step = float(unit[0] * units[0]) * i.map.key_width**-0.5
    factor = np.array([round(step / LOGIT_STEP * 2**FACTOR_BITS)], np.int64)
    output, _ = rewriter.wide_target(i.written, units[quantized.key_channels :] * 2.0**-VALUE_BITS)
    rewriter.emit("ATTEND", i, output, query, map=quantized, exp=rewriter.shared("exp", exp_table), factor=factor)


@rewrites("CROSS_ATTEND")
def rewrite_cross_attend(rewriter: Rewriter, i: Instruction) -> None:
    """Attend to tokens: their entries in 8 bits, in the same units for all tokens, with one for all keys."""
    query, mask, entries = i.inputs
    tokens, keys = mask.channels, query.channels
    largest = rewriter.largest(entries.value).reshape(tokens, -1).max(axis=0)
    units = np.maximum(narrow_units(largest, INT8), rewriter.target_unit(entries.value))
    units[:keys] = units[:keys].max()
    unit, _ = rewriter.narrow_grid(query)
    unit = np.full(keys, unit.max())
    heads = int(i.constants["heads"][0])
    step = float(unit[0] * units[0]) * (keys // heads) ** -0.5
    output, _ = rewriter.wide_target(i.written, units[keys:] * 2.0**-VALUE_BITS)
    rewriter.emit(
        "CROSS_ATTEND",
        i,
        output,
        rewriter.narrowed(query, unit),
        rewriter.wide(mask).view,
        rewriter.narrowed(entries, np.tile(units, tokens)),
        exp=rewriter.shared("exp", exp_table),
        factor=np.array([round(step / LOGIT_STEP * 2**FACTOR_BITS)], np.int64),
        heads=np.array([heads], np.int32),
    )
