"""Choose the grids, the power of two that an integer of each channel stands for, and tables of functions on them.

The grid of a value depends on who reads it: matrix products, which need 8 bits, or others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pointillist.engine.head.tables import FINE_STEP, LOGIT_STEP, mean_bits
from pointillist.engine.program import RANGES, DType, FeatureMap, Instruction, Program, Value, View

STEP = 2.0**-8
"""Distance of the arguments in a table."""
REACH = 8
"""Largest argument of a table."""
GATE_BITS = 14
"""A gate's tables hold tanh and sigmoid times two to this power."""

Array = NDArray[Any]
WIDE_BITS = 16
"""Bits of the largest magnitude of a wide value; ten more are left for values beyond the calibration."""
TINY = 2.0**-40
SILENT = 2.0**-12
"""Magnitude up to which a value counts as silent: its rectifiers were all off in the calibration, say.

A grid for such magnitudes would be out of reach of what other images bring, by too many bits.
"""
FACTOR_BITS = 13
"""Bits of a constant factor after its first."""
MAX_LEFT = 4
"""Bits by which any wide value can be shifted to the left within 32 bits."""
MAX_WEIGHT = 127
"""Largest magnitude of a weight."""
MAX_BIAS = 2.0**28


def power(x: Array) -> Array:
    """Return the largest power of two that is at most each number; `TINY` for less."""
    result: Array = 2.0 ** np.floor(np.log2(np.maximum(x, TINY)))
    return result


def wide_unit(largest: Array) -> float:
    """Return the unit of a wide value whose largest magnitudes are these."""
    most = np.maximum(largest.max(initial=0, keepdims=True), SILENT)
    return float(power(most).item()) * 2.0 ** (1 - WIDE_BITS)


def narrow_units(largest: Array, dtype: DType) -> Array:
    """Return the units of the channels of a narrow value: the finest that hold every magnitude of the calibration.

    A finer unit, which clips what is rare, has a smaller mean square error and costs more bits (docs/decisions, 0049).

    Args:
        largest: largest magnitude of each channel.
        dtype: int8, or uint8 of a value that is never negative.
    """
    _, high = RANGES[dtype]
    least = TINY if largest.max(initial=0) > SILENT else SILENT
    unit = 2.0 ** np.ceil(np.log2(np.maximum(largest.astype(np.float64), least) / high))
    # a channel that is almost silent gets no finer grid than its neighbours need
    result: Array = np.maximum(unit, unit.max() * 2.0**-8)
    return result


def weight_units(largest: Array, bias: Array) -> Array:
    """Return the unit of each output's weights: the finest power of two in which weights and bias fit.

    Args:
        largest: largest magnitude of each output's weights, each times the unit of what it multiplies.
        bias: of each output.
    """
    unit = power(largest / MAX_WEIGHT)
    unit = np.where(largest / unit > MAX_WEIGHT + 0.5, 2 * unit, unit)
    units: Array = np.maximum(unit, power(np.abs(bias) / MAX_BIAS) * 2)
    return units


def canvas_unit(levels: int) -> float:
    """Return the unit of ordered levels on [-1, 1]: half their distance where 8 bits hold twice as many integers."""
    step = 2.0 / (levels - 1)
    return step / 2 if levels <= MAX_WEIGHT + 1 else step


def mixture_units(num_params: int, channels: int, levels: int) -> Array:
    """Return the units of the parameters of a mixture: logits and log-scales are coarse, means and couplings fine."""
    mixtures = num_params // (1 + 2 * channels + channels * (channels - 1) // 2)
    unit = np.full(num_params, LOGIT_STEP)
    unit[mixtures : mixtures * (1 + channels)] = 2.0 ** -mean_bits(levels)
    unit[mixtures * (1 + 2 * channels) :] = FINE_STEP
    return unit


def shifts(to: Array | float, of: Array | float) -> Array:
    """Return the shifts from one unit to another."""
    result: Array = np.round(np.log2(np.asarray(to) / np.asarray(of))).astype(np.int8)
    return result


def function_table(function: Callable[[NDArray[Any]], NDArray[Any]], unit: float) -> NDArray[np.int64]:
    """Tabulate a function at multiples of `STEP` from `-REACH` to `REACH`, in integers times `unit`.

    ```python
    function_table(np.tanh, 2.0**-14)[0]  # -16384
    ```
    """
    count = int(REACH / STEP)
    arguments = np.arange(-count, count + 1) * STEP
    return np.floor(function(arguments) / unit + 0.5).astype(np.int64)


READS_NARROW: dict[str, tuple[int, ...]] = {"LINEAR": (0,), "PREDICT": (0, 1), "NORMALISE": (0, 1)}
"""Inputs of each opcode that it reads in 8 bits."""
NON_NEGATIVE = {"RELU", "SIGMOID"}


class Readers:
    """Readers of a program's values and maps.

    Attributes:
        narrow_maps, wide_maps: maps whose gathered values are read in 8 bits, and in 32.
        stored: the view that each map stores.
        cached: the view that each KV cache stores.
        non_negative: values that are never negative.
        start_of: of a value from which a matrix product starts, what the product makes.
    """

    def __init__(self, program: Program) -> None:
        code = [*program.per_image, *program.per_row, *program.per_site, *program.post_draw]
        self._code = code
        self.narrow_values: set[Value] = set()
        self.wide_values: set[Value] = {program.params.value}
        self.stored: dict[FeatureMap, View] = {i.map: i.inputs[0] for i in code if i.opcode == "STORE" and i.map}
        self.cached: dict[FeatureMap | None, View] = {i.map: i.inputs[0] for i in code if i.opcode == "STORE_KV"}
        for i in code:
            for position, view in enumerate(i.inputs):
                self._note(i, position, view)
        gathers = [i for i in code if i.opcode == "GATHER" and i.map is not None and i.output is not None]
        self.narrow_maps: set[FeatureMap | None] = {
            i.map for i in gathers if i.output and i.output.value in self.narrow_values
        }
        self.wide_maps: set[FeatureMap | None] = {
            i.map for i in gathers if i.output and i.output.value in self.wide_values
        }
        self.wide_maps |= {i.map for i in code if i.opcode == "UPSAMPLE"}
        for feature_map, view in self.stored.items():
            if feature_map in self.narrow_maps:
                self.narrow_values.add(view.value)
            if feature_map in self.wide_maps:
                self.wide_values.add(view.value)
        makers: dict[Value, set[str]] = {}
        for i in code:
            if i.output is not None:
                makers.setdefault(i.output.value, set()).add(i.opcode)
        self.non_negative: set[Value] = {value for value, opcodes in makers.items() if opcodes <= NON_NEGATIVE}
        self.start_of: dict[Value, Value] = {
            i.inputs[1].value: i.output.value
            for i in code
            if i.opcode == "LINEAR" and len(i.inputs) > 1 and i.output is not None and i.inputs[1].is_whole
        }

    def _note(self, i: Instruction, position: int, view: View) -> None:
        if i.opcode == "STORE":
            return  # decided by the readers of the map
        narrow = position in READS_NARROW.get(i.opcode, ())
        (self.narrow_values if narrow else self.wide_values).add(view.value)

    def is_only_narrow(self, value: Value) -> bool:
        """Return True if all readers of a value take 8 bits."""
        return value in self.narrow_values and value not in self.wide_values
